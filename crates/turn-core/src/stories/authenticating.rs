//! RFC 8489 §9.2: challenges, wrong answers, and what strangers may learn.

use stun_wire::{AttributeType, Class, Method};

use super::{client::udp, world::BEGIN, *};
use crate::{AuthFailure, CountedMethod, Credentials, DropReason, Realm, Secret, UserKey};

fn first_request(world: &mut World, client: &mut Client) -> Heard {
    let request = client.plain(Class::Request, Method::ALLOCATE, udp);
    world.hear(client.five_tuple, &request)
}

/// Sends a signed Allocate with what the client holds, without asking for a nonce first.
fn signed(world: &mut World, client: &mut Client) -> Heard {
    let request = client.request(Method::ALLOCATE, udp);
    world.hear(client.five_tuple, &request)
}

#[test]
fn the_first_request_gets_401_with_realm_and_nonce_and_no_signature() {
    let mut world = World::new();
    let heard = first_request(&mut world, &mut Client::alice(1000));
    assert_eq!(error_code(&heard), 401);
    assert_eq!(heard.message().realm(), Some(Ok("example.org")));
    assert_eq!(heard.message().nonce().unwrap().len(), 28);
    assert!(!heard.message().has_integrity());
    assert_eq!(world.server.counters().auth_failures(AuthFailure::Missing), 1);
    assert_eq!(world.server.counters().errors(CountedMethod::Allocate, 401), 1);
}

#[test]
fn every_method_is_challenged() {
    let mut world = World::new();
    for method in [
        Method::ALLOCATE,
        Method::REFRESH,
        Method::CREATE_PERMISSION,
        Method::CHANNEL_BIND,
    ] {
        let mut client = Client::alice(1000);
        let request = client.plain(Class::Request, method, |writer| {
            writer.u32(AttributeType::LIFETIME, 600).unwrap();
        });
        assert_eq!(
            error_code(&world.hear(client.five_tuple, &request)),
            401,
            "{method:?}"
        );
    }
}

#[test]
fn an_unknown_user_and_a_wrong_password_hear_the_same_bytes() {
    let mut world = World::new();
    let hear = |world: &mut World, username: &str| {
        let mut client = Client::new(1000, username, "wrong");
        client.learn_nonce(world);
        signed(world, &mut client)
    };
    let wrong_password = hear(&mut world, "alice");
    assert_eq!(error_code(&wrong_password), 401);
    for unknown in ["nobody", "1700009999:mallory", "1600000000:mallory", "", "1"] {
        assert_eq!(hear(&mut world, unknown), wrong_password, "{unknown:?}");
    }
}

#[test]
fn integrity_without_username_realm_or_nonce_is_a_bad_request() {
    let mut world = World::new();
    let attributes = [
        AttributeType::USERNAME,
        AttributeType::REALM,
        AttributeType::NONCE,
    ];
    for missing in attributes {
        let mut client = Client::alice(1000);
        let key = client.key.clone();
        let request = client.plain(Class::Request, Method::ALLOCATE, |writer| {
            udp(writer);
            for kind in attributes.into_iter().filter(|kind| *kind != missing) {
                writer.text(kind, "alice").unwrap();
            }
            writer.integrity(&key).unwrap();
        });
        let heard = world.hear(client.five_tuple, &request);
        assert_eq!(error_code(&heard), 400, "{missing:?}");
        assert!(!heard.message().has_integrity());
    }
    assert_eq!(world.server.counters().auth_failures(AuthFailure::Incomplete), 3);
}

/// THREATS 24: the nonce is verified.
#[test]
fn a_made_up_nonce_is_stale_even_with_the_right_password() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.nonce = b"AAAAAAAAAAAAAAAAAAAA".to_vec();
    let heard = signed(&mut world, &mut client);
    assert_eq!(error_code(&heard), 438);
    client.nonce = heard.message().nonce().unwrap().to_vec();
    signed(&mut world, &mut client).relayed();
}

#[test]
fn a_nonce_given_to_another_address_is_stale() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.learn_nonce(&mut world);
    client.five_tuple.client.set_port(1001);
    assert_eq!(error_code(&signed(&mut world, &mut client)), 438);
}

