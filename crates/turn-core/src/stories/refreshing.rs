//! RFC 8656 §8: longer lives and prompt ends.

use std::time::Duration;

use stun_wire::{AttributeType, Method};

use super::*;
use crate::{DropReason, EndReason, Family, Output, Transport};

#[test]
fn refresh_grants_what_allocate_would() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    for (asked, granted) in [(1, 600), (1000, 1000), (u32::MAX, 3600)] {
        let heard = client.refresh(&mut world, asked);
        assert_eq!(heard.lifetime(), granted);
        assert!(heard.is_signed_by(&client));
    }
    assert_eq!(client.ask(&mut world, Method::REFRESH, |_| ()).lifetime(), 600);
}

#[test]
fn an_allocation_lives_exactly_as_long_as_granted() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    world.pass(599);
    assert_eq!(world.sockets.len(), 1);
    world.pass(1);
    assert_eq!(world.sockets.len(), 0);
    assert_eq!(error_code(&client.refresh(&mut world, 600)), 437);
    assert_eq!(
        world.server.counters().durations.counts()[4],
        1,
        "between 300 and 600 seconds"
    );
    assert_eq!(world.server.poll_timeout(), None);
}

#[test]
fn a_shorter_refresh_ends_an_allocation_earlier() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    client.refresh(&mut world, 3600);
    client.refresh(&mut world, 700);
    world.pass(699);
    assert_eq!(world.sockets.len(), 1);
    world.pass(1);
    assert_eq!(world.sockets.len(), 0);
}

#[test]
fn refreshes_of_any_length_leave_few_deadlines() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    for round in 0..500 {
        client.refresh(&mut world, if round % 2 == 0 { 3600 } else { 600 });
        world.pass(599);
        client.nonce.clear();
    }
    assert_eq!(world.sockets.len(), 1);
}

#[test]
fn refresh_with_zero_lifetime_frees_the_port_at_once() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    client.bind(&mut world, 0x4000, "8.8.8.8:1");
    world.take_outputs();
    assert_eq!(client.refresh(&mut world, 0).lifetime(), 0);
    let outputs = world.take_outputs();
    let ended = Output::AllocationEnded {
        five_tuple: client.five_tuple,
        username: "alice".into(),
        reason: EndReason::Freed,
        created_at: world.now.instant,
    };
    assert!(
        matches!(&outputs[..], [Output::CloseRelay { .. }, end] if *end == ended),
        "{outputs:?}"
    );
    assert_eq!(world.ports_in_use(), 0);
    assert_eq!(
        client.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::NoAllocation)
    );
}

#[test]
fn a_retransmit_of_the_farewell_still_gets_its_answer_for_a_while() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    let farewell = client.request(Method::REFRESH, |writer| {
        writer.u32(AttributeType::LIFETIME, 0).unwrap();
    });
    let first = world.hear(client.five_tuple, &farewell);
    world.pass(39);
    assert_eq!(world.hear(client.five_tuple, &farewell), first);
    world.pass(1);
    assert_eq!(error_code(&world.hear(client.five_tuple, &farewell)), 437);
    assert_eq!(
        error_code(&client.refresh(&mut world, 0)),
        437,
        "another transaction never freed anything"
    );
}

#[test]
fn the_five_tuple_is_free_for_a_new_allocation_after_the_farewell() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    client.refresh(&mut world, 0);
    client.allocate(&mut world);
}

#[test]
fn refresh_without_an_allocation_is_a_signed_mismatch() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let heard = client.refresh(&mut world, 600);
    assert_eq!(error_code(&heard), 437);
    assert!(heard.is_signed_by(&client));
}

#[test]
fn nothing_expired_is_used_while_the_timer_is_late() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    world.pass(301);
    client.bind(&mut world, 0x4000, "8.8.8.8:1");
    world.pass_without_timers(299);
    assert_eq!(
        client.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::NoRelay)
    );
    assert_eq!(
        world.hear_peer(relayed, socket("8.8.8.8:1"), b"x"),
        Heard::Dropped(DropReason::NoRelay)
    );
    assert_eq!(error_code(&client.permit(&mut world, "8.8.8.8:1")), 437);
}

#[test]
fn a_mass_expiry_is_handled_in_slices() {
    let mut world = World::with(|config| config.ports = crate::PortRange::default());
    for port in 0..600_u16 {
        Client::minted(1000 + port, &port.to_string(), u64::MAX).allocate(&mut world);
    }
    world.pass_without_timers(600);
    let mut left = vec![600];
    while world
        .server
        .poll_timeout()
        .is_some_and(|at| at <= world.now.instant)
    {
        world.server.handle_timeout(world.now);
        left.push(world.server.counters().allocations(Transport::Udp, Family::V4));
    }
    assert_eq!(left, [600, 344, 88, 0]);
    assert_eq!(
        world.now.instant - crate::testing::start(),
        Duration::from_secs(600)
    );
}

#[test]
fn a_malformed_lifetime_is_a_bad_request() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    let heard = client.ask(&mut world, Method::REFRESH, |writer| {
        writer.attribute(AttributeType::LIFETIME, &[0; 3]).unwrap();
    });
    assert_eq!(error_code(&heard), 400);
}
