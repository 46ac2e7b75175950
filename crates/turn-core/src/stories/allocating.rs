//! RFC 8656 §7: what Allocate grants, refuses and remembers.

use std::{num::NonZeroU32, time::Duration};

use stun_wire::{AttributeType, Method};

use super::{client::udp, world::BEGIN, *};
use crate::{
    CountedMethod, EndReason, Family, Lifetimes, OpenError, Output, Quota, QuotaLimits, RelayTransport,
    Transport,
};

fn with_lifetime(world: &mut World, lifetime: u32) -> u32 {
    let heard = Client::alice(1000).ask(world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.u32(AttributeType::LIFETIME, lifetime).unwrap();
    });
    heard.lifetime()
}

fn refused(world: &mut World, attributes: &[(AttributeType, &[u8])]) -> u16 {
    let mut client = Client::alice(1000);
    let heard = client.ask(world, Method::ALLOCATE, |writer| {
        for (kind, value) in attributes {
            writer.attribute(*kind, value).unwrap();
        }
    });
    assert!(heard.is_signed_by(&client));
    assert!(world.sockets.is_empty());
    error_code(&heard)
}

const TRANSPORT: (AttributeType, &[u8]) = (AttributeType::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
const TOKEN: (AttributeType, &[u8]) = (AttributeType::RESERVATION_TOKEN, &[1; 8]);
const EVEN: (AttributeType, &[u8]) = (AttributeType::EVEN_PORT, &[0]);
const EVEN_RESERVING: (AttributeType, &[u8]) = (AttributeType::EVEN_PORT, &[0x80]);
const FAMILY_V4: (AttributeType, &[u8]) = (AttributeType::REQUESTED_ADDRESS_FAMILY, &[1, 0, 0, 0]);
const FAMILY_V6: (AttributeType, &[u8]) = (AttributeType::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
const ALSO_V4: (AttributeType, &[u8]) = (AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[1, 0, 0, 0]);
const ALSO_V6: (AttributeType, &[u8]) = (AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0]);

#[test]
fn an_allocation_names_its_relay_its_client_and_its_lifetime() {
    let mut world = World::with(|config| config.software = Some("Watari".into()));
    let mut client = Client::alice(1000);
    let heard = client.ask(&mut world, Method::ALLOCATE, udp);
    let relayed = heard.relayed();
    assert_eq!(relayed.ip(), ip("192.0.2.1"), "the address the client reached");
    assert!((50_000..=50_019).contains(&relayed.port()));
    let message = heard.message();
    assert_eq!(
        message.xor_address(AttributeType::XOR_MAPPED_ADDRESS),
        Some(Ok(client.five_tuple.client))
    );
    assert_eq!(message.software(), Some(Ok("Watari")));
    assert_eq!(heard.lifetime(), 600);
    assert!(heard.is_signed_by(&client));
    assert_eq!(world.server.counters().allocations_created, 1);
    assert_eq!(world.server.counters().allocations(Transport::Udp, Family::V4), 1);
    assert_eq!(
        world
            .server
            .counters()
            .requests(CountedMethod::Allocate, Transport::Udp),
        2
    );
    assert_eq!(world.ports_in_use(), 1);
}

#[test]
fn the_outputs_of_an_allocation_come_in_order() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    let outputs = world.take_outputs();
    let [
        Output::OpenRelay {
            relay,
            address,
            transport: RelayTransport::Udp,
        },
        created,
        Output::SendToClient { to, .. },
    ] = &outputs[..]
    else {
        panic!("{outputs:?}");
    };
    assert_eq!((relay.index, *address, *to), (0, relayed, client.five_tuple));
    let expected = Output::AllocationCreated {
        five_tuple: client.five_tuple,
        username: "alice".into(),
        relayed: [relayed].into_iter().collect(),
        lifetime: Duration::from_secs(600),
    };
    assert_eq!(*created, expected);
}

