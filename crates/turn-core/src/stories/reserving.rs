//! EVEN-PORT with the R bit and RESERVATION-TOKEN, within a worker and between two (RFC 8656 §7.2).

use std::net::SocketAddr;

use stun_wire::{AttributeType, Method};

use super::{client::udp, workers::two_workers, *};
use crate::{DropReason, Errand, OpenError};

fn reserve(world: &mut World, client: &mut Client) -> (SocketAddr, [u8; 8]) {
    let heard = client.ask(world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.attribute(AttributeType::EVEN_PORT, &[0x80]).unwrap();
    });
    (
        heard.relayed(),
        heard.message().reservation_token().unwrap().unwrap(),
    )
}

fn claim(world: &mut World, client: &mut Client, token: [u8; 8]) -> Heard {
    client.ask(world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer
            .attribute(AttributeType::RESERVATION_TOKEN, &token)
            .unwrap();
    })
}

#[test]
fn the_token_gives_the_next_higher_port() {
    let mut world = World::new();
    let (relayed, token) = reserve(&mut world, &mut Client::alice(1000));
    assert_eq!(relayed.port() % 2, 0);
    assert_eq!(world.ports_in_use(), 2);
    let claimed = claim(&mut world, &mut Client::alice(1001), token).relayed();
    assert_eq!(claimed, SocketAddr::new(relayed.ip(), relayed.port() + 1));
    assert_eq!(world.ports_in_use(), 2);
}

#[test]
fn a_token_serves_once_for_its_own_user_and_for_thirty_seconds() {
    let mut world = World::new();
    let (_, token) = reserve(&mut world, &mut Client::alice(1000));
    assert_eq!(error_code(&claim(&mut world, &mut Client::bob(1001), token)), 508);
    assert_eq!(
        error_code(&claim(&mut world, &mut Client::alice(1002), [9; 8])),
        508
    );
    claim(&mut world, &mut Client::alice(1003), token).relayed();
    assert_eq!(
        error_code(&claim(&mut world, &mut Client::alice(1004), token)),
        508
    );

    let (_, token) = reserve(&mut world, &mut Client::alice(1005));
    world.pass(29);
    assert_eq!(world.ports_in_use(), 4);
    world.pass(1);
    assert_eq!(world.ports_in_use(), 3, "nobody came for it");
    assert_eq!(
        error_code(&claim(&mut world, &mut Client::alice(1006), token)),
        508
    );
}

#[test]
fn both_ports_come_back_in_either_order() {
    for first_goes_first in [true, false] {
        let mut world = World::new();
        let (mut first, mut second) = (Client::alice(1000), Client::alice(1001));
        let (_, token) = reserve(&mut world, &mut first);
        claim(&mut world, &mut second, token).relayed();
        let (early, late) = if first_goes_first {
            (&mut first, &mut second)
        } else {
            (&mut second, &mut first)
        };
        early.refresh(&mut world, 0);
        assert_eq!(world.ports_in_use(), 1);
        late.refresh(&mut world, 0);
        assert_eq!(world.ports_in_use(), 0);
        world.pass(600);
        assert_eq!(world.server.poll_timeout(), None, "outlived entries go with time");
    }
}

#[test]
fn an_unclaimed_port_goes_with_the_allocation_that_reserved_it() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    for _ in 0..100 {
        reserve(&mut world, &mut client);
        client.refresh(&mut world, 0);
    }
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn a_busy_pair_is_replaced_whole_and_a_busy_reserved_port_is_not() {
    let mut world = World::new();
    world.open_results.push_back(Err(OpenError::AddressInUse));
    let (relayed, token) = reserve(&mut world, &mut Client::alice(1000));
    assert_eq!(world.ports_in_use(), 2);
    world.open_results.push_back(Err(OpenError::AddressInUse));
    assert_eq!(
        error_code(&claim(&mut world, &mut Client::alice(1001), token)),
        508
    );
    assert_eq!(world.ports_in_use(), 1);
    assert_eq!(relayed.port() % 2, 0);
}

#[test]
fn a_pair_that_never_opens_comes_back_whole() {
    let mut world = World::new();
    world.open_results.push_back(Err(OpenError::Other));
    let heard = Client::alice(1000).ask(&mut world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.attribute(AttributeType::EVEN_PORT, &[0x80]).unwrap();
    });
    assert_eq!(error_code(&heard), 508);
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn a_pair_abandoned_while_it_opens_comes_back_whole() {
    let mut world = World::new();
    world.slow = true;
    let mut client = Client::alice(1000);
    client.ask(&mut world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.attribute(AttributeType::EVEN_PORT, &[0x80]).unwrap();
    });
    client.refresh(&mut world, 0);
    assert_eq!(world.ports_in_use(), 1);
    world.opened(world.unanswered[0], Ok(()));
    assert_eq!(world.ports_in_use(), 0);
}

/// THREATS 13.
#[test]
fn tokens_do_not_repeat() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let mut tokens: Vec<_> = (0..200)
        .map(|_| {
            let (_, token) = reserve(&mut world, &mut client);
            client.refresh(&mut world, 0);
            token
        })
        .collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 200);
}

#[test]
fn another_worker_may_serve_the_claimant() {
    let [mut home, mut other] = two_workers(|_| ());
    let mut second = Client::alice(1001);
    let (relayed, token) = reserve(&mut home, &mut Client::alice(1000));
    let claimed = claim(&mut other, &mut second, token).relayed();
    assert_eq!(claimed.port(), relayed.port() + 1);
    home.pass(300);
    assert_eq!(
        home.ports_in_use(),
        2,
        "the port is not given away while it is lent"
    );
    second.refresh(&mut other, 0);
    home.pass(30);
    assert_eq!(home.ports_in_use(), 1);
}

#[test]
fn datagrams_for_a_lent_port_go_to_the_borrower() {
    let [mut home, mut other] = two_workers(|_| ());
    let mut second = Client::alice(1001);
    let (_, token) = reserve(&mut home, &mut Client::alice(1000));
    let claimed = claim(&mut other, &mut second, token).relayed();
    let mut sender = Client::bob(2000);
    let from = sender.allocate(&mut home);
    sender.permit(&mut home, &claimed.to_string());
    let handed = sender.send(&mut home, &claimed.to_string(), b"x");
    let errand = Errand::Hairpin { from, to: claimed };
    let payload = b"x".to_vec();
    assert_eq!(
        handed,
        Heard::Worker {
            worker: 1,
            errand,
            payload
        }
    );
    assert_eq!(
        other.hear_errand(0, errand, b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
    second.permit(&mut other, &from.to_string());
    assert!(matches!(other.hear_errand(0, errand, b"x"), Heard::Client(..)));
}
