//! RFC 8016: clients that change their address and keep their allocation.

use std::{net::SocketAddr, num::NonZeroU32};

use stun_wire::{AttributeType, Method};

use super::{client::udp, modern::Modern, *};
use crate::{Config, DropReason, EndReason, FiveTuple, OpenError, Output, Quota, QuotaLimits, Transport};

const PEER: &str = "8.8.8.8:53";

pub(super) fn mobile(config: &mut Config) {
    config.mobility = true;
}

/// An Allocate that asks for a ticket.
pub(super) fn wish(writer: &mut stun_wire::MessageWriter<'_>) {
    udp(writer);
    writer.attribute(AttributeType::MOBILITY_TICKET, b"").unwrap();
}

#[track_caller]
pub(super) fn ticket(heard: &Heard) -> Vec<u8> {
    assert_eq!(error_code(heard), 0);
    let ticket = heard.message().attribute(AttributeType::MOBILITY_TICKET);
    ticket.expect("a ticket").to_vec()
}

/// A Refresh that redeems a ticket, signed as the client is.
pub(super) fn redeeming(client: &mut Client, ticket: &[u8]) -> Vec<u8> {
    client.request(Method::REFRESH, |writer| {
        writer.attribute(AttributeType::MOBILITY_TICKET, ticket).unwrap();
    })
}

fn redeem(world: &mut World, client: &mut Client, ticket: &[u8]) -> Heard {
    if client.nonce.is_empty() {
        client.learn_nonce(world);
    }
    let refresh = redeeming(client, ticket);
    world.hear(client.five_tuple, &refresh)
}

/// alice with a ticket, and a channel to the peer.
fn settled() -> (World, Client, SocketAddr, Vec<u8>) {
    let mut world = World::with(mobile);
    let mut alice = Client::alice(1000);
    let heard = alice.ask(&mut world, Method::ALLOCATE, wish);
    let (relayed, ticket) = (heard.relayed(), ticket(&heard));
    alice.bind(&mut world, 0x4000, PEER);
    world.take_outputs();
    (world, alice, relayed, ticket)
}

/// The same client on another port, without a nonce for it.
fn moved(client: &Client, port: u16) -> Client {
    let mut client = client.clone();
    client.five_tuple.client.set_port(port);
    client.nonce.clear();
    client.skip_ids(u64::from(port));
    client
}

/// Where the peer's datagrams go.
#[track_caller]
fn whereabouts(world: &mut World, relayed: SocketAddr) -> FiveTuple {
    let heard = world.hear_peer(relayed, socket(PEER), b"x");
    let Heard::Client(to, _) = heard else {
        panic!("{heard:?}")
    };
    to
}

/// §3.1.2; and coturn's client keeps no longer ticket, nor one with a zero byte.
#[test]
fn an_empty_ticket_is_answered_with_one_of_32_characters() {
    let (_, _, _, ticket) = settled();
    assert_eq!(ticket.len(), 32);
    assert!(ticket.iter().all(u8::is_ascii_graphic));
}

#[test]
fn who_asks_for_no_ticket_gets_none() {
    let mut world = World::with(mobile);
    let mut alice = Client::alice(1000);
    let heard = alice.ask(&mut world, Method::ALLOCATE, udp);
    assert_eq!(heard.message().attribute(AttributeType::MOBILITY_TICKET), None);
    let heard = alice.refresh(&mut world, 600);
    assert_eq!(heard.message().attribute(AttributeType::MOBILITY_TICKET), None);
}

/// §3.1.2: "configured to not support mobility".
#[test]
fn where_mobility_is_off_a_ticket_is_forbidden() {
    let mut world = World::new();
    let mut alice = Client::alice(1000);
    let heard = alice.ask(&mut world, Method::ALLOCATE, wish);
    assert_eq!(error_code(&heard), 405);
    assert!(heard.is_signed_by(&alice));
    assert_eq!(world.ports_in_use(), 0);
    alice.allocate(&mut world);
    assert_eq!(error_code(&redeem(&mut world, &mut alice, &[b'A'; 32])), 405);
}

/// RFC 6062's data connections belong to the client's address: "cannot be performed due to … restrictions" (§3.4).
#[test]
fn a_tcp_allocation_cannot_move() {
    let mut world = World::with(|config| {
        mobile(config);
        config.tcp_relay = Some(crate::TcpRelay::default());
    });
    let mut alice = Client::alice(1000).over(Transport::Tcp);
    let heard = alice.ask(&mut world, Method::ALLOCATE, |writer| {
        writer
            .attribute(AttributeType::REQUESTED_TRANSPORT, &[6, 0, 0, 0])
            .unwrap();
        writer.attribute(AttributeType::MOBILITY_TICKET, b"").unwrap();
    });
    assert_eq!(error_code(&heard), 405);
}

