//! RFC 7635: clients that an authorization server vouches for.

use stun_wire::{AttributeType, Class, IntegrityKey, IntegrityKeySha256, Method};

use super::{
    bearer::{Bearer, NORTH, SERVER_NAME, UNION, believe_tokens},
    client::udp,
    world::BEGIN,
    *,
};
use crate::{
    AuthFailure, Quota, QuotaLimits, Realm, ThirdParty, TokenAlgorithm, TokenKey, testing::tokens::Token,
};

fn world() -> World {
    World::with(believe_tokens)
}

fn third_party(heard: &Heard) -> Option<&[u8]> {
    heard
        .message()
        .attribute(AttributeType::THIRD_PARTY_AUTHORIZATION)
}

/// §6.1: "used by the STUN server to inform the client that it supports third-party authorization".
#[test]
fn every_challenge_names_the_server_where_tokens_are_believed() {
    let mut world = world();
    let first = Modern::alice(1000).learn_nonce(&mut world);
    assert_eq!(third_party(&first), Some(SERVER_NAME.as_bytes()));
    let mut bearer = Bearer::new(1001, 1);
    bearer.allocate(&mut world).relayed();
    world.pass(3601);
    let stale = bearer.refresh(&mut world, 600);
    assert_eq!(
        (error_code(&stale), third_party(&stale)),
        (438, Some(SERVER_NAME.as_bytes()))
    );
    let without = Modern::alice(1000).learn_nonce(&mut World::new());
    assert_eq!(third_party(&without), None);
}

/// §5: the client signs with the key of the token, and needs to bring the token only where lifetimes are granted.
#[test]
fn a_token_allocates_and_its_key_signs_what_follows() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    let heard = bearer.allocate(&mut world);
    heard.relayed();
    assert!(heard.is_signed_by(&bearer.client));
    for heard in [
        bearer.client.permit(&mut world, "8.8.8.8:1"),
        bearer.client.bind(&mut world, 0x4000, "8.8.8.8:1"),
        bearer.client.refresh(&mut world, 600),
        bearer.refresh(&mut world, 600),
        bearer.client.refresh(&mut world, 0),
    ] {
        assert_eq!(error_code(&heard), 0);
        assert!(heard.is_signed_by(&bearer.client));
    }
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn users_with_a_password_are_served_beside_those_with_a_token() {
    let mut world = world();
    Bearer::new(1000, 1).allocate(&mut world).relayed();
    Client::alice(1001).allocate(&mut world);
    Client::minted(1002, "carol", BEGIN + 60).allocate(&mut world);
}

#[test]
fn either_cipher_and_keys_up_to_a_block_are_taken() {
    let mut world = world();
    for (port, len) in [(1000, 20), (1001, 32), (1002, 64)] {
        let mac_key = vec![7; len];
        let token = Token::new(&mac_key, BEGIN, 3600).seal(UNION, SERVER_NAME);
        Bearer::with(port, "union", &mac_key, &token)
            .allocate(&mut world)
            .relayed();
    }
}

/// RFC 8489 §9.2.4 goes for bearers of tokens, too: who chose an algorithm is answered with SHA-256.
#[test]
fn a_token_serves_with_sha256_as_well() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.learn_full_nonce(&mut world);
    let key = IntegrityKeySha256::new(&bearer.mac_key);
    for (method, with_token) in [
        (Method::ALLOCATE, true),
        (Method::REFRESH, false),
        (Method::REFRESH, true),
    ] {
        let heard = bearer.ask_modern(&mut world, method, with_token);
        assert_eq!(error_code(&heard), 0, "{method:?}");
        assert_eq!(heard.message().verify_integrity_sha256(&key), Ok(()));
        assert!(!heard.message().has_integrity());
    }
    let heard = bearer.client.refresh(&mut world, 600);
    assert!(
        heard.is_signed_by(&bearer.client),
        "the kept key serves for either attribute"
    );
}

/// coturn's clients and servers take for HMAC-SHA1 as much of the key as a long-term key has.
#[test]
fn a_client_that_signs_with_sixteen_bytes_of_its_key_is_answered_with_them() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.client.key = IntegrityKey::new(&bearer.mac_key[..16]);
    for heard in [
        bearer.allocate(&mut world),
        bearer.client.permit(&mut world, "8.8.8.8:1"),
        bearer.refresh(&mut world, 600),
    ] {
        assert_eq!(error_code(&heard), 0);
        assert!(heard.is_signed_by(&bearer.client));
    }
}

