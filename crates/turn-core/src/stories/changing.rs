//! What an operator changes while clients are served.

use std::{num::NonZeroU32, time::Duration};

use ipnet::IpNet;
use stun_wire::{AttributeType, Method};

use super::{
    client::{REALM, udp},
    world::BEGIN,
    *,
};
use crate::{
    AuthFailure, Credentials, DropReason, Lifetimes, Limits, PeerPolicy, Quota, QuotaLimits, Realm, Secret,
    UnauthorizedLimit, UserKey,
};

const PEER: &str = "8.8.8.8:53";
const EXPIRES: u64 = BEGIN + 3600;

/// Credentials with these users, and these secrets.
fn credentials(users: &[(&str, &str)], secrets: &[&str]) -> Credentials {
    let realm = Realm::new(REALM).unwrap();
    let mut credentials = Credentials::default();
    for (name, password) in users {
        credentials.add_user(&realm, name, password).unwrap();
    }
    for secret in secrets {
        credentials.add_secret(Secret::new(secret));
    }
    credentials
}

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn deny(world: &mut World, denied: &[&str]) {
    let policy = PeerPolicy::new(&[], &networks(denied));
    world.server.set_policy(world.now, policy);
    world.perform_outputs();
}

fn at_work(world: &mut World, mut client: Client) -> Client {
    client.allocate(world);
    assert_eq!(error_code(&client.bind(world, 0x4000, PEER)), 0);
    client
}

fn relays(world: &mut World, client: &Client) -> bool {
    matches!(client.send_by_channel(world, 0x4000, b"x"), Heard::Peer { .. })
}

#[test]
fn a_user_who_was_added_allocates_and_one_who_was_removed_does_not() {
    let mut world = World::new();
    let mut carol = Client::new(1000, "carol", "sunrise");
    assert_eq!(error_code(&carol.ask(&mut world, Method::ALLOCATE, udp)), 401);
    let added = credentials(&[("carol", "sunrise"), ("bob", "builder")], &["north"]);
    world.server.set_credentials(added, true);
    carol.allocate(&mut world);
    let mut alice = Client::alice(1001);
    assert_eq!(error_code(&alice.ask(&mut world, Method::ALLOCATE, udp)), 401);
}

#[test]
fn every_request_of_a_removed_user_is_401_and_his_allocation_relays_until_it_expires() {
    let mut world = World::new();
    let mut alice = at_work(&mut world, Client::alice(1000));
    let mut bob = at_work(&mut world, Client::bob(1001));
    world
        .server
        .set_credentials(credentials(&[("bob", "builder")], &["north"]), true);
    let answers = [
        alice.ask(&mut world, Method::ALLOCATE, udp),
        alice.refresh(&mut world, 600),
        alice.refresh(&mut world, 0),
        alice.permit(&mut world, PEER),
        alice.bind(&mut world, 0x4000, PEER),
    ];
    for heard in &answers {
        assert_eq!(error_code(heard), 401);
        assert!(heard.message().attribute(AttributeType::NONCE).is_some());
    }
    assert_eq!(
        world.server.counters().auth_failures(AuthFailure::Withdrawn),
        answers.len() as u64
    );
    assert!(relays(&mut world, &alice));
    world.pass(300);
    assert_eq!(error_code(&bob.refresh(&mut world, 600)), 0);
    world.pass(300);
    let heard = alice.send_by_channel(&mut world, 0x4000, b"late");
    assert_eq!(heard, Heard::Dropped(DropReason::NoAllocation));
    assert_eq!(world.ports_in_use(), 1, "bob's");
}

#[test]
fn after_a_change_of_password_the_new_one_refreshes_the_allocation_and_the_old_one_does_not() {
    let mut world = World::new();
    let mut alice = at_work(&mut world, Client::alice(1000));
    world
        .server
        .set_credentials(credentials(&[("alice", "looking-glass")], &["north"]), true);
    assert_eq!(error_code(&alice.refresh(&mut world, 600)), 401);
    alice.key = Client::new(1000, "alice", "looking-glass").key;
    for _ in 0..2 {
        let heard = alice.refresh(&mut world, 600);
        assert_eq!(error_code(&heard), 0);
        assert!(heard.is_signed_by(&alice));
    }
    alice.key = Client::alice(1000).key;
    assert_eq!(error_code(&alice.refresh(&mut world, 600)), 401);
}

