use std::collections::HashSet;

use super::*;

const LIMITS: AddressLimits = AddressLimits {
    connections: 3,
    connections_per_address: 2,
    arrivals: Rate {
        per_second: 1,
        burst: 4,
    },
    requests: Rate {
        per_second: 1,
        burst: 2,
    },
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn from(peer: &str, forwarded: &[&str], trusted: &[&str]) -> IpAddr {
    let mut headers = HeaderMap::new();
    for list in forwarded {
        headers.append("x-forwarded-for", list.parse().unwrap());
    }
    let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
    client_address(Some(SocketAddr::new(ip(peer), 1234)), &headers, &trusted)
}

#[test]
fn a_header_from_a_stranger_is_not_believed() {
    assert_eq!(from("192.0.2.9", &["203.0.113.1"], &[]), ip("192.0.2.9"));
    assert_eq!(
        from("192.0.2.9", &["203.0.113.1"], &["127.0.0.0/8"]),
        ip("192.0.2.9")
    );
}

#[test]
fn a_trusted_proxys_entry_is_read_from_the_right() {
    let trusted = ["127.0.0.0/8", "10.0.0.0/8"];
    let invented = "198.51.100.1, 203.0.113.1";
    assert_eq!(from("127.0.0.1", &[invented], &trusted), ip("203.0.113.1"));
    assert_eq!(
        from("::ffff:127.0.0.1", &[invented, "10.1.2.3"], &trusted),
        ip("203.0.113.1")
    );
    assert_eq!(
        from("127.0.0.1", &["[2001:db8::1]:443"], &trusted),
        ip("2001:db8::1")
    );
}

#[test]
fn an_unreadable_entry_leaves_the_proxys_own_address() {
    let trusted = ["127.0.0.0/8"];
    for entry in ["unknown", "", "203.0.113.1, _hidden"] {
        assert_eq!(from("127.0.0.1", &[entry], &trusted), ip("127.0.0.1"));
    }
}

#[test]
fn an_address_gets_its_share_of_connections_and_gets_it_back() {
    let addresses = Addresses::new(LIMITS, b"secret");
    let now = Instant::now();
    let first = addresses.connect(ip("192.0.2.1"), now).unwrap();
    let _second = addresses.connect(ip("192.0.2.1"), now).unwrap();
    let third = addresses.connect(ip("192.0.2.1"), now);
    assert_eq!(third.unwrap_err(), Crowded::Address);
    drop(first);
    assert!(addresses.connect(ip("192.0.2.1"), now).is_ok());
}

#[test]
fn an_address_that_comes_and_goes_too_fast_has_to_wait() {
    let addresses = Addresses::new(LIMITS, b"secret");
    let now = Instant::now();
    for _ in 0..4 {
        drop(addresses.connect(ip("192.0.2.1"), now).unwrap());
    }
    let fifth = addresses.connect(ip("192.0.2.1"), now);
    assert_eq!(fifth.unwrap_err(), Crowded::Arrivals(Duration::from_secs(1)));
    let later = now + Duration::from_secs(1);
    assert!(addresses.connect(ip("192.0.2.1"), later).is_ok());
}

#[test]
fn the_server_takes_so_many_connections_in_all() {
    let addresses = Addresses::new(LIMITS, b"secret");
    let now = Instant::now();
    let leases: Vec<_> = (1..=3)
        .map(|last| addresses.connect(IpAddr::from([192, 0, 2, last]), now))
        .collect();
    assert!(leases.iter().all(Result::is_ok));
    let fourth = addresses.connect(ip("192.0.2.4"), now);
    assert_eq!(fourth.unwrap_err(), Crowded::Server);
}

#[test]
fn addresses_of_one_ipv6_network_share_what_they_may_use() {
    let addresses = Addresses::new(LIMITS, b"secret");
    let now = Instant::now();
    assert!(addresses.request(ip("2001:db8::1"), now).is_ok());
    assert!(addresses.request(ip("2001:db8::2"), now).is_ok());
    assert!(addresses.request(ip("2001:db8::3"), now).is_err());
    assert!(addresses.request(ip("2001:db8:0:1::3"), now).is_ok());
}

#[test]
fn the_table_does_not_grow_with_the_strangers_and_idle_ones_are_forgotten() {
    let addresses = Addresses::new(LIMITS, b"secret");
    let now = Instant::now();
    for number in 0..(Addresses::MAX_SUBSCRIBERS as u32 + 5_000) {
        let _ = addresses.request(IpAddr::from(number.to_be_bytes()), now);
    }
    assert_eq!(addresses.lock().subscribers.len(), Addresses::MAX_SUBSCRIBERS + 1);
    assert!(addresses.request(ip("192.0.2.1"), now).is_err(), "crowd");

    let later = now + Duration::from_secs(2);
    assert!(addresses.request(ip("192.0.2.1"), later).is_ok());
    assert_eq!(addresses.lock().subscribers.len(), 1);
}

#[test]
fn one_subscriber_has_few_relay_users_however_often_it_connects() {
    let limits = AddressLimits {
        connections: 1000,
        connections_per_address: 1000,
        arrivals: Rate {
            per_second: 1,
            burst: 1000,
        },
        ..LIMITS
    };
    let addresses = Addresses::new(limits, b"secret");
    let now = Instant::now();
    let users = |address: &str| -> HashSet<String> {
        let connect = |_| {
            addresses
                .connect(ip(address), now)
                .unwrap()
                .relay_user()
                .to_owned()
        };
        (0..100).map(connect).collect()
    };
    let first = users("2001:db8::1");
    assert_eq!(first.len(), 8);
    assert_eq!(users("2001:db8::ffff:2"), first, "the same /64");
    for other in ["2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"] {
        assert!(users(other).is_disjoint(&first), "{other}");
    }
}

#[test]
fn neighbouring_connections_are_different_relay_users() {
    let addresses = Addresses::new(LIMITS, b"secret");
    let connect = || addresses.connect(ip("192.0.2.1"), Instant::now()).unwrap();
    let (first, second) = (connect(), connect());
    assert_ne!(first.relay_user(), second.relay_user());
    let elsewhere = Addresses::new(LIMITS, b"another");
    let stranger = elsewhere.connect(ip("192.0.2.1"), Instant::now()).unwrap();
    assert_ne!(stranger.relay_user(), first.relay_user(), "another key");
}

#[test]
fn servers_that_share_a_secret_give_an_address_the_same_relay_users() {
    let users = || -> HashSet<String> {
        let addresses = Addresses::new(LIMITS, b"shared");
        let connect = |_| addresses.connect(ip("192.0.2.1"), Instant::now()).unwrap();
        (0..2).map(|turn| connect(turn).relay_user().to_owned()).collect()
    };
    assert_eq!(users(), users());
}