/// §7, and the wrong ones of every kind read alike.
#[test]
fn a_token_that_does_not_hold_is_401() {
    let mac_key = [1; 20];
    let sealed = |change: fn(&mut Token), key: &[u8], server: &str| {
        let mut token = Token::new(&mac_key, BEGIN, 3600);
        change(&mut token);
        token.seal(key, server)
    };
    let good = sealed(|_| (), NORTH, SERVER_NAME);
    let mut flipped = good.clone();
    flipped[20] ^= 1;
    let hear = |kid: &str, mac_key: &[u8], token: &[u8]| {
        let mut world = world();
        let mut bearer = Bearer::with(1000, kid, mac_key, token);
        let heard = bearer.allocate(&mut world);
        assert!(world.sockets.is_empty());
        let counted = [
            AuthFailure::BadToken,
            AuthFailure::Expired,
            AuthFailure::WrongPassword,
        ]
        .map(|failure| world.server.counters().auth_failures(failure));
        (heard, counted)
    };
    let (wrong_key, counted) = hear("north", &[2; 20], &good);
    assert_eq!((error_code(&wrong_key), counted), (401, [0, 0, 1]));
    for (what, kid, token, counted) in [
        ("another key's id", "union", good.clone(), [1, 0, 0]),
        ("an id we do not know", "south", good.clone(), [1, 0, 0]),
        ("a user's name", "alice", good.clone(), [1, 0, 0]),
        (
            "another key",
            "north",
            sealed(|_| (), &[9; 32], SERVER_NAME),
            [1, 0, 0],
        ),
        (
            "for another server",
            "north",
            sealed(|_| (), NORTH, "example.com"),
            [1, 0, 0],
        ),
        ("a flipped bit", "north", flipped, [1, 0, 0]),
        ("cut short", "north", good[..30].to_vec(), [1, 0, 0]),
        ("nothing", "north", Vec::new(), [1, 0, 0]),
        ("much too long", "north", vec![0; 600], [1, 0, 0]),
        (
            "expired",
            "north",
            sealed(|token| token.timestamp -= 3605 << 16, NORTH, SERVER_NAME),
            [0, 1, 0],
        ),
        (
            "of the far future",
            "north",
            sealed(|token| token.timestamp += 3605 << 16, NORTH, SERVER_NAME),
            [0, 1, 0],
        ),
    ] {
        assert_eq!(
            hear(kid, &mac_key, &token),
            (wrong_key.clone(), counted),
            "{what}"
        );
    }
}

/// §7: "If a STUN server receives an ACCESS-TOKEN attribute unexpectedly …, it will respond with an error code of 420".
#[test]
fn where_tokens_are_not_believed_the_attribute_is_unknown() {
    let mut world = World::new();
    let mut bearer = Bearer::new(1000, 1);
    let heard = bearer.allocate(&mut world);
    assert_eq!(error_code(&heard), 420);
    let unknown: Vec<_> = heard.message().unknown_attributes().collect();
    assert_eq!(unknown, [AttributeType::ACCESS_TOKEN]);
    assert!(!heard.message().has_integrity());
}

#[test]
fn a_key_is_good_in_its_time_only() {
    for (valid, code) in [(BEGIN..BEGIN + 1, 0), (BEGIN + 1..u64::MAX, 401), (0..BEGIN, 401)] {
        let mut world = World::with(|config| {
            let mut third_party = ThirdParty::new(SERVER_NAME).unwrap();
            let key = TokenKey::new(TokenAlgorithm::A256Gcm, NORTH).unwrap();
            third_party.add_key("north", key, valid.clone());
            config.credentials.set_third_party(third_party);
        });
        assert_eq!(
            error_code(&Bearer::new(1000, 1).allocate(&mut world)),
            code,
            "{valid:?}"
        );
    }
}

/// For TURN, RFC 7635 has lifetimes end no later than the token's.
#[test]
fn an_allocation_lives_no_longer_than_its_token() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.renew(1, BEGIN - 3400, 3600);
    assert_eq!(bearer.allocate(&mut world).message().lifetime(), Some(Ok(205)));
    world.pass(100);
    assert_eq!(bearer.client.refresh(&mut world, 3600).lifetime(), 105);
    world.pass(104);
    assert_eq!(bearer.refresh(&mut world, 3600).lifetime(), 1);
    world.pass(1);
    assert_eq!(world.ports_in_use(), 0, "it has expired with the token");
    assert_eq!(error_code(&bearer.refresh(&mut world, 600)), 401);
}