/// §3.1.2.
#[test]
fn allocate_with_a_ticket_is_a_bad_request() {
    let mut world = World::with(mobile);
    let heard = Client::alice(1000).ask(&mut world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer
            .attribute(AttributeType::MOBILITY_TICKET, &[b'A'; 32])
            .unwrap();
    });
    assert_eq!(error_code(&heard), 400);
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn a_retransmitted_allocate_gets_the_same_ticket() {
    let mut world = World::with(mobile);
    let mut alice = Client::alice(1000);
    alice.learn_nonce(&mut world);
    let request = alice.request(Method::ALLOCATE, wish);
    let first = world.hear(alice.five_tuple, &request);
    ticket(&first);
    assert_eq!(world.hear(alice.five_tuple, &request), first);
}

/// Nonces belong to an address, so that nobody can redeem a ticket by repeating a Refresh he overheard.
#[test]
fn the_nonce_of_the_old_address_is_stale_at_the_new_one() {
    let (mut world, alice, relayed, first) = settled();
    let mut there = moved(&alice, 2000);
    there.nonce = alice.nonce.clone();
    let challenge = redeem(&mut world, &mut there, &first);
    assert_eq!(error_code(&challenge), 438);
    assert_eq!(whereabouts(&mut world, relayed), alice.five_tuple);
    there.nonce = challenge.message().nonce().unwrap().to_vec();
    let heard = redeem(&mut world, &mut there, &first);
    assert_eq!(heard.lifetime(), 600);
    assert!(heard.is_signed_by(&there));
    assert_ne!(ticket(&heard), first, "§3.2.2: the new ticket is another one");
}

/// §3.2.2: data go to the old five-tuple, and are taken from it, until data come from the new one.
#[test]
fn both_five_tuples_are_heard_until_data_come_from_the_new_one() {
    let (mut world, mut alice, relayed, first) = settled();
    let mut there = moved(&alice, 2000);
    ticket(&redeem(&mut world, &mut there, &first));
    assert_eq!(whereabouts(&mut world, relayed), alice.five_tuple);
    assert!(matches!(
        alice.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Peer { .. }
    ));
    assert_eq!(error_code(&alice.refresh(&mut world, 600)), 0);
    let mut forger = there.clone();
    forger.key = Client::bob(2000).key;
    assert_eq!(error_code(&forger.permit(&mut world, "8.8.4.4:1")), 401);
    assert_eq!(whereabouts(&mut world, relayed), alice.five_tuple);
    assert_eq!(world.take_outputs(), []);

    assert!(matches!(
        there.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Peer { .. }
    ));
    let expected = Output::ClientMoved {
        from: alice.five_tuple,
        to: there.five_tuple,
        username: "alice".into(),
    };
    assert_eq!(world.take_outputs(), [expected]);
    assert_eq!(whereabouts(&mut world, relayed), there.five_tuple);
    assert_eq!(
        alice.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::NoAllocation)
    );
    assert_eq!(error_code(&alice.refresh(&mut world, 600)), 437);
}

/// A client that only receives would wait for ever otherwise; whoever asks for something there has got our answer.
#[test]
fn whoever_asks_for_something_at_the_new_five_tuple_is_there() {
    for method in [Method::CREATE_PERMISSION, Method::CHANNEL_BIND, Method::REFRESH] {
        let (mut world, alice, relayed, first) = settled();
        let mut there = moved(&alice, 2000);
        redeem(&mut world, &mut there, &first);
        there.ask(&mut world, method, |_| ());
        assert_eq!(whereabouts(&mut world, relayed), there.five_tuple, "{method:?}");
    }
}

#[test]
fn a_send_indication_is_data_too() {
    let (mut world, alice, relayed, first) = settled();
    let mut there = moved(&alice, 2000);
    redeem(&mut world, &mut there, &first);
    assert!(matches!(there.send(&mut world, PEER, b"x"), Heard::Peer { .. }));
    assert_eq!(whereabouts(&mut world, relayed), there.five_tuple);
}

/// THREATS 20; §3.2.2.
#[test]
fn another_user_cannot_redeem_a_ticket() {
    let (mut world, alice, relayed, first) = settled();
    let mut bob = Client::bob(2000);
    let heard = redeem(&mut world, &mut bob, &first);
    assert_eq!(error_code(&heard), 441);
    assert!(heard.is_signed_by(&bob));
    assert_eq!(
        bob.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::NoAllocation)
    );
    assert_eq!(whereabouts(&mut world, relayed), alice.five_tuple);
    ticket(&redeem(&mut world, &mut moved(&alice, 2001), &first));
}

