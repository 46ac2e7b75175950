use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// THREATS 2: every spelling of an IPv4 address.
fn spellings(v4: Ipv4Addr) -> [Ipv6Addr; 12] {
    let bits = u128::from(v4.to_bits());
    let (high, low) = (bits >> 16, bits & 0xffff);
    let prefix = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits();
    [
        bits,
        prefix("::ffff:0:0") | bits,
        prefix("::ffff:0:0:0") | bits,
        prefix("2002::1") | bits << 80,
        prefix("64:ff9b::") | bits,
        prefix("64:ff9b:1::") | bits,
        prefix("64:ff9b:1::") | high << 64 | low << 40,
        prefix("2606:4700::5efe:0:0") | bits,
        prefix("2606:4700::200:5efe:0:0") | bits,
        prefix("fe80::5efe:0:0") | bits,
        prefix("2001::") | bits << 64 | !u128::from(Ipv4Addr::new(8, 8, 8, 8).to_bits()) & 0xffff_ffff,
        prefix("2001:0:808:808::") | !bits & 0xffff_ffff,
    ]
    .map(Ipv6Addr::from_bits)
}

#[test]
fn the_unspecified_and_loopback_addresses_are_refused() {
    for text in ["0.0.0.0", "::", "::1", "127.0.0.1", "127.255.255.254"] {
        assert!(!PeerPolicy::default().allows(ip(text)), "{text}");
    }
}

#[test]
fn private_and_special_networks_are_refused_by_default() {
    let refused = [
        "10.1.2.3",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "192.88.99.1",
        "168.63.129.16",
        "0.1.2.3",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "100::1",
        "100:0:0:1::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "2001:2::1",
        "2001:10::1",
        "64:ff9b:1::1",
        "febf:ffff::1",
        "fdff:ffff::1",
    ];
    for text in refused {
        assert!(!PeerPolicy::default().allows(ip(text)), "{text}");
    }
}

#[test]
fn ordinary_addresses_are_allowed_by_default() {
    let allowed = [
        "8.8.8.8",
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00::1",
        "2001:4860:4860::8888",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ];
    for text in allowed {
        assert!(PeerPolicy::default().allows(ip(text)), "{text}");
    }
}

#[test]
fn every_special_ipv4_network_is_refused_in_every_ipv6_spelling() {
    let policy = PeerPolicy::new(&nets(&["::/0"]), &[]);
    let special = SPECIAL_PURPOSE.iter().filter(|network| network.v4);
    for network in special {
        let size = 1_u128 << (32 - network.prefix);
        for bits in [network.base, network.base + size / 2, network.base + size - 1] {
            let v4 = Ipv4Addr::from_bits(u32::try_from(bits).unwrap());
            for spelling in spellings(v4) {
                assert!(
                    !policy.allows(spelling.into()),
                    "{v4} as {spelling}, though IPv6 is wide open"
                );
                assert!(
                    !PeerPolicy::default().allows(spelling.into()),
                    "{v4} as {spelling}"
                );
            }
        }
    }
}

#[test]
fn a_denied_network_is_denied_in_every_ipv6_spelling() {
    let policy = PeerPolicy::new(&nets(&["::/0"]), &nets(&["8.8.4.0/24"]));
    for spelling in spellings(Ipv4Addr::new(8, 8, 4, 4)) {
        assert!(!policy.allows(spelling.into()), "{spelling}");
    }
    for spelling in spellings(Ipv4Addr::new(8, 8, 8, 8)) {
        assert!(policy.allows(spelling.into()), "{spelling}");
    }
}

#[test]
fn an_allowed_network_overrides_the_defaults() {
    let policy = PeerPolicy::new(&nets(&["10.1.0.0/16", "::1/128"]), &[]);
    assert!(policy.allows(ip("10.1.2.3")));
    assert!(policy.allows(ip("::1")));
    assert!(!policy.allows(ip("10.2.2.3")));
    assert!(!policy.allows(ip("127.0.0.1")));
}

#[test]
fn the_most_specific_rule_decides_and_a_tie_denies() {
    let policy = PeerPolicy::new(
        &nets(&["10.0.0.0/8", "10.1.2.0/24", "20.0.0.0/16"]),
        &nets(&["10.1.0.0/16", "20.0.0.0/16", "8.8.8.8/32"]),
    );
    for (text, allowed) in [
        ("10.9.9.9", true),
        ("10.1.9.9", false),
        ("10.1.2.9", true),
        ("20.0.0.1", false),
        ("8.8.8.8", false),
    ] {
        assert_eq!(policy.allows(ip(text)), allowed, "{text}");
    }
}

#[test]
fn networks_of_one_family_never_hold_addresses_of_the_other() {
    assert!(!Network::from(nets(&["0.0.0.0/0"])[0]).contains(ip("::1")));
    assert!(!Network::from(nets(&["::/0"])[0]).contains(ip("1.2.3.4")));
}

proptest! {
    /// THREATS 3: the answer is the one a comparison of whole integers gives.
    #[test]
    fn an_ipv6_network_holds_what_lies_between_its_first_and_last_address(
        base in any::<u128>(), prefix in 0_u8..=128, near in any::<u128>(),
    ) {
        let network = IpNet::new(Ipv6Addr::from_bits(base).into(), prefix).unwrap();
        let below = near.checked_shr(u32::from(prefix)).unwrap_or(0);
        for bits in [near, base, base ^ below, base.wrapping_add(below)] {
            let (IpAddr::V6(first), IpAddr::V6(last)) = (network.network(), network.broadcast()) else { unreachable!() };
            let between = (first.to_bits()..=last.to_bits()).contains(&bits);
            prop_assert_eq!(Network::from(network).contains(Ipv6Addr::from_bits(bits).into()), between);
        }
    }

    #[test]
    fn an_ipv4_network_holds_what_lies_between_its_first_and_last_address(
        base in any::<u32>(), prefix in 0_u8..=32, near in any::<u32>(),
    ) {
        let network = IpNet::new(Ipv4Addr::from_bits(base).into(), prefix).unwrap();
        let below = near.checked_shr(u32::from(prefix)).unwrap_or(0);
        for bits in [near, base, base ^ below, base.wrapping_add(below)] {
            let (IpAddr::V4(first), IpAddr::V4(last)) = (network.network(), network.broadcast()) else { unreachable!() };
            let between = (first.to_bits()..=last.to_bits()).contains(&bits);
            prop_assert_eq!(Network::from(network).contains(Ipv4Addr::from_bits(bits).into()), between);
        }
    }
}
