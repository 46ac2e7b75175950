//! After the last lifetime: nothing is left, and every port can be had again.

use std::net::SocketAddr;

use rand::SeedableRng;
use rand::rngs::StdRng;
use stun_wire::{AttributeType, IntegrityKey, Message, TransactionId, long_term_key_md5};
use turn_core::{DropReason, Family, Now, Secret, Transport};
use turn_credentials::mint;

use crate::client::SECRET;
use crate::machine::Machine;
use crate::plan::{LISTEN_PORT, Plan, SERVER, ip};
use crate::request::{Ask, Key, Relay, Session};

pub(crate) fn assert_everything_is_free(machine: &Machine) {
    assert!(
        !machine.is_busy(),
        "relay sockets are left open, or a request unanswered"
    );
    for worker in &machine.workers {
        let counters = worker.counters();
        assert_eq!(counters.relay_ports_in_use, 0);
        assert_eq!(
            Family::ALL.map(|family| counters.allocations(Transport::Udp, family)),
            [0, 0]
        );
        assert_eq!(worker.poll_timeout(), None, "something still waits for its end");
    }
    assert_eq!(
        machine.shared.whereabouts.len(),
        (0, 0),
        "the directory still knows something"
    );
    let quota = machine.shared.quota.lock().unwrap();
    assert_eq!(
        (quota.total(), quota.users(), quota.reservations()),
        (0, 0, 0),
        "the quota still counts something"
    );
    let tally = &machine.tally;
    assert_eq!(tally.created, tally.ended, "allocations created and ended");
    let dropped: u64 = machine.workers.iter().map(all_drops).sum();
    assert_eq!(
        dropped, tally.dropped,
        "each drop is counted once, under its reason"
    );
}

fn all_drops(worker: &turn_core::Server) -> u64 {
    DropReason::ALL
        .iter()
        .map(|reason| worker.counters().dropped(*reason))
        .sum()
}

/// Allocates until every worker says 508: as many ports as there were in the beginning.
pub(crate) fn take_every_port(machine: &mut Machine, plan: &Plan, now: Now) {
    let capacity = usize::from(plan.ports.1 - plan.ports.0 + 1);
    if capacity > 8 || plan.opening_fails > 0.0 || !plan.opening.is_zero() {
        return; // long, or not to be counted
    }
    let mut rng = StdRng::seed_from_u64(1);
    let (mut granted, mut refused) = (0, vec![false; machine.workers.len()]);
    for index in 0..=u16::MAX {
        let client = SocketAddr::new(ip("95.0.0.1"), 10_000 + index);
        if refused[machine.worker_for(client)] {
            continue;
        }
        match allocate(machine, &mut rng, now, client, &format!("late user {index}")) {
            Ok(()) => granted += 1,
            Err(508) => refused[machine.worker_for(client)] = true,
            Err(code) => panic!("{code} instead of a relay"),
        }
        if refused.iter().all(|refused| *refused) {
            break;
        }
    }
    assert_eq!(granted, capacity, "ports that can be had after everything ended");
}

/// Two requests and two answers without a network between.
fn allocate(
    machine: &mut Machine,
    rng: &mut StdRng,
    now: Now,
    client: SocketAddr,
    user: &str,
) -> Result<(), u16> {
    let server = SocketAddr::new(ip(SERVER[0]), LISTEN_PORT);
    let ask = Ask::Allocate {
        lifetime: None,
        relay: Relay::Any,
        mobile: false,
    };
    let mut exchange = |request: &[u8]| -> Vec<u8> {
        let mut emissions = machine.receive(now, rng, client, server, request);
        assert_eq!(emissions.len(), 1, "one answer");
        emissions.remove(0).payload
    };
    let challenge = exchange(&ask.write(TransactionId([1; 12]), None));
    let challenge = Message::parse(&challenge).unwrap();
    let credential = mint(&Secret::new(SECRET), Some(user), now.unix.as_secs() + 60);
    let realm = challenge.realm().unwrap().unwrap().to_owned();
    let key = IntegrityKey::new(&long_term_key_md5(
        &credential.username,
        &realm,
        &credential.password,
    ));
    let nonce = challenge.nonce().unwrap().to_vec();
    let session = Session {
        username: credential.username,
        realm,
        nonce,
        key: Key::Md5(key),
        token: None,
    };
    let answer = exchange(&ask.write(TransactionId([2; 12]), Some(&session)));
    let answer = Message::parse(&answer).unwrap();
    if let Some(code) = answer.error_code() {
        return Err(code.unwrap().code);
    }
    assert!(answer.attribute(AttributeType::XOR_RELAYED_ADDRESS).is_some());
    Ok(())
}
