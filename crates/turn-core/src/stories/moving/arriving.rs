//! From when on a client is at its new five-tuple.

use super::*;
use crate::{DropReason, Output};

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