/// What the allocation keeps of a token is no token: whoever has no new one prolongs nothing beyond it.
#[test]
fn no_refresh_without_a_token_outlives_the_last_one() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.renew(1, BEGIN - 3500, 3600);
    assert_eq!(bearer.allocate(&mut world).message().lifetime(), Some(Ok(105)));
    world.pass(104);
    assert_eq!(bearer.client.refresh(&mut world, 3600).lifetime(), 1);
    world.pass_millis(999);
    assert_eq!(bearer.client.refresh(&mut world, 3600).lifetime(), 1);
    world.pass_millis(999);
    assert_eq!(error_code(&bearer.client.refresh(&mut world, 3600)), 401);
    world.pass(1);
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn a_fresh_token_gives_no_more_than_its_lifetime() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.renew(1, BEGIN + 50, 90);
    assert_eq!(bearer.allocate(&mut world).message().lifetime(), Some(Ok(90)));
}

/// A new token takes the place of the old one, whose key signs nothing any more.
#[test]
fn refresh_with_a_new_token_goes_on_with_its_key() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.allocate(&mut world).relayed();
    let mut old = bearer.clone();
    world.pass(500);
    bearer.renew(2, BEGIN + 500, 3600);
    let heard = bearer.refresh(&mut world, 3600);
    assert_eq!(heard.lifetime(), 3600);
    assert!(heard.is_signed_by(&bearer.client));
    assert_eq!(error_code(&bearer.client.permit(&mut world, "8.8.8.8:1")), 0);
    assert_eq!(error_code(&old.client.permit(&mut world, "8.8.8.8:1")), 401);
}

/// Authorization servers change their keys, and what a client is called by changes with them.
#[test]
fn a_new_token_may_come_under_another_key() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.allocate(&mut world).relayed();
    let token = Token::new(&[2; 20], BEGIN, 3600).seal(UNION, SERVER_NAME);
    let mut renewed = Bearer::with(1000, "union", &[2; 20], &token);
    renewed.client.nonce = bearer.client.nonce.clone();
    assert_eq!(renewed.refresh(&mut world, 600).lifetime(), 600);
    assert_eq!(error_code(&renewed.client.permit(&mut world, "8.8.8.8:1")), 0);
    assert_eq!(renewed.client.refresh(&mut world, 0).lifetime(), 0);
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn a_token_and_a_password_do_not_share_an_allocation() {
    let mut world = world();
    Client::alice(1000).allocate(&mut world);
    let mut bearer = Bearer::new(1000, 1);
    let heard = bearer.refresh(&mut world, 600);
    assert_eq!(error_code(&heard), 441);
    assert!(heard.is_signed_by(&bearer.client));
    assert_eq!(error_code(&bearer.allocate(&mut world)), 437);
    Bearer::new(1001, 1).allocate(&mut world).relayed();
    assert_eq!(error_code(&Client::alice(1001).refresh(&mut world, 600)), 441);
}

/// Somebody may be called as a key is.
#[test]
fn a_user_of_a_keys_name_is_not_the_bearer_of_its_tokens() {
    let mut world = World::with(|config| {
        believe_tokens(config);
        let realm = config.realm.clone();
        config
            .credentials
            .add_user(&realm, "north", "wonderland")
            .unwrap();
    });
    Client::new(1000, "north", "wonderland").allocate(&mut world);
    assert_eq!(error_code(&Bearer::new(1000, 1).refresh(&mut world, 600)), 441);
    Bearer::new(1001, 1).allocate(&mut world).relayed();
    let mut user = Client::new(1001, "north", "wonderland");
    assert_eq!(error_code(&user.refresh(&mut world, 600)), 401);
}

/// THREATS 27: one token has what one user has, and all tokens of one key are bounded together.
#[test]
fn quotas_count_tokens_and_their_keys() {
    let number = |n: u32| n.try_into().unwrap();
    let quota = Quota::new(QuotaLimits {
        per_user: number(2),
        per_key: number(3),
        ..QuotaLimits::default()
    });
    let mut world = World::with_ledger(quota, believe_tokens);
    let mut port = 1000;
    let mut allocate = |world: &mut World, mac_key: u8| {
        port += 1;
        let mut bearer = Bearer::new(port, mac_key);
        (error_code(&bearer.allocate(world)), bearer)
    };
    let (code, mut first) = allocate(&mut world, 1);
    assert_eq!((code, allocate(&mut world, 1).0), (0, 0));
    assert_eq!(allocate(&mut world, 1).0, 486, "a third of one token");
    assert_eq!(allocate(&mut world, 2).0, 0, "another token");
    assert_eq!(allocate(&mut world, 3).0, 486, "a fourth of one key");
    first.renew(9, BEGIN, 3600);
    assert_eq!(first.refresh(&mut world, 0).lifetime(), 0);
    assert_eq!(
        allocate(&mut world, 1).0,
        0,
        "it was counted for the token it was made with"
    );
    assert_eq!(allocate(&mut world, 3).0, 486);
    let token = Token::new(&[4; 20], BEGIN, 3600).seal(UNION, SERVER_NAME);
    Bearer::with(2000, "union", &[4; 20], &token)
        .allocate(&mut world)
        .relayed();
}

