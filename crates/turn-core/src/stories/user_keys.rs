//! Users whose keys are known in place of their passwords, and which of a user's keys counts when.

use stun_wire::{AttributeType, IntegrityKey, IntegrityKeySha256, Method, PasswordAlgorithm};

use super::{
    client::{REALM, udp},
    modern::MD5,
    *,
};
use crate::UserKey;

/// What a user lacks the key for is offered to nobody: a challenge does not know yet who will answer it.
#[test]
fn with_a_user_known_by_md5_alone_only_md5_is_offered() {
    let md5 = stun_wire::long_term_key_md5("carol", REALM, "sing");
    let key = UserKey::new(md5, None);
    let mut world = World::with(|config| {
        let realm = config.realm.clone();
        config.credentials.add_key(&realm, "carol", key.clone()).unwrap();
    });
    let mut carol = Modern {
        key: PasswordAlgorithm::Md5,
        list: Some(MD5.to_vec()),
        algorithm: Some(MD5.to_vec()),
        ..Modern::new(1000, "carol", "sing")
    };
    let challenge = carol.learn_nonce(&mut world);
    let list = challenge.message().attribute(AttributeType::PASSWORD_ALGORITHMS);
    assert_eq!(list, Some(&MD5[..]));
    let heard = carol.allocate(&mut world);
    carol.assert_granted(&heard);
    assert_eq!(error_code(&Modern::alice(1001).allocate(&mut world)), 400);
}

#[test]
fn a_user_known_by_both_keys_may_use_either() {
    let md5 = stun_wire::long_term_key_md5("carol", REALM, "sing");
    let sha256 = stun_wire::long_term_key_sha256("carol", REALM, "sing");
    let mut world = World::with(|config| {
        let realm = config.realm.clone();
        let key = UserKey::new(md5, Some(sha256));
        config
            .credentials
            .add_key(&realm, "carol", UserKey::new(md5, None))
            .unwrap();
        config.credentials.add_key(&realm, "carol", key).unwrap();
    });
    let mut carol = Modern::new(1000, "carol", "sing");
    let heard = carol.allocate(&mut world);
    carol.assert_granted(&heard);
    Client::new(1001, "carol", "sing").allocate(&mut world);
}

/// The kept key is of one algorithm; the next request may use the other.
#[test]
fn a_client_may_change_its_scheme_during_an_allocation() {
    let mut world = World::new();
    let mut modern = Modern::alice(1000);
    modern.allocate(&mut world);
    let mut plain = Client::alice(1000);
    plain.nonce = modern.client.nonce.clone();
    let heard = plain.refresh(&mut world, 600);
    assert!(heard.is_signed_by(&plain) && !heard.message().has_integrity_sha256());
    let heard = modern.refresh(&mut world, 0);
    modern.assert_granted(&heard);
}

/// No two schemes share a key by accident: each is refused under the key of each other.
#[test]
fn the_keys_of_the_schemes_differ() {
    let mut world = World::new();
    let mut alice = Modern::alice(1000);
    alice.learn_nonce(&mut world);
    let md5 = stun_wire::long_term_key_md5("alice", REALM, "wonderland");
    let keys = (IntegrityKey::new(&md5), IntegrityKeySha256::new(&md5));
    let request = alice.request_under(&keys, Method::ALLOCATE, udp);
    assert_eq!(error_code(&world.hear(alice.client.five_tuple, &request)), 401);
}
