//! Clients whose TCP or TLS connection broke.

use std::num::NonZeroU32;

use super::*;
use crate::{DropReason, EndReason, OpenError, Output, Quota, QuotaLimits, Transport};

/// alice over TCP, with a ticket and a channel; she may have one allocation.
fn settled_over_tcp() -> (World, Client, SocketAddr, Vec<u8>) {
    let limits = QuotaLimits {
        per_user: NonZeroU32::MIN,
        total: NonZeroU32::MIN,
        ..QuotaLimits::default()
    };
    let mut world = World::with_ledger(Quota::new(limits), mobile);
    let mut alice = Client::alice(1000).over(Transport::Tcp);
    let heard = alice.ask(&mut world, Method::ALLOCATE, wish);
    alice.bind(&mut world, 0x4000, PEER);
    world.take_outputs();
    (world, alice, heard.relayed(), ticket(&heard))
}

fn reconnected(client: &Client, port: u16) -> Client {
    moved(client, port).over(Transport::Tcp)
}

/// THREATS 20: what is held counts.
#[test]
fn the_allocation_of_a_broken_connection_is_held_until_its_time_is_over() {
    let (mut world, alice, relayed, _) = settled_over_tcp();
    world.disconnect(alice.five_tuple);
    assert_eq!(world.take_outputs(), []);
    let heard = world.hear_peer(relayed, socket(PEER), b"x");
    assert_eq!(heard, Heard::Dropped(DropReason::ClientAway));
    assert_eq!(world.server.counters().dropped(DropReason::ClientAway), 1);
    let mut again = reconnected(&alice, 2000);
    let refused = again.ask(&mut world, Method::ALLOCATE, udp);
    assert_eq!(error_code(&refused), 508, "the quota of all is used up");
    world.pass(600);
    assert!(matches!(
        world.take_outputs()[..],
        [
            Output::CloseRelay { .. },
            Output::AllocationEnded {
                reason: EndReason::Expired,
                ..
            }
        ]
    ));
    again.allocate(&mut world);
}

#[test]
fn who_comes_back_from_a_broken_connection_is_there_at_once() {
    let (mut world, alice, relayed, first) = settled_over_tcp();
    world.disconnect(alice.five_tuple);
    let mut there = reconnected(&alice, 2000);
    let second = ticket(&redeem(&mut world, &mut there, &first));
    assert_eq!(whereabouts(&mut world, relayed), there.five_tuple);
    world.disconnect(there.five_tuple);
    let mut over_udp = moved(&alice, 3000);
    over_udp.five_tuple = Client::alice(3000).five_tuple;
    ticket(&redeem(&mut world, &mut over_udp, &second));
    assert_eq!(whereabouts(&mut world, relayed), over_udp.five_tuple);
}

/// §3.2.2: "a message from the client to close the old connection".
#[test]
fn the_end_of_the_old_connection_moves_a_client_that_announced_itself() {
    let (mut world, alice, relayed, first) = settled_over_tcp();
    let mut there = reconnected(&alice, 2000);
    redeem(&mut world, &mut there, &first);
    assert_eq!(whereabouts(&mut world, relayed), alice.five_tuple);
    world.disconnect(alice.five_tuple);
    assert_eq!(whereabouts(&mut world, relayed), there.five_tuple);
}

#[test]
fn the_end_of_the_new_connection_leaves_a_client_where_it_was() {
    let (mut world, alice, relayed, first) = settled_over_tcp();
    let mut there = reconnected(&alice, 2000);
    let second = ticket(&redeem(&mut world, &mut there, &first));
    world.disconnect(there.five_tuple);
    assert_eq!(whereabouts(&mut world, relayed), alice.five_tuple);
    ticket(&redeem(&mut world, &mut reconnected(&alice, 3000), &second));
}

#[test]
fn who_leaves_before_the_allocate_is_answered_has_no_ticket_to_come_back_with() {
    for result in [Ok(()), Err(OpenError::Other)] {
        let mut world = World::with(mobile);
        world.slow = true;
        let mut alice = Client::alice(1000).over(Transport::Tcp);
        alice.ask(&mut world, Method::ALLOCATE, wish);
        world.disconnect(alice.five_tuple);
        let relay = world.unanswered[0];
        world.opened(relay, result);
        assert_eq!(world.ports_in_use(), 0);
    }
}
