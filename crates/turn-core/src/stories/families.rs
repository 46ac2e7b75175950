//! IPv4, IPv6, and both at once (RFC 8656 §7.2, RFC 6156).

use std::net::SocketAddr;

use stun_wire::{AddressFamily, AttributeType, Method};

use super::{client::udp, *};
use crate::{Config, DropReason, Family, OpenError, RelayAddress, RelayAddresses, Transport};

const V4: u8 = 1;
const V6: u8 = 2;

fn both_configured(config: &mut Config) {
    let v4 = RelayAddress::new(ip("10.0.0.1"), ip("192.0.2.1")).unwrap();
    let v6 = RelayAddress::new(ip("2606:4700::1"), ip("2606:4700::1")).unwrap();
    config.relay = RelayAddresses::new(vec![v4, v6], None, None).unwrap();
}

fn allocate(world: &mut World, client: &mut Client, kind: AttributeType, family: u8) -> Heard {
    client.ask(world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.attribute(kind, &[family, 0, 0, 0]).unwrap();
    })
}

fn allocate_both(world: &mut World, client: &mut Client) -> Heard {
    allocate(world, client, AttributeType::ADDITIONAL_ADDRESS_FAMILY, V6)
}

fn relayed(heard: &Heard) -> Vec<SocketAddr> {
    heard
        .message()
        .xor_addresses(AttributeType::XOR_RELAYED_ADDRESS)
        .map(Result::unwrap)
        .collect()
}

fn refresh(world: &mut World, client: &mut Client, lifetime: u32, family: u8) -> u16 {
    error_code(&client.ask(world, Method::REFRESH, |writer| {
        writer.u32(AttributeType::LIFETIME, lifetime).unwrap();
        writer
            .attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[family, 0, 0, 0])
            .unwrap();
    }))
}

#[test]
fn the_family_asked_for_is_the_family_given() {
    let mut world = World::with(both_configured);
    for (port, family, is_v4) in [(1000, V4, true), (1001, V6, false)] {
        let mut client = Client::alice(port);
        let heard = allocate(
            &mut world,
            &mut client,
            AttributeType::REQUESTED_ADDRESS_FAMILY,
            family,
        );
        assert_eq!(heard.relayed().is_ipv4(), is_v4);
    }
    assert_eq!(world.server.counters().allocations(Transport::Udp, Family::V6), 1);
}

#[test]
fn behind_a_nat_the_client_is_told_the_external_address() {
    let mut world = World::with(both_configured);
    let relayed = Client::alice(1000).allocate(&mut world);
    let bound = *world.sockets.values().next().unwrap();
    assert_eq!((relayed.ip(), bound.ip()), (ip("192.0.2.1"), ip("10.0.0.1")));
    assert_eq!(relayed.port(), bound.port());
}

#[test]
fn a_family_we_do_not_have_or_know_is_440() {
    let mut world = World::new();
    for family in [V6, 0, 3, 255] {
        let mut client = Client::alice(1000);
        let heard = allocate(
            &mut world,
            &mut client,
            AttributeType::REQUESTED_ADDRESS_FAMILY,
            family,
        );
        assert_eq!(error_code(&heard), 440, "{family}");
        assert!(heard.is_signed_by(&client));
    }
}

#[test]
fn peers_of_the_other_family_are_443() {
    let mut world = World::with(both_configured);
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    assert_eq!(error_code(&client.permit(&mut world, "[2606:4700::9]:1")), 443);
    assert_eq!(
        error_code(&client.bind(&mut world, 0x4000, "[2606:4700::9]:1")),
        443
    );
}