#[test]
fn the_right_password_is_asked_for_before_the_ticket_is_looked_at() {
    let (mut world, alice, _, first) = settled();
    for name in ["alice", "nobody"] {
        let mut thief = Client::new(2000, name, "looking glass");
        let ticketed = redeem(&mut world, &mut thief, &first);
        let forged = redeem(&mut world, &mut thief, &[b'A'; 32]);
        assert_eq!((error_code(&ticketed), error_code(&forged)), (401, 401));
    }
    ticket(&redeem(&mut world, &mut moved(&alice, 2001), &first));
}

/// §3.2.2: the old ticket serves retransmission only, and that for 30 seconds at least.
#[test]
fn a_retransmit_gets_the_same_answer_for_a_while() {
    let (mut world, alice, _, first) = settled();
    let mut there = moved(&alice, 2000);
    there.learn_nonce(&mut world);
    let refresh = redeeming(&mut there, &first);
    let answer = world.hear(there.five_tuple, &refresh);
    let second = ticket(&answer);
    assert_eq!(world.hear(there.five_tuple, &refresh), answer);
    there.send_by_channel(&mut world, 0x4000, b"x");
    world.pass(39);
    assert_eq!(world.hear(there.five_tuple, &refresh), answer);
    assert_eq!(world.server.counters().allocations_resumed, 1);

    assert_eq!(
        error_code(&redeem(&mut world, &mut there, &first)),
        437,
        "another transaction is no retransmit"
    );
    assert_eq!(
        error_code(&redeem(&mut world, &mut moved(&alice, 2001), &first)),
        437,
        "nor is what comes from elsewhere"
    );
    world.pass(1);
    assert_eq!(error_code(&world.hear(there.five_tuple, &refresh)), 437);
    ticket(&redeem(&mut world, &mut moved(&alice, 2002), &second));
}

#[test]
fn a_ticket_of_two_moves_ago_is_worth_nothing() {
    let (mut world, alice, relayed, first) = settled();
    let mut there = moved(&alice, 2000);
    let second = ticket(&redeem(&mut world, &mut there, &first));
    there.send_by_channel(&mut world, 0x4000, b"x");
    let mut farther = moved(&alice, 3000);
    ticket(&redeem(&mut world, &mut farther, &second));
    farther.send_by_channel(&mut world, 0x4000, b"x");
    for old in [&first, &second] {
        let mut elsewhere = moved(&alice, 4000);
        assert_eq!(error_code(&redeem(&mut world, &mut elsewhere, old)), 437);
    }
    assert_eq!(whereabouts(&mut world, relayed), farther.five_tuple);
}

/// §3.2.2.
#[test]
fn what_is_no_ticket_is_a_bad_request() {
    let (mut world, alice, _, first) = settled();
    let mut changed = first.clone();
    changed[5] ^= 1;
    for text in [&b""[..], b"x", &first[1..], &[0; 32], &changed] {
        let mut there = moved(&alice, 2000);
        assert_eq!(error_code(&redeem(&mut world, &mut there, text)), 400);
    }
}

/// §3.2.2.
#[test]
fn who_has_not_moved_redeems_no_ticket() {
    let (mut world, mut alice, _, first) = settled();
    assert_eq!(error_code(&redeem(&mut world, &mut alice, &first)), 400);
    let mut there = moved(&alice, 2000);
    let second = ticket(&redeem(&mut world, &mut there, &first));
    assert_eq!(error_code(&redeem(&mut world, &mut there, &second)), 400);
}

/// §3.2.1: who deletes an allocation sends no ticket.
#[test]
fn a_ticket_frees_nothing() {
    let (mut world, alice, relayed, first) = settled();
    let mut there = moved(&alice, 2000);
    let heard = there.ask(&mut world, Method::REFRESH, |writer| {
        writer.u32(AttributeType::LIFETIME, 0).unwrap();
        writer.attribute(AttributeType::MOBILITY_TICKET, &first).unwrap();
    });
    assert_eq!(error_code(&heard), 400);
    assert_eq!(whereabouts(&mut world, relayed), alice.five_tuple);
}

#[test]
fn nobody_moves_to_where_he_has_another_allocation() {
    let (mut world, alice, _, first) = settled();
    let mut there = moved(&alice, 2000);
    let other = there.allocate(&mut world);
    assert_eq!(error_code(&redeem(&mut world, &mut there, &first)), 437);
    there.bind(&mut world, 0x4000, PEER);
    assert_eq!(whereabouts(&mut world, other), there.five_tuple);
}