#[test]
fn a_secret_is_changed_without_a_gap_while_both_are_there() {
    let mut world = World::new();
    let mut carol = at_work(&mut world, Client::minted(1000, "carol", EXPIRES));
    world
        .server
        .set_credentials(credentials(&[], &["south", "north"]), true);
    assert_eq!(error_code(&carol.refresh(&mut world, 600)), 0);
    world.server.set_credentials(credentials(&[], &["south"]), true);
    assert_eq!(error_code(&carol.refresh(&mut world, 600)), 401);
    assert!(relays(&mut world, &carol));
}

#[test]
fn whether_an_expired_credential_refreshes_changes_with_the_credentials() {
    let mut world = World::new();
    let mut carol = at_work(&mut world, Client::minted(1000, "carol", BEGIN + 60));
    world.pass(61);
    world.server.set_credentials(credentials(&[], &["north"]), true);
    assert_eq!(error_code(&carol.refresh(&mut world, 600)), 0);
    world.server.set_credentials(credentials(&[], &["north"]), false);
    assert_eq!(error_code(&carol.refresh(&mut world, 600)), 401);
}

#[test]
fn who_has_a_nonce_from_before_the_change_goes_on_with_it() {
    let mut world = World::new();
    let mut alice = at_work(&mut world, Client::alice(1000));
    let all = credentials(&[("alice", "wonderland"), ("carol", "sunrise")], &["north"]);
    world.server.set_credentials(all, true);
    assert_eq!(error_code(&alice.refresh(&mut world, 600)), 0);
}

/// The server has no secret any more, and so offers that users hide their names: in its nonces.
#[test]
fn a_nonce_that_told_of_other_features_is_stale() {
    let mut world = World::new();
    let mut alice = at_work(&mut world, Client::alice(1000));
    let static_users = credentials(&[("alice", "wonderland")], &[]);
    world.server.set_credentials(static_users, true);
    let heard = alice.refresh(&mut world, 600);
    assert_eq!(error_code(&heard), 438);
    alice.nonce = heard.message().nonce().unwrap().to_vec();
    assert_eq!(error_code(&alice.refresh(&mut world, 600)), 0);
}

/// The list that he brings back is not the one there is now, but nobody changed it on the way.
#[test]
fn who_was_offered_other_algorithms_before_the_change_hears_438_and_the_new_list() {
    let mut world = World::new();
    let mut alice = Modern::alice(1000);
    let granted = alice.allocate(&mut world);
    alice.assert_granted(&granted);
    let realm = Realm::new(REALM).unwrap();
    let mut old_style = credentials(&[("alice", "wonderland")], &[]);
    old_style
        .add_key(&realm, "dave", UserKey::new([7; 16], None))
        .unwrap();
    world.server.set_credentials(old_style.clone(), true);
    world.server.set_credentials(old_style, true);
    let heard = alice.ask(&mut world, Method::REFRESH, |_| ());
    assert_eq!(error_code(&heard), 438);
    let list = heard.message().attribute(AttributeType::PASSWORD_ALGORITHMS);
    assert_eq!(list, Some(&[0, 1, 0, 0][..]), "MD5 alone");
}

#[test]
fn a_peer_that_is_denied_hears_nothing_more_and_is_not_heard() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    client.bind(&mut world, 0x4000, PEER);
    client.permit(&mut world, "8.8.4.4:53");
    deny(&mut world, &["8.8.8.0/24"]);
    let forbidden = Heard::Dropped(DropReason::PeerForbidden);
    assert_eq!(client.send_by_channel(&mut world, 0x4000, b"x"), forbidden);
    assert_eq!(client.send(&mut world, PEER, b"x"), forbidden);
    assert_eq!(world.hear_peer(relayed, socket(PEER), b"x"), forbidden);
    assert_eq!(error_code(&client.permit(&mut world, PEER)), 403);
    assert_eq!(error_code(&client.bind(&mut world, 0x4000, PEER)), 403);
    let other = client.send(&mut world, "8.8.4.4:53", b"x");
    assert!(matches!(other, Heard::Peer { .. }), "{other:?}");
}

#[test]
fn a_peer_that_is_opened_again_is_reached_without_another_request() {
    let mut world = World::new();
    let client = at_work(&mut world, Client::alice(1000));
    deny(&mut world, &["8.8.8.8/32"]);
    assert!(!relays(&mut world, &client));
    deny(&mut world, &[]);
    assert!(relays(&mut world, &client));
}

/// What was narrowed for another reason would be wide again.
#[test]
fn under_the_policy_that_there_is_nobody_is_judged_anew() {
    let mut world = World::new();
    let client = at_work(&mut world, Client::alice(1000));
    world.server.set_host_addresses(vec![socket(PEER).ip()]);
    world.server.set_host_addresses(Vec::new());
    let policy = world.server.config.policy.clone();
    world.server.set_policy(world.now, policy);
    assert!(!relays(&mut world, &client));
    deny(&mut world, &["192.0.2.0/24"]);
    assert!(relays(&mut world, &client));
}