#[test]
fn an_old_nonce_is_stale_and_the_fresh_one_serves() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.learn_nonce(&mut world);
    world.pass(3601);
    let heard = signed(&mut world, &mut client);
    assert_eq!(error_code(&heard), 438);
    assert_eq!(heard.message().realm(), Some(Ok("example.org")));
    assert!(!heard.message().has_integrity());
    client.nonce = heard.message().nonce().unwrap().to_vec();
    signed(&mut world, &mut client).relayed();
    assert_eq!(world.server.counters().auth_failures(AuthFailure::StaleNonce), 1);
}

#[test]
fn a_wrong_password_is_401_even_with_a_stale_nonce() {
    let mut world = World::new();
    let mut client = Client::new(1000, "alice", "wrong");
    client.learn_nonce(&mut world);
    world.pass(3601);
    assert_eq!(error_code(&signed(&mut world, &mut client)), 401);
}

#[test]
fn another_realm_is_401() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.learn_nonce(&mut world);
    client.realm = "example.net".into();
    assert_eq!(error_code(&signed(&mut world, &mut client)), 401);
    assert_eq!(world.server.counters().auth_failures(AuthFailure::WrongRealm), 1);
}

#[test]
fn time_limited_usernames_are_read_in_all_three_spellings() {
    let later = BEGIN + 60;
    for username in [
        format!("{later}:alice"),
        format!("{later}"),
        format!("alice:{later}"),
    ] {
        let mut world = World::new();
        let password = turn_credentials::derive_password(&Secret::new("north"), &username);
        Client::new(1000, &username, &password).allocate(&mut world);
    }
}

#[test]
fn each_of_several_secrets_vouches_and_static_users_work_beside_them() {
    let mut world = World::with(|config| config.credentials.add_secret(Secret::new("south")));
    for (port, secret) in [(1000, "north"), (1001, "south")] {
        let credential = turn_credentials::mint(&Secret::new(secret), Some("carol"), BEGIN + 60);
        Client::new(port, &credential.username, &credential.password).allocate(&mut world);
    }
    Client::alice(1002).allocate(&mut world);
}

#[test]
fn without_a_secret_nobody_is_time_limited() {
    let mut world = World::with(|config| config.credentials = Credentials::default());
    let mut client = Client::minted(1000, "carol", BEGIN + 60);
    client.learn_nonce(&mut world);
    assert_eq!(error_code(&signed(&mut world, &mut client)), 401);
}

#[test]
fn a_user_may_be_known_by_key_alone() {
    let key = stun_wire::long_term_key_md5("carol", "example.org", "sing");
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut world = World::with(|config| {
        config
            .credentials
            .add_key(
                &config.realm.clone(),
                "carol",
                UserKey::parse(&format!("0x{hex}")).unwrap(),
            )
            .unwrap();
    });
    Client::new(1000, "carol", "sing").allocate(&mut world);
}

#[test]
fn names_and_passwords_are_prepared_as_clients_prepare_them() {
    let realm = Realm::new("example.org").unwrap();
    let mut world = World::with(|config| {
        // Decomposed here, composed by the client: OpaqueString makes them one.
        config
            .credentials
            .add_user(&realm, "Jose\u{301}", "cafe\u{301}")
            .unwrap();
    });
    Client::new(1000, "Jos\u{e9}", "caf\u{e9}").allocate(&mut world);
}

/// THREATS 24: expiry is enforced on Allocate.
#[test]
fn an_expired_credential_allocates_nothing() {
    let mut world = World::new();
    let mut client = Client::minted(1000, "carol", BEGIN);
    client.learn_nonce(&mut world);
    let heard = signed(&mut world, &mut client);
    assert_eq!(error_code(&heard), 401);
    assert!(!heard.message().has_integrity(), "it reads like any other 401");
    assert_eq!(world.server.counters().auth_failures(AuthFailure::Expired), 1);
}

#[test]
fn a_live_allocation_may_outlive_its_credential() {
    let mut world = World::new();
    let mut client = Client::minted(1000, "carol", BEGIN + 10);
    client.allocate(&mut world);
    world.pass(60);
    assert_eq!(client.refresh(&mut world, 600).lifetime(), 600);
    assert_eq!(error_code(&client.permit(&mut world, "8.8.8.8:1")), 0);
    assert_eq!(client.refresh(&mut world, 0).lifetime(), 0);
}

#[test]
fn a_strict_server_refuses_refresh_after_expiry_but_never_a_farewell() {
    let mut world = World::with(|config| config.refresh_after_expiry = false);
    let mut client = Client::minted(1000, "carol", BEGIN + 10);
    client.allocate(&mut world);
    world.pass(60);
    assert_eq!(error_code(&client.refresh(&mut world, 600)), 401);
    assert_eq!(client.refresh(&mut world, 0).lifetime(), 0);
}

