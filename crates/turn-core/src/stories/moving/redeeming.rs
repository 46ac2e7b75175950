//! Who may redeem a ticket, and how often.

use super::*;
use crate::DropReason;

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