#[test]
fn relays_of_this_server_reach_each_other_under_any_policy() {
    let mut world = World::new();
    let mut alice = Client::alice(1000);
    let mut bob = Client::bob(1001);
    let (at_alice, at_bob) = (alice.allocate(&mut world), bob.allocate(&mut world));
    assert_eq!(error_code(&alice.permit(&mut world, &at_bob.to_string())), 0);
    assert_eq!(error_code(&bob.permit(&mut world, &at_alice.to_string())), 0);
    deny(&mut world, &["0.0.0.0/0"]);
    let heard = alice.send(&mut world, &at_bob.to_string(), b"x");
    assert!(
        matches!(heard, Heard::Client(to, _) if to == bob.five_tuple),
        "{heard:?}"
    );
}

#[test]
fn lifetimes_are_granted_as_they_are_now_and_what_was_granted_stays() {
    let mut world = World::new();
    let mut alice = Client::alice(1000);
    alice.allocate(&mut world);
    let minute = Lifetimes::new(Duration::from_secs(60), Duration::from_secs(120)).unwrap();
    world.server.set_lifetimes(minute, Duration::from_secs(30));
    world.pass(20);
    let mut bob = Client::bob(1001);
    assert_eq!(bob.ask(&mut world, Method::ALLOCATE, udp).lifetime(), 60);
    world.pass(20);
    assert_eq!(
        error_code(&alice.refresh(&mut world, 600)),
        438,
        "his nonce is 40 s old"
    );
    world.pass(40);
    assert_eq!(world.ports_in_use(), 1, "that of alice, who has ten minutes");
    alice.learn_nonce(&mut world);
    assert_eq!(alice.refresh(&mut world, 600).lifetime(), 120);
}

#[test]
fn limits_that_are_lowered_leave_what_is_there_and_refuse_the_next() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    for peer in ["8.8.8.1:1", "8.8.8.2:1", "8.8.8.3:1"] {
        assert_eq!(error_code(&client.permit(&mut world, peer)), 0);
    }
    let two = Limits {
        permissions_per_allocation: 2,
        channels_per_allocation: 1,
        ..Limits::default()
    };
    world.server.set_limits(two, None);
    assert_eq!(error_code(&client.permit(&mut world, "8.8.8.4:1")), 508);
    assert_eq!(
        error_code(&client.permit(&mut world, "8.8.8.3:1")),
        0,
        "a refresh"
    );
    assert_eq!(error_code(&client.bind(&mut world, 0x4000, "8.8.8.1:1")), 0);
    assert_eq!(error_code(&client.bind(&mut world, 0x4001, "8.8.8.2:1")), 508);
}

#[test]
fn the_limit_of_challenges_is_lifted_and_set_while_clients_come() {
    let limit = |n| UnauthorizedLimit {
        per_second: NonZeroU32::new(n).unwrap(),
        burst: NonZeroU32::new(n).unwrap(),
    };
    let mut world = World::with(|config| config.unauthorized_limit = Some(limit(2)));
    let answered = |world: &mut World| {
        let heard = (0..9).map(|port| {
            let mut client = Client::alice(2000 + port);
            let first = client.plain(stun_wire::Class::Request, Method::ALLOCATE, udp);
            world.hear(client.five_tuple, &first)
        });
        heard.filter(|heard| matches!(heard, Heard::Client(..))).count()
    };
    assert_eq!(answered(&mut world), 2);
    world.server.set_limits(Limits::default(), None);
    assert_eq!(answered(&mut world), 9);
    world.server.set_limits(Limits::default(), Some(limit(3)));
    assert_eq!(answered(&mut world), 3);
    world.pass(60);
    world.server.set_limits(Limits::default(), Some(limit(5)));
    assert_eq!(answered(&mut world), 5);
}

#[test]
fn a_quota_that_is_lowered_counts_what_is_there() {
    use crate::{Account, Ledger as _, LedgerFull};
    let one = |n| QuotaLimits {
        per_user: NonZeroU32::new(n).unwrap(),
        ..QuotaLimits::default()
    };
    let mut quota = Quota::new(one(3));
    let alice = Account::User("alice");
    for _ in 0..3 {
        quota.reserve(alice).unwrap();
    }
    quota.set_limits(one(2));
    quota.release(alice);
    assert_eq!(quota.reserve(alice), Err(LedgerFull::User));
    quota.release(alice);
    assert_eq!(quota.reserve(alice), Ok(()));
    quota.set_limits(one(3));
    assert_eq!(quota.reserve(alice), Ok(()));
}
