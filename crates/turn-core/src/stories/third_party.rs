//! RFC 7635: clients that an authorization server vouches for.

mod belonging;
mod lifetimes;

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
