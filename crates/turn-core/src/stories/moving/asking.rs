//! Allocates that ask for a ticket.

use super::*;
use crate::Transport;

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