#[test]
fn a_second_move_before_any_data_takes_the_place_of_the_first() {
    let (mut world, alice, relayed, first) = settled();
    let (mut there, mut farther) = (moved(&alice, 2000), moved(&alice, 3000));
    let second = ticket(&redeem(&mut world, &mut there, &first));
    ticket(&redeem(&mut world, &mut farther, &second));
    assert_eq!(
        there.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::NoAllocation)
    );
    assert_eq!(whereabouts(&mut world, relayed), alice.five_tuple);
    farther.send_by_channel(&mut world, 0x4000, b"x");
    assert_eq!(whereabouts(&mut world, relayed), farther.five_tuple);
}

#[test]
fn a_client_may_turn_back() {
    let (mut world, mut alice, relayed, first) = settled();
    let mut there = moved(&alice, 2000);
    let second = ticket(&redeem(&mut world, &mut there, &first));
    let third = ticket(&redeem(&mut world, &mut alice, &second));
    assert_eq!(
        there.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::NoAllocation)
    );
    alice.send_by_channel(&mut world, 0x4000, b"x");
    assert_eq!(whereabouts(&mut world, relayed), alice.five_tuple);
    ticket(&redeem(&mut world, &mut there, &third));
}

#[test]
fn the_ticket_of_an_allocation_that_ended_is_worth_nothing_even_to_the_next_in_its_place() {
    let (mut world, mut alice, _, first) = settled();
    alice.refresh(&mut world, 0);
    let mut there = moved(&alice, 2000);
    assert_eq!(error_code(&redeem(&mut world, &mut there, &first)), 437);
    let next = alice.ask(&mut world, Method::ALLOCATE, wish);
    assert_ne!(ticket(&next), first);
    assert_eq!(error_code(&redeem(&mut world, &mut there, &first)), 437);
}

#[test]
fn a_move_lengthens_the_life_and_leaves_permissions_and_channels() {
    let (mut world, alice, relayed, first) = settled();
    world.pass(200);
    let mut there = moved(&alice, 2000);
    let heard = there.ask(&mut world, Method::REFRESH, |writer| {
        writer.u32(AttributeType::LIFETIME, 1000).unwrap();
        writer.attribute(AttributeType::MOBILITY_TICKET, &first).unwrap();
    });
    assert_eq!(heard.lifetime(), 1000);
    there.send_by_channel(&mut world, 0x4000, b"x");
    assert_eq!(whereabouts(&mut world, relayed), there.five_tuple);
    world.pass(999);
    assert_eq!(world.sockets.len(), 1);
    world.pass(1);
    assert_eq!(world.sockets.len(), 0);
}

#[test]
fn the_farewell_may_come_from_where_the_client_announced_itself() {
    let (mut world, mut alice, _, first) = settled();
    let mut there = moved(&alice, 2000);
    redeem(&mut world, &mut there, &first);
    assert_eq!(there.refresh(&mut world, 0).lifetime(), 0);
    assert_eq!(world.ports_in_use(), 0);
    assert_eq!(error_code(&alice.refresh(&mut world, 600)), 437);
    alice.allocate(&mut world);
    there.allocate(&mut world);
}

#[test]
fn a_credential_that_ran_out_still_lets_its_client_move() {
    let mut world = World::with(mobile);
    let mut carol = Client::minted(1000, "carol", world::BEGIN + 60);
    let first = ticket(&carol.ask(&mut world, Method::ALLOCATE, wish));
    world.pass(120);
    ticket(&redeem(&mut world, &mut moved(&carol, 2000), &first));
}

#[test]
fn a_client_of_rfc_8489_moves_as_well() {
    let mut world = World::with(mobile);
    let mut alice = Modern::alice(1000);
    let first = ticket(&alice.ask(&mut world, Method::ALLOCATE, wish));
    alice.client.five_tuple.client.set_port(2000);
    let redeem = |world: &mut World, alice: &mut Modern| {
        let request = alice.request(Method::REFRESH, |writer| {
            writer.attribute(AttributeType::MOBILITY_TICKET, &first).unwrap();
        });
        world.hear(alice.client.five_tuple, &request)
    };
    let challenge = redeem(&mut world, &mut alice);
    assert_eq!(error_code(&challenge), 438);
    alice.client.nonce = challenge.message().nonce().unwrap().to_vec();
    ticket(&redeem(&mut world, &mut alice));
}

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
