//! Time-limited usernames that are taken back before they expire.

use std::{sync::Arc, time::Duration};

use stun_wire::{AttributeType, Method};

use super::{
    client::{Client, REALM, udp},
    world::{BEGIN, Heard, World, error_code},
};
use crate::{
    AuthFailure, Credentials, DropReason, EndReason, Output, Realm, RevokeError, revoked::MAX_REVOKED,
};

const EXPIRES: u64 = BEGIN + 3600;
const PEER: &str = "8.8.8.8:53";

fn revoke(world: &mut World, username: &str) -> Result<(), RevokeError> {
    let done = world.server.revoke(world.now, &Arc::from(username));
    world.perform_outputs();
    done
}

/// A client with an allocation, a permission and a channel.
fn client_at_work(world: &mut World, port: u16, id: &str) -> Client {
    let mut client = Client::minted(port, id, EXPIRES);
    client.allocate(world);
    assert_eq!(error_code(&client.bind(world, 0x4000, PEER)), 0);
    client
}

#[test]
fn a_revoked_username_loses_its_allocations_and_nobody_else_does() {
    let mut world = World::new();
    let carol = client_at_work(&mut world, 1000, "carol");
    let again = client_at_work(&mut world, 1001, "carol");
    let dave = client_at_work(&mut world, 1002, "dave");
    world.take_outputs();
    revoke(&mut world, &carol.username).unwrap();
    let outputs = world.take_outputs();
    let ended = outputs.iter().filter(|output| {
        let Output::AllocationEnded { username, reason, .. } = output else {
            return false;
        };
        assert_eq!((&**username, *reason), (&*carol.username, EndReason::Revoked));
        true
    });
    assert_eq!(ended.count(), 2);
    for client in [&carol, &again] {
        let heard = client.send_by_channel(&mut world, 0x4000, b"late");
        assert_eq!(heard, Heard::Dropped(DropReason::NoAllocation));
    }
    let heard = dave.send_by_channel(&mut world, 0x4000, b"on time");
    assert!(matches!(heard, Heard::Peer { .. }), "{heard:?}");
    assert_eq!(world.ports_in_use(), 1);
}

#[test]
fn every_request_of_a_revoked_username_is_answered_401_with_a_challenge() {
    let mut world = World::new();
    let mut carol = client_at_work(&mut world, 1000, "carol");
    revoke(&mut world, &carol.username).unwrap();
    let answers = [
        carol.ask(&mut world, Method::ALLOCATE, udp),
        carol.refresh(&mut world, 600),
        carol.refresh(&mut world, 0),
        carol.permit(&mut world, PEER),
        carol.bind(&mut world, 0x4000, PEER),
    ];
    for heard in &answers {
        assert_eq!(error_code(heard), 401);
        assert!(heard.message().attribute(AttributeType::NONCE).is_some());
    }
    assert_eq!(
        world.server.counters().auth_failures(AuthFailure::Revoked),
        answers.len() as u64
    );
}

#[test]
fn another_credential_of_the_same_id_is_good() {
    let mut world = World::new();
    let carol = client_at_work(&mut world, 1000, "carol");
    revoke(&mut world, &carol.username).unwrap();
    Client::minted(1000, "carol", EXPIRES + 1).allocate(&mut world);
}

#[test]
fn who_does_not_know_the_password_does_not_learn_what_was_revoked() {
    let mut world = World::new();
    revoke(&mut world, &Client::minted(1000, "carol", EXPIRES).username).unwrap();
    let mut guess = |id: &str| {
        let name = Client::minted(1000, id, EXPIRES).username;
        let mut client = Client::new(1000, &name, "wrong");
        client.ask(&mut world, Method::ALLOCATE, udp)
    };
    assert_eq!(guess("carol"), guess("dave"));
}

