use super::*;
use crate::types::Family;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_realm_is_short_and_needs_no_quoting() {
    for good in ["example.org", "渡り", &"r".repeat(127)] {
        assert!(Realm::new(good).is_ok(), "{good}");
    }
    for bad in ["", &"r".repeat(128), "a\"b", "a\\b", "a\r\nb", "a\0b"] {
        assert_eq!(Realm::new(bad), Err(ConfigError::Realm), "{bad:?}");
    }
}

#[test]
fn lifetimes_below_the_default_are_raised_and_long_ones_cut() {
    let lifetimes = Lifetimes::default();
    for (asked, granted) in [
        (None, 600),
        (Some(0), 600),
        (Some(777), 777),
        (Some(3600), 3600),
        (Some(u32::MAX), 3600),
    ] {
        assert_eq!(lifetimes.grant(asked), granted, "{asked:?}");
    }
}

#[test]
fn lifetimes_out_of_order_are_refused() {
    let seconds = Duration::from_secs;
    assert!(Lifetimes::new(seconds(5), seconds(5)).is_ok());
    for (default, max) in [
        (seconds(0), seconds(5)),
        (seconds(6), seconds(5)),
        (seconds(1), Duration::MAX),
    ] {
        assert_eq!(Lifetimes::new(default, max), Err(ConfigError::Lifetimes));
    }
}

#[test]
fn a_port_range_is_never_empty() {
    assert!(PortRange::new(50_000, 50_000).is_ok());
    assert_eq!(PortRange::new(50_001, 50_000), Err(ConfigError::PortRange));
    assert_eq!(PortRange::new(0, 50_000), Err(ConfigError::PortRange));
}

#[test]
fn every_port_has_one_owner_and_pairs_stay_together() {
    let range = PortRange::new(49_153, 49_170).unwrap();
    let shares: Vec<_> = (0..3).map(|index| Share::new(index, 3).unwrap()).collect();
    for port in range.bounds() {
        let owner = shares[0].owner(range, port);
        assert!(owner < 3);
        assert!(shares.iter().all(|share| share.owner(range, port) == owner));
        assert_eq!(
            owner,
            shares[0].owner(range, port & !1),
            "port {port} is with its even neighbour"
        );
    }
    assert_eq!(Share::new(3, 3), Err(ConfigError::Share));
}

#[test]
fn a_relay_address_is_an_address_of_one_machine_and_one_family() {
    assert!(RelayAddress::new(ip("10.0.0.1"), ip("192.0.2.1")).is_ok());
    assert_eq!(
        RelayAddress::new(ip("0.0.0.0"), ip("192.0.2.1")),
        Err(ConfigError::NotUnicast(ip("0.0.0.0")))
    );
    assert_eq!(
        RelayAddress::new(ip("ff02::1"), ip("::1")),
        Err(ConfigError::NotUnicast(ip("ff02::1")))
    );
    assert_eq!(
        RelayAddress::new(ip("10.0.0.1"), ip("::1")),
        Err(ConfigError::MixedFamilies(ip("10.0.0.1"), ip("::1")))
    );
}

#[test]
fn two_relay_addresses_never_share_a_form() {
    let address = |local, external| RelayAddress::new(ip(local), ip(external)).unwrap();
    let twice = vec![address("10.0.0.1", "192.0.2.1"), address("10.0.0.2", "192.0.2.1")];
    assert_eq!(
        RelayAddresses::new(twice, None, None),
        Err(ConfigError::Duplicate(ip("192.0.2.1")))
    );
}

#[test]
fn a_fallback_counts_only_where_nothing_is_configured() {
    let v4 = RelayAddress::new(ip("10.0.0.1"), ip("10.0.0.1")).unwrap();
    let v6 = RelayAddress::new(ip("::1"), ip("::1")).unwrap();
    let addresses = RelayAddresses::new(vec![v4], Some(v4), Some(v6)).unwrap();
    assert_eq!(addresses.fallback(Family::V4), None);
    assert_eq!(addresses.fallback(Family::V6), Some(v6));
    assert_eq!(addresses.configured(Family::V4).collect::<Vec<_>>(), [v4]);
    assert_eq!(addresses.configured(Family::V6).count(), 0);
}