#[test]
fn a_reserved_port_is_for_bearers_of_the_same_key() {
    let mut world = world();
    let reserve = |world: &mut World, port| {
        let heard = Bearer::new(port, 1).ask(world, Method::ALLOCATE, |writer| {
            udp(writer);
            writer.attribute(AttributeType::EVEN_PORT, &[0x80]).unwrap();
        });
        heard.message().reservation_token().unwrap().unwrap()
    };
    let claim = |world: &mut World, bearer: &mut Bearer, token: [u8; 8]| {
        let heard = bearer.ask(world, Method::ALLOCATE, |writer| {
            udp(writer);
            writer
                .attribute(AttributeType::RESERVATION_TOKEN, &token)
                .unwrap();
        });
        error_code(&heard)
    };
    let token = reserve(&mut world, 1000);
    assert_eq!(claim(&mut world, &mut Bearer::new(1001, 2), token), 0);
    let token = reserve(&mut world, 1002);
    let other = Token::new(&[3; 20], BEGIN, 3600).seal(UNION, SERVER_NAME);
    let mut other = Bearer::with(1003, "union", &[3; 20], &other);
    assert_eq!(claim(&mut world, &mut other, token), 508);
}

/// THREATS 22. What clients with a token need is left out last.
#[test]
fn a_short_request_is_told_of_tokens_before_it_is_told_of_algorithms() {
    for (realm, told, len) in [
        ("watari".len(), (true, false), 84),
        (20, (true, false), 84),
        (21, (false, false), 76),
    ] {
        let mut world = World::with(|config| {
            config
                .credentials
                .set_third_party(ThirdParty::new("watari").unwrap());
            config.realm = Realm::new("r".repeat(realm)).unwrap();
        });
        let mut client = Client::alice(1000);
        let request = client.plain(Class::Request, Method::ALLOCATE, udp);
        let heard = world.hear(client.five_tuple, &request);
        let message = heard.message();
        let has = |kind| message.attribute(kind).is_some();
        let has = (
            has(AttributeType::THIRD_PARTY_AUTHORIZATION),
            has(AttributeType::PASSWORD_ALGORITHMS),
        );
        assert_eq!((has, message.as_bytes().len()), (told, len), "{realm}");
    }
}

/// RFC 8016 §3.2.2, 441 for another user: whoever has somebody else's ticket needs his token, too.
#[test]
fn a_ticket_is_for_the_bearer_of_its_token() {
    let mut world = World::with(|config| {
        believe_tokens(config);
        moving::mobile(config);
    });
    let mut bearer = Bearer::new(1000, 1);
    let heard = bearer.ask(&mut world, Method::ALLOCATE, moving::wish);
    let ticket = moving::ticket(&heard);
    let redeem = |world: &mut World, bearer: &mut Bearer| {
        let heard = bearer.ask(world, Method::REFRESH, |writer| {
            writer.attribute(AttributeType::MOBILITY_TICKET, &ticket).unwrap();
        });
        assert!(heard.is_signed_by(&bearer.client));
        heard
    };
    assert_eq!(error_code(&redeem(&mut world, &mut Bearer::new(1001, 2))), 441);
    assert_eq!(
        error_code(&redeem(&mut world, &mut Bearer::new(1002, 1))),
        0,
        "the same token elsewhere"
    );
    let mut moved = Bearer::new(1002, 1);
    moved.client.learn_nonce(&mut world);
    moved.renew(3, BEGIN, 3600);
    assert_eq!(
        moved.refresh(&mut world, 600).lifetime(),
        600,
        "a new token from where it said it would be"
    );
    assert_eq!(error_code(&moved.client.permit(&mut world, "8.8.8.8:1")), 0);
}

#[test]
fn a_hidden_name_is_no_keys_id() {
    let mut world = world();
    let bearer = Bearer::new(1000, 1);
    let mut client = bearer.client.clone();
    client.learn_nonce(&mut world);
    let nonce = client.nonce.clone();
    let request = client.write(Class::Request, Method::ALLOCATE, udp, |writer| {
        let hash = stun_wire::user_hash("north", "example.org");
        writer.attribute(AttributeType::USERHASH, &hash).unwrap();
        writer
            .attribute(AttributeType::ACCESS_TOKEN, &bearer.token)
            .unwrap();
        writer.text(AttributeType::REALM, "example.org").unwrap();
        writer.attribute(AttributeType::NONCE, &nonce).unwrap();
        writer.integrity(&bearer.client.key).unwrap();
    });
    assert_eq!(error_code(&world.hear(client.five_tuple, &request)), 401);
}