#[test]
fn an_ipv6_relay_carries_both_ways() {
    let mut world = World::with(both_configured);
    let mut client = Client::alice(1000);
    let relayed = allocate(
        &mut world,
        &mut client,
        AttributeType::REQUESTED_ADDRESS_FAMILY,
        V6,
    )
    .relayed();
    let peer = "[2606:4700::9]:53";
    client.permit(&mut world, peer);
    assert!(matches!(client.send(&mut world, peer, b"x"), Heard::Peer { from, .. } if from == relayed));
    let heard = world.hear_peer(relayed, socket(peer), b"yes");
    assert_eq!(
        heard.message().xor_address(AttributeType::XOR_PEER_ADDRESS),
        Some(Ok(socket(peer)))
    );
    assert_eq!(heard.message().attribute(AttributeType::DATA), Some(&b"yes"[..]));
}

#[test]
fn two_families_are_one_allocation_with_two_relays() {
    let mut world = World::with(both_configured);
    let mut client = Client::alice(1000);
    let heard = allocate_both(&mut world, &mut client);
    let addresses = relayed(&heard);
    assert_eq!(
        addresses
            .iter()
            .map(|address| address.is_ipv4())
            .collect::<Vec<_>>(),
        [true, false]
    );
    assert!(heard.message().address_error_code().is_none());
    for peer in ["8.8.8.8:1", "[2606:4700::9]:1"] {
        client.permit(&mut world, peer);
        let Heard::Peer { from, to, .. } = client.send(&mut world, peer, b"x") else {
            panic!("relayed")
        };
        assert_eq!(from.is_ipv4(), to.is_ipv4());
    }
    client.refresh(&mut world, 0);
    assert_eq!((world.sockets.len(), world.ports_in_use()), (0, 0));
}

/// Coturn's clients send it. Whatever else stands under that number is nobody's.
#[test]
fn the_number_that_the_drafts_gave_to_the_additional_family_is_understood() {
    let draft = AttributeType::DRAFT_ADDITIONAL_ADDRESS_FAMILY;
    let mut world = World::with(both_configured);
    let heard = allocate(&mut world, &mut Client::alice(1000), draft, V6);
    assert_eq!(relayed(&heard).len(), 2);
    let heard = allocate(&mut world, &mut Client::alice(1001), draft, 9);
    assert_eq!(relayed(&heard).len(), 1);
    assert_eq!(
        error_code(&allocate(&mut world, &mut Client::alice(1002), draft, V4)),
        400
    );
}

#[test]
fn of_two_families_one_may_be_missing_and_the_client_is_told() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let heard = allocate_both(&mut world, &mut client);
    assert_eq!(relayed(&heard).len(), 1);
    let (family, error) = heard.message().address_error_code().unwrap().unwrap();
    assert_eq!((family, error.code), (AddressFamily::V6, 440));
}

#[test]
fn of_two_families_one_may_fail_to_open() {
    for (results, failed, left) in [
        ([Ok(()), Err(OpenError::Other)], AddressFamily::V6, true),
        ([Err(OpenError::Other), Ok(())], AddressFamily::V4, false),
    ] {
        let mut world = World::with(both_configured);
        world.open_results.extend(results);
        let mut client = Client::alice(1000);
        let heard = allocate_both(&mut world, &mut client);
        let (family, error) = heard.message().address_error_code().unwrap().unwrap();
        assert_eq!((family, error.code), (failed, 508));
        assert_eq!(
            relayed(&heard)
                .iter()
                .map(|address| address.is_ipv4())
                .collect::<Vec<_>>(),
            [left]
        );
        assert_eq!(world.ports_in_use(), 1);
        assert_eq!(client.refresh(&mut world, 600).lifetime(), 600);
    }
}

