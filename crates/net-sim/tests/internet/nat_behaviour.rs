//! Each behaviour of RFC 4787 by its name.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use net_sim::Behaviour::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
use net_sim::{DropReason, Link, NatConfig};

use crate::support::{EXTERNAL, Home, LAPTOP, ONE, ONE_OTHER_PORT, TWO, at};

#[test]
fn endpoint_independent_mapping_shows_every_server_the_same_address() {
    let mut home = Home::behind(NatConfig::new(EndpointIndependent, EndpointIndependent));
    let seen: HashSet<_> = [ONE, ONE_OTHER_PORT, TWO]
        .map(|server| home.reflexive(server))
        .into();
    assert_eq!(seen.len(), 1);
    assert!(
        seen.iter()
            .all(|address| address.ip() == EXTERNAL.parse::<std::net::IpAddr>().unwrap())
    );
}

#[test]
fn address_dependent_mapping_shows_another_address_to_another_server() {
    let mut home = Home::behind(NatConfig::new(AddressDependent, EndpointIndependent));
    let first = home.reflexive(ONE);
    assert_eq!(home.reflexive(ONE_OTHER_PORT), first);
    assert_ne!(home.reflexive(TWO), first);
}

#[test]
fn address_and_port_dependent_mapping_shows_another_address_to_another_port() {
    let mut home = Home::behind(NatConfig::new(AddressAndPortDependent, EndpointIndependent));
    let seen: HashSet<_> = [ONE, ONE_OTHER_PORT, TWO, ONE]
        .map(|server| home.reflexive(server))
        .into();
    assert_eq!(seen.len(), 3);
}

#[test]
fn endpoint_independent_filtering_lets_anyone_in() {
    assert_eq!(admitted(EndpointIndependent), [true, true, true]);
}

#[test]
fn address_dependent_filtering_lets_other_ports_of_a_contacted_server_in() {
    assert_eq!(admitted(AddressDependent), [true, true, false]);
}

#[test]
fn address_and_port_dependent_filtering_lets_only_the_contacted_endpoint_in() {
    assert_eq!(admitted(AddressAndPortDependent), [true, false, false]);
}

/// Contacts `ONE` and tells whether `ONE`, its other port, and `TWO` get an answer through.
fn admitted(filtering: net_sim::Behaviour) -> [bool; 3] {
    let mut home = Home::behind(NatConfig::new(EndpointIndependent, filtering));
    let external = home.reflexive(ONE);
    [ONE, ONE_OTHER_PORT, TWO].map(|server| home.reaches_laptop(server, external))
}

#[test]
fn nothing_enters_at_a_port_without_a_mapping() {
    let mut home = Home::behind(NatConfig::full_cone());
    assert!(!home.reaches_laptop(ONE, SocketAddr::new(EXTERNAL.parse().unwrap(), 5000)));
    assert_eq!(home.net.dropped(DropReason::NoMapping), 1);
}

#[test]
fn port_preservation_keeps_a_free_port_and_replaces_a_taken_one() {
    let mut home = Home::behind(NatConfig {
        port_preservation: true,
        ..NatConfig::symmetric()
    });
    assert_eq!(home.reflexive(ONE).port(), at(LAPTOP).port());
    assert_ne!(home.reflexive(TWO).port(), at(LAPTOP).port());
}

#[test]
fn a_mapping_ends_after_its_lifetime_without_outbound_datagrams() {
    let mut home = Home::behind(NatConfig::full_cone());
    let external = home.reflexive(ONE);
    home.wait(Duration::from_secs(119));
    assert!(
        home.reaches_laptop(ONE, external),
        "an inbound datagram passes but does not refresh"
    );
    home.wait(Duration::from_secs(2));
    assert!(!home.reaches_laptop(ONE, external));
    assert_ne!(home.reflexive(ONE), external, "the next one is a new mapping");
}

#[test]
fn an_outbound_datagram_renews_the_mapping() {
    let mut home = Home::behind(NatConfig::port_restricted_cone());
    let external = home.reflexive(ONE);
    for _ in 0..3 {
        home.wait(Duration::from_secs(100));
        assert_eq!(home.reflexive(ONE), external);
    }
}

#[test]
fn hairpinning_lets_two_inside_hosts_meet_at_their_external_addresses() {
    let mut home = Home::behind(NatConfig {
        hairpinning: true,
        ..NatConfig::full_cone()
    });
    let phone = home
        .net
        .add_host_behind(home.nat, &["192.168.1.3".parse().unwrap()], Link::perfect());
    let laptop = home.reflexive(ONE);
    home.net.send(phone, at("192.168.1.3:4000"), laptop, b"hi");
    let delivery = home.arrival().unwrap();
    assert_eq!(delivery.host, home.laptop);
    assert_eq!(
        delivery.datagram.source.ip(),
        laptop.ip(),
        "the source is external too (RFC 4787 REQ-9)"
    );
}

#[test]
fn without_hairpinning_they_do_not_meet() {
    let mut home = Home::behind(NatConfig::full_cone());
    let phone = home
        .net
        .add_host_behind(home.nat, &["192.168.1.3".parse().unwrap()], Link::perfect());
    let laptop = home.reflexive(ONE);
    home.net.send(phone, at("192.168.1.3:4000"), laptop, b"hi");
    assert_eq!(home.arrival(), None);
    assert_eq!(home.net.dropped(DropReason::NoHairpinning), 1);
}

#[test]
fn hosts_behind_one_nat_reach_each_other_by_inside_addresses() {
    let mut home = Home::behind(NatConfig::symmetric());
    let phone = home
        .net
        .add_host_behind(home.nat, &["192.168.1.3".parse().unwrap()], Link::perfect());
    home.net.send(home.laptop, at(LAPTOP), at("192.168.1.3:9"), b"hi");
    let delivery = home.arrival().unwrap();
    assert_eq!((delivery.host, delivery.datagram.source), (phone, at(LAPTOP)));
}

#[test]
fn a_nat_behind_a_nat_translates_twice_and_back() {
    let mut home = Home::behind(NatConfig::symmetric());
    let inner = home.net.add_nat_behind(
        home.nat,
        NatConfig::port_restricted_cone(),
        &["100.64.0.9".parse().unwrap()],
        Link::perfect(),
    );
    let tablet = home
        .net
        .add_host_behind(inner, &["10.0.0.5".parse().unwrap()], Link::perfect());
    home.net.send(tablet, at("10.0.0.5:700"), at(ONE), b"out");
    let out = home.arrival().unwrap().datagram;
    assert_eq!(out.source.ip(), EXTERNAL.parse::<std::net::IpAddr>().unwrap());
    home.net.send(home.one, at(ONE), out.source, b"back");
    let back = home.arrival().unwrap();
    assert_eq!(
        (back.host, back.datagram.destination),
        (tablet, at("10.0.0.5:700"))
    );
}

#[test]
fn a_nat_translates_only_into_its_own_family() {
    let mut home = Home::behind(NatConfig::full_cone());
    let v6_only = home
        .net
        .add_host_behind(home.nat, &["fd00::2".parse().unwrap()], Link::perfect());
    home.net
        .send(v6_only, at("[fd00::2]:1"), at("[2001:db8::1]:2"), b"out");
    assert_eq!(home.arrival(), None);
    assert_eq!(home.net.dropped(DropReason::NoExternalAddress), 1);
}