#[test]
fn another_users_requests_on_an_allocation_get_a_signed_441() {
    let mut world = World::new();
    Client::alice(1000).allocate(&mut world);
    let mut bob = Client::bob(1000);
    for heard in [
        bob.refresh(&mut world, 600),
        bob.refresh(&mut world, 0),
        bob.permit(&mut world, "8.8.8.8:1"),
        bob.bind(&mut world, 0x4000, "8.8.8.8:1"),
    ] {
        assert_eq!(error_code(&heard), 441);
        assert!(heard.is_signed_by(&bob));
    }
    assert_eq!(world.server.counters().auth_failures(AuthFailure::OtherUser), 4);
}

#[test]
fn another_user_with_a_wrong_password_gets_401_and_learns_of_no_allocation() {
    let mut world = World::new();
    Client::alice(1000).allocate(&mut world);
    let mut mallory = Client::new(1000, "bob", "wrong");
    assert_eq!(error_code(&mallory.refresh(&mut world, 600)), 401);
}

/// THREATS 8.
#[test]
fn attributes_after_the_signature_are_ignored() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    let append = |request: &mut Vec<u8>, attribute: &[u8]| {
        request.extend_from_slice(attribute);
        let length = (request.len() - 20) as u16;
        request[2..4].copy_from_slice(&length.to_be_bytes());
    };
    let mut refresh = client.request(Method::REFRESH, |_| ());
    append(&mut refresh, &[0, 0x0d, 0, 4, 0, 0, 0, 0]);
    assert_eq!(
        world.hear(client.five_tuple, &refresh).lifetime(),
        600,
        "LIFETIME 0 would have freed it"
    );

    let mut permission = client.request(Method::CREATE_PERMISSION, |_| ());
    append(
        &mut permission,
        &[0, 0x12, 0, 8, 0, 1, 0x21, 0x12, 0x29, 0x1a, 0xac, 0x4a],
    );
    assert_eq!(
        error_code(&world.hear(client.five_tuple, &permission)),
        400,
        "no XOR-PEER-ADDRESS was signed"
    );
}

#[test]
fn unknown_required_attributes_are_listed_in_a_signed_420() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let heard = client.ask(&mut world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.attribute(AttributeType(0x7f01), b"").unwrap();
        writer.attribute(AttributeType(0xff01), b"optional").unwrap();
        writer.attribute(AttributeType(0x7f02), b"").unwrap();
    });
    assert_eq!(error_code(&heard), 420);
    assert!(heard.is_signed_by(&client));
    let unknown: Vec<_> = heard.message().unknown_attributes().collect();
    assert_eq!(unknown, [AttributeType(0x7f01), AttributeType(0x7f02)]);
    assert!(world.sockets.is_empty());
}

#[test]
fn strangers_with_unknown_attributes_are_challenged_first() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let request = client.plain(Class::Request, Method::ALLOCATE, |writer| {
        writer.attribute(AttributeType(0x7f01), b"").unwrap();
    });
    assert_eq!(error_code(&world.hear(client.five_tuple, &request)), 401);
}

/// THREATS 15.
#[test]
fn names_full_of_quotes_formats_and_control_characters_are_only_names() {
    for id in [
        "'; DROP TABLE users; --",
        "%s%n",
        "a\r\nSet-Cookie: b",
        "nul\0nul",
        "\"\\",
        "渡り",
        "a:b:c",
    ] {
        let mut world = World::new();
        let mut client = Client::minted(1000, id, BEGIN + 60);
        client.allocate(&mut world);
        let named = world.take_outputs().into_iter().any(|output| {
            matches!(output, crate::Output::AllocationCreated { username, .. } if *username == *client.username)
        });
        assert!(named, "{id:?} comes out as it went in");
    }
}

#[test]
fn an_answer_carries_a_fingerprint_if_its_request_did() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let request = client.plain(Class::Request, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.fingerprint().unwrap();
    });
    assert_eq!(
        world
            .hear(client.five_tuple, &request)
            .message()
            .verify_fingerprint(),
        Some(true)
    );
    let mut damaged = request;
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(
        world.hear(client.five_tuple, &damaged),
        Heard::Dropped(DropReason::BadFingerprint)
    );
}