#[test]
fn if_both_families_fail_the_allocation_does() {
    let mut world = World::with(both_configured);
    world
        .open_results
        .extend([Err(OpenError::Other), Err(OpenError::TooManyDescriptors)]);
    let mut client = Client::alice(1000);
    assert_eq!(error_code(&allocate_both(&mut world, &mut client)), 508);
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn an_allocation_freed_while_one_of_two_relays_opens_leaves_nothing() {
    let mut world = World::with(both_configured);
    world.slow = true;
    let mut client = Client::alice(1000);
    assert_eq!(allocate_both(&mut world, &mut client), Heard::Pending);
    let [first, second] = world.unanswered[..] else {
        panic!("two sockets to open")
    };
    world.opened(first, Err(OpenError::Other));
    client.refresh(&mut world, 0);
    world.opened(second, Ok(()));
    assert_eq!((world.ports_in_use(), world.server.poll_timeout()), (0, None));
}

#[test]
fn one_of_two_families_may_be_freed_or_refreshed_alone() {
    let mut world = World::with(both_configured);
    let mut client = Client::alice(1000);
    allocate_both(&mut world, &mut client);
    assert_eq!(refresh(&mut world, &mut client, 1200, V6), 0);
    world.pass(600);
    let left: Vec<_> = world.sockets.values().map(SocketAddr::is_ipv6).collect();
    assert_eq!(left, [true], "IPv4 was not refreshed");
    assert_eq!(refresh(&mut world, &mut client, 600, V4), 443);
    assert_eq!(refresh(&mut world, &mut client, 0, V4), 443);
    assert_eq!(refresh(&mut world, &mut client, 600, 9), 443);
    assert_eq!(refresh(&mut world, &mut client, 0, V6), 0);
    assert!(world.sockets.is_empty());
    assert_eq!(error_code(&client.refresh(&mut world, 600)), 437);
}

/// RFC 8656 §8.1: "destroys any permissions or channels associated with that particular allocation; it MUST NOT affect any
/// permissions or channels associated with allocations for the other address family".
#[test]
fn permissions_and_channels_end_with_the_relay_of_their_family_and_only_they() {
    const PEERS: [&str; 2] = ["8.8.8.8:1", "[2606:4700::9]:1"];
    for (gone, freed) in [(0, true), (1, true), (0, false), (1, false)] {
        let mut world = World::with(|config| {
            both_configured(config);
            config.limits.permissions_per_allocation = 2;
        });
        let mut client = Client::alice(1000);
        allocate_both(&mut world, &mut client);
        for (number, peer) in [0x4000, 0x4001].into_iter().zip(PEERS) {
            client.bind(&mut world, number, peer);
        }
        let [end, keep] = if gone == 0 { [V4, V6] } else { [V6, V4] };
        if freed {
            refresh(&mut world, &mut client, 0, end);
        } else {
            refresh(&mut world, &mut client, 1200, keep);
            world.pass(590);
            for (number, peer) in [0x4000, 0x4001].into_iter().zip(PEERS) {
                client.bind(&mut world, number, peer);
            }
            world.pass(10);
        }
        let numbers = [0x4000, 0x4001];
        assert_eq!(
            client.send_by_channel(&mut world, numbers[gone], b"x"),
            Heard::Dropped(DropReason::ChannelUnbound)
        );
        assert_eq!(
            client.send(&mut world, PEERS[gone], b"x"),
            Heard::Dropped(DropReason::NoPermission)
        );
        let still = client.send_by_channel(&mut world, numbers[1 - gone], b"x");
        assert!(matches!(still, Heard::Peer { .. }), "{still:?}");
        let other = ["8.8.8.9:1", "[2606:4700::8]:1"][1 - gone];
        assert_eq!(
            error_code(&client.permit(&mut world, other)),
            0,
            "there is room again"
        );
    }
}

#[test]
fn a_client_that_came_by_the_other_family_gets_the_fallback() {
    let fallback = RelayAddress::new(ip("192.0.2.9"), ip("192.0.2.9")).unwrap();
    let mut world =
        World::with(|config| config.relay = RelayAddresses::new(vec![], Some(fallback), None).unwrap());
    let mut client = Client::alice(1000).at("[2606:4700::7]:1000", "[2606:4700::1]:3478");
    assert_eq!(client.allocate(&mut world).ip(), ip("192.0.2.9"));
}