#[test]
fn a_lifetime_is_at_least_the_default_and_at_most_the_longest() {
    for (asked, granted) in [(0, 600), (1, 600), (777, 777), (3600, 3600), (u32::MAX, 3600)] {
        assert_eq!(with_lifetime(&mut World::new(), asked), granted, "{asked}");
    }
    let two_to_five = Lifetimes::new(Duration::from_secs(2), Duration::from_secs(5)).unwrap();
    assert_eq!(
        with_lifetime(&mut World::with(|config| config.lifetimes = two_to_five), 9),
        5
    );
}

#[test]
fn the_transport_must_be_named_and_be_udp() {
    let world = &mut World::new();
    assert_eq!(refused(world, &[]), 400);
    assert_eq!(
        refused(world, &[(AttributeType::REQUESTED_TRANSPORT, &[17, 0])]),
        400
    );
    assert_eq!(
        refused(world, &[(AttributeType::REQUESTED_TRANSPORT, &[6, 0, 0, 0])]),
        442
    );
}

#[test]
fn what_cannot_be_asked_together_is_a_bad_request() {
    let world = &mut World::new();
    for pair in [
        [TOKEN, EVEN],
        [TOKEN, EVEN_RESERVING],
        [TOKEN, FAMILY_V4],
        [TOKEN, ALSO_V6],
        [FAMILY_V4, ALSO_V6],
        [FAMILY_V6, ALSO_V6],
        [EVEN_RESERVING, ALSO_V6],
        [EVEN, ALSO_V4],
    ] {
        assert_eq!(refused(world, &[TRANSPORT, pair[0], pair[1]]), 400, "{pair:?}");
    }
    assert_eq!(
        refused(world, &[TRANSPORT, ALSO_V4]),
        400,
        "only IPv6 can be additional"
    );
}

#[test]
fn malformed_attributes_are_a_bad_request() {
    let world = &mut World::new();
    for kind in [
        AttributeType::LIFETIME,
        AttributeType::EVEN_PORT,
        AttributeType::RESERVATION_TOKEN,
        AttributeType::REQUESTED_ADDRESS_FAMILY,
        AttributeType::ADDITIONAL_ADDRESS_FAMILY,
    ] {
        assert_eq!(refused(world, &[TRANSPORT, (kind, &[0; 3])]), 400, "{kind:?}");
    }
}

#[test]
fn a_retransmit_gets_the_same_answer_and_no_second_relay() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.learn_nonce(&mut world);
    let request = client.request(Method::ALLOCATE, udp);
    let first = world.hear(client.five_tuple, &request);
    world.pass(5);
    assert_eq!(world.hear(client.five_tuple, &request), first);
    assert_eq!(world.sockets.len(), 1);
}

#[test]
fn a_second_allocate_on_the_same_five_tuple_is_a_signed_mismatch() {
    let mut world = World::new();
    let mut alice = Client::alice(1000);
    alice.allocate(&mut world);
    for mut client in [alice, Client::bob(1000)] {
        let heard = client.ask(&mut world, Method::ALLOCATE, udp);
        assert_eq!(error_code(&heard), 437);
        assert!(heard.is_signed_by(&client));
    }
    assert_eq!(
        error_code(&Client::new(1000, "alice", "wrong").ask(&mut world, Method::ALLOCATE, udp)),
        401
    );
}

#[test]
fn even_port_is_even() {
    let mut world = World::new();
    for port in 1000..1010 {
        let heard = Client::alice(port).ask(&mut world, Method::ALLOCATE, |writer| {
            udp(writer);
            writer.attribute(AttributeType::EVEN_PORT, &[0]).unwrap();
        });
        assert_eq!(heard.relayed().port() % 2, 0);
        assert_eq!(heard.message().reservation_token(), None);
    }
    assert_eq!(world.ports_in_use(), 10);
}