#[test]
fn an_allocation_whose_relay_is_not_open_yet_ends_too() {
    let mut world = World::new();
    world.slow = true;
    let mut carol = Client::minted(1000, "carol", EXPIRES);
    assert_eq!(carol.ask(&mut world, Method::ALLOCATE, udp), Heard::Pending);
    revoke(&mut world, &carol.username).unwrap();
    let relay = world.unanswered[0];
    assert_eq!(world.opened(relay, Ok(())), None, "the client is told nothing");
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn an_allocation_that_outlives_its_username_ends_when_that_is_revoked() {
    let mut world = World::with(|config| config.refresh_after_expiry = true);
    let mut carol = Client::minted(1000, "carol", BEGIN + 60);
    carol.allocate(&mut world);
    world.pass(100);
    assert_eq!(error_code(&carol.refresh(&mut world, 600)), 0);
    revoke(&mut world, &carol.username).unwrap();
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn only_time_limited_usernames_can_be_revoked() {
    let mut world = World::new();
    let mut alice = Client::alice(1000);
    alice.allocate(&mut world);
    let long = format!("{EXPIRES}:{}", "x".repeat(508));
    for name in ["alice", "", ":", "carol", &long] {
        assert_eq!(
            revoke(&mut world, name),
            Err(RevokeError::NotTimeLimited),
            "{name}"
        );
    }
    assert_eq!(error_code(&alice.refresh(&mut world, 600)), 0);
}

#[test]
fn what_would_have_to_be_kept_for_ever_is_not_revoked() {
    let mut world = World::new();
    let lasting = ["99999999999:1", "18446744073709551615:2", "carol:99999999999"];
    for name in lasting {
        assert_eq!(revoke(&mut world, name), Err(RevokeError::TooLasting), "{name}");
    }
    let month = BEGIN + turn_credentials::MAX_LIFETIME;
    revoke(&mut world, &format!("{month}:carol")).unwrap();
    assert_eq!(world.server.revoked.len(), 1);
}

#[test]
fn a_static_user_whose_name_looks_time_limited_is_not_meant() {
    let name = format!("{EXPIRES}:carol");
    let mut world = World::with(|config| {
        let realm = Realm::new(REALM).unwrap();
        config.credentials.add_user(&realm, &name, "fixed").unwrap();
    });
    let mut client = Client::new(1000, &name, "fixed");
    client.allocate(&mut world);
    revoke(&mut world, &name).unwrap();
    assert_eq!(error_code(&client.refresh(&mut world, 600)), 0);
}

#[test]
fn without_a_shared_secret_there_is_nothing_to_revoke() {
    let mut world = World::with(|config| config.credentials = Credentials::default());
    let refused = revoke(&mut world, &format!("{EXPIRES}:carol"));
    assert_eq!(refused, Err(RevokeError::NotTimeLimited));
}

#[test]
fn revoked_usernames_are_kept_until_they_expire_and_no_more_than_so_many() {
    let mut world = World::new();
    for number in 0..MAX_REVOKED {
        let name = format!("{EXPIRES}:{number}");
        world.server.revoke(world.now, &Arc::from(name)).unwrap();
    }
    let name = |id: &str| format!("{}:{id}", EXPIRES + 10);
    assert_eq!(revoke(&mut world, &name("one more")), Err(RevokeError::TooMany));
    revoke(&mut world, &format!("{EXPIRES}:0")).unwrap();
    revoke(&mut world, &format!("{BEGIN}:expired")).unwrap();
    world.now.unix = Duration::from_secs(EXPIRES);
    revoke(&mut world, &name("one more")).unwrap();
    assert_eq!(world.server.revoked.len(), 1);
}

#[test]
fn the_relays_of_a_revoked_username_are_closed() {
    let mut world = World::new();
    let mut carol = Client::minted(1000, "carol", EXPIRES);
    let relayed = carol.allocate(&mut world);
    carol.permit(&mut world, PEER);
    let relay = world.relay_at(relayed);
    revoke(&mut world, &carol.username).unwrap();
    assert!(!world.sockets.contains_key(&relay), "its socket is closed");
}
