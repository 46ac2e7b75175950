//! RFC 8489 §9.2 and §14.4: users who hide their names.

use stun_wire::{AttributeType, Class, Method};

use super::{client::udp, world::BEGIN, *};
use crate::{AuthFailure, Credentials, Output, Secret};

/// A server that knows everybody beforehand.
fn static_users() -> World {
    World::with(|config| {
        let realm = config.realm.clone();
        config.credentials = Credentials::default();
        config
            .credentials
            .add_user(&realm, "alice", "wonderland")
            .unwrap();
        config.credentials.add_user(&realm, "bob", "builder").unwrap();
    })
}

fn hidden(name: &str, password: &str, port: u16) -> Modern {
    Modern {
        hashes: true,
        ..Modern::new(port, name, password)
    }
}

fn cookie(world: &mut World) -> Vec<u8> {
    let heard = Modern::alice(999).learn_nonce(world);
    heard.message().nonce().unwrap()[..13].to_vec()
}

/// "The server MAY support anonymous username, in which case it MUST set the STUN Security Feature 'Username
/// anonymity' bit set to 1."
#[test]
fn anonymity_is_offered_where_every_user_is_known_beforehand() {
    assert_eq!(cookie(&mut static_users()), b"obMatJos2wAAA");
}

/// A client that sees the bit must use USERHASH, and the hash of a time-limited username tells us nothing.
#[test]
fn anonymity_is_not_offered_beside_a_shared_secret() {
    assert_eq!(cookie(&mut World::new()), b"obMatJos2gAAA");
    let mut nobody = World::with(|config| config.credentials = Credentials::default());
    assert_eq!(cookie(&mut nobody), b"obMatJos2gAAA");
}

#[test]
fn a_user_is_known_by_the_hash_of_his_name() {
    let mut world = static_users();
    let mut alice = hidden("alice", "wonderland", 1000);
    for method in [Method::ALLOCATE, Method::REFRESH] {
        let heard = alice.ask(&mut world, method, udp);
        alice.assert_granted(&heard);
        assert_eq!(heard.message().attribute(AttributeType::USERHASH), None);
    }
    let named = world
        .take_outputs()
        .into_iter()
        .any(|output| matches!(output, Output::AllocationCreated { username, .. } if *username == *"alice"));
    assert!(named, "quota and log know the name");
}

#[test]
fn a_name_and_its_hash_are_one_user() {
    let mut world = static_users();
    let mut alice = hidden("alice", "wonderland", 1000);
    alice.allocate(&mut world).relayed();
    alice.hashes = false;
    let heard = alice.refresh(&mut world, 600);
    alice.assert_granted(&heard);
    let mut bob = hidden("bob", "builder", 1000);
    let heard = bob.refresh(&mut world, 600);
    assert_eq!((error_code(&heard), bob.seals(&heard)), (441, (false, true)));
}

#[test]
fn a_client_with_message_integrity_alone_may_hide_its_name_too() {
    let mut world = static_users();
    let mut alice = Modern {
        key: stun_wire::PasswordAlgorithm::Md5,
        list: None,
        algorithm: None,
        signs: (true, false),
        ..hidden("alice", "wonderland", 1000)
    };
    let heard = alice.allocate(&mut world);
    assert_eq!((error_code(&heard), alice.seals(&heard)), (0, (true, false)));
}

/// "If the value of the USERNAME or USERHASH attribute is not valid, the server MUST generate an error response with
/// an error code of 401."
#[test]
fn an_unknown_hash_is_401() {
    let mut world = static_users();
    let heard = hidden("mallory", "x", 1000).allocate(&mut world);
    assert_eq!(error_code(&heard), 401);
    assert!(!heard.message().has_integrity_sha256());
    assert_eq!(world.server.counters().auth_failures(AuthFailure::UnknownUser), 1);
}

#[test]
fn a_time_limited_username_cannot_hide_itself() {
    let mut world = World::new();
    let credential = turn_credentials::mint(&Secret::new("north"), Some("carol"), BEGIN + 60);
    let mut carol = hidden(&credential.username, &credential.password, 1000);
    assert_eq!(error_code(&carol.allocate(&mut world)), 401);
    carol.hashes = false;
    let heard = carol.allocate(&mut world);
    carol.assert_granted(&heard);
}

/// Beside a secret nobody is asked to hide, but whoever does is found.
#[test]
fn a_static_user_is_known_by_hash_beside_a_shared_secret() {
    let mut alice = hidden("alice", "wonderland", 1000);
    let heard = alice.allocate(&mut World::new());
    alice.assert_granted(&heard);
}

#[test]
fn a_hash_of_another_length_is_a_bad_request() {
    let mut world = static_users();
    let mut alice = Client::alice(1000);
    let key = alice.key.clone();
    for len in [0, 31, 33] {
        let request = alice.write(Class::Request, Method::ALLOCATE, udp, |writer| {
            writer.zeros(AttributeType::USERHASH, len).unwrap();
            writer.text(AttributeType::REALM, "example.org").unwrap();
            writer.text(AttributeType::NONCE, "AAAA").unwrap();
            writer.integrity(&key).unwrap();
        });
        assert_eq!(error_code(&world.hear(alice.five_tuple, &request)), 400, "{len}");
    }
}

/// RFC 8489 does not say which one counts: the one that says more.
#[test]
fn beside_a_name_the_hash_is_passed_over() {
    let mut world = static_users();
    let mut alice = Client::alice(1000);
    alice.learn_nonce(&mut world);
    let request = alice.request(Method::ALLOCATE, |writer| {
        udp(writer);
        writer
            .attribute(
                AttributeType::USERHASH,
                &stun_wire::user_hash("bob", "example.org"),
            )
            .unwrap();
    });
    let heard = world.hear(alice.five_tuple, &request);
    assert_eq!(error_code(&heard), 0);
    assert!(heard.is_signed_by(&alice));
}