/// THREATS 19.
#[test]
fn even_ports_come_back_however_often_they_are_taken() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    for _ in 0..2000 {
        let heard = client.ask(&mut world, Method::ALLOCATE, |writer| {
            udp(writer);
            writer.attribute(AttributeType::EVEN_PORT, &[0]).unwrap();
        });
        heard.relayed();
        client.refresh(&mut world, 0);
        world.outputs.clear();
    }
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn the_last_port_is_given_and_then_capacity_is_short() {
    let mut world = World::new();
    let mut ports: Vec<_> = (0..20)
        .map(|n| Client::alice(1000 + n).allocate(&mut world).port())
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, (50_000..50_020).collect::<Vec<_>>());
    let mut late = Client::bob(2000);
    assert_eq!(error_code(&late.ask(&mut world, Method::ALLOCATE, udp)), 508);
    Client::alice(1000).refresh(&mut world, 0);
    late.allocate(&mut world);
}

fn quota(per_user: u32, total: u32) -> Quota {
    let number = |n| NonZeroU32::new(n).unwrap();
    Quota::new(QuotaLimits {
        per_user: number(per_user),
        total: number(total),
        ..QuotaLimits::default()
    })
}

/// THREATS 27.
#[test]
fn a_quota_counts_user_ids_and_not_the_usernames_minted_for_them() {
    let mut world = World::with_ledger(quota(2, 99), |_| ());
    Client::minted(1000, "carol", BEGIN + 60).allocate(&mut world);
    Client::minted(1001, "carol", BEGIN + 61).allocate(&mut world);
    let heard = Client::minted(1002, "carol", BEGIN + 62).ask(&mut world, Method::ALLOCATE, udp);
    assert_eq!(error_code(&heard), 486);
    Client::minted(1003, "dave", BEGIN + 60).allocate(&mut world);
}

#[test]
fn a_freed_allocation_frees_its_place_in_the_quota() {
    let mut world = World::with_ledger(quota(1, 99), |_| ());
    for port in 1000..1010 {
        let mut client = Client::alice(port);
        client.allocate(&mut world);
        assert_eq!(
            error_code(&Client::alice(99).ask(&mut world, Method::ALLOCATE, udp)),
            486
        );
        client.refresh(&mut world, 0);
    }
}

#[test]
fn the_total_quota_and_the_workers_table_are_capacities() {
    let mut world = World::with_ledger(quota(9, 1), |_| ());
    Client::alice(1000).allocate(&mut world);
    assert_eq!(
        error_code(&Client::bob(1001).ask(&mut world, Method::ALLOCATE, udp)),
        508
    );
    let mut world = World::with(|config| config.limits.allocations = 1);
    Client::alice(1000).allocate(&mut world);
    assert_eq!(
        error_code(&Client::bob(1001).ask(&mut world, Method::ALLOCATE, udp)),
        508
    );
}

#[test]
fn a_refused_allocation_counts_for_no_quota() {
    let mut world = World::with_ledger(quota(1, 99), |_| ());
    world.open_results.push_back(Err(OpenError::TooManyDescriptors));
    assert_eq!(
        error_code(&Client::alice(1000).ask(&mut world, Method::ALLOCATE, udp)),
        508
    );
    let ended = world.take_outputs().into_iter().any(|output| {
        matches!(
            output,
            Output::AllocationEnded {
                reason: EndReason::NotOpened,
                ..
            }
        )
    });
    assert!(ended);
    Client::alice(1001).allocate(&mut world);
}

#[test]
fn ports_differ_from_seed_to_seed_and_allocation_to_allocation() {
    let mut world = World::with(|config| config.ports = crate::PortRange::default());
    let ports: Vec<_> = (0..40)
        .map(|n| Client::alice(1000 + n).allocate(&mut world).port())
        .collect();
    let in_a_row = ports
        .windows(2)
        .filter(|pair| pair[0].abs_diff(pair[1]) <= 2)
        .count();
    assert!(in_a_row <= 2, "{ports:?}");
}
