use std::path::PathBuf;

use certificates::PairConfig;
use signaling_load::sockets::Process;

use super::{super::finding::Grade, *};

fn relay(pairs: usize, has_dtls: bool) -> Relay {
    let pair = PairConfig {
        certificate: PathBuf::from("/c"),
        key: PathBuf::from("/k"),
        awaited: false,
    };
    Relay {
        listeners: Vec::new(),
        config: turn_server::Config::default(),
        account: Account::None { why: String::new() },
        pairs: vec![pair; pairs],
        has_dtls,
    }
}

fn ours(part: Part, address: &str) -> (Listener, Place) {
    let listener = Listener {
        part,
        address: address.parse().unwrap(),
    };
    let process = Process {
        pid: 1,
        name: "watari".to_owned(),
    };
    (listener, Place::Ours(process))
}

fn tried(mut relay: Relay, places: &[(Listener, Place)]) -> Vec<(&'static str, SocketAddr)> {
    relay.listeners = places.iter().map(|(listener, _)| listener.clone()).collect();
    let ways = ways(&relay, places);
    ways.iter()
        .map(|way| (way.transport.word(), way.server))
        .collect()
}

/// To a relay of IPv4.
fn by(transport: Transport, server: &str) -> Way {
    Way {
        transport,
        server: server.parse().unwrap(),
        relay_is_ipv4: true,
    }
}

#[test]
fn every_transport_is_tried_where_it_is_listened_for() {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let mut places = vec![
        ours(Part::TurnTcp, "192.0.2.1:3478"),
        ours(Part::Turn, "192.0.2.1:3478"),
        ours(Part::Page, "127.0.0.1:3001"),
    ];
    let (first, tls) = (address("192.0.2.1:3478"), address("192.0.2.1:5349"));
    assert_eq!(tried(relay(0, false), &places), [("UDP", first), ("TCP", first)]);
    assert_eq!(
        tried(relay(1, true), &places),
        [("UDP", first), ("TCP", first), ("TLS", first), ("DTLS", first)]
    );
    places.push(ours(Part::TurnTls, "192.0.2.1:5349"));
    assert_eq!(
        tried(relay(1, false), &places),
        [("UDP", first), ("TCP", first), ("TLS", tls)]
    );
    places[0].1 = Place::Free;
    assert_eq!(tried(relay(1, false), &places), [("UDP", first), ("TLS", tls)]);
}

#[test]
fn what_listens_for_another_relay_is_not_tried_as_this_one() {
    let places = [
        ours(Part::Turn, "192.0.2.1:3478"),
        ours(Part::Turn, "192.0.2.1:3480"),
    ];
    let mut relay = relay(0, false);
    relay.listeners.push(places[1].0.clone());
    let servers: Vec<_> = ways(&relay, &places).iter().map(|way| way.server).collect();
    assert_eq!(servers, [places[1].0.address]);
}

#[test]
fn a_relay_of_the_other_family_is_asked_for_where_there_is_no_other() {
    let mut relay = relay(0, false);
    assert!(relay_family(&relay, true) && !relay_family(&relay, false));
    relay.config.relay.addresses.push(turn_server::RelayAddress {
        local: None,
        external: Some("203.0.113.7".parse().unwrap()),
    });
    assert!(relay_family(&relay, true) && relay_family(&relay, false));
}

#[test]
fn connections_that_would_have_to_begin_as_a_proxys_are_not_tried() {
    let mut relay = relay(0, false);
    relay.config.proxy_protocol.from = vec!["127.0.0.0/8".parse().unwrap()];
    let tcp = by(Transport::Tcp, "127.0.0.1:3478");
    assert!(is_proxied(&relay, tcp) && is_proxied(&relay, by(Transport::Tls, "127.0.0.1:5349")));
    assert!(!is_proxied(&relay, by(Transport::Udp, "127.0.0.1:3478")));
    assert!(!is_proxied(&relay, by(Transport::Tcp, "192.0.2.1:3478")));
    let told = judge(tcp, Err(Trouble::Proxied), "");
    assert!(
        told.grade == Grade::Note && told.what.contains("turn.proxy_protocol.from"),
        "{told:?}"
    );
}

#[test]
fn each_trouble_says_what_to_do() {
    let way = by(Transport::Tcp, "192.0.2.1:3478");
    let judged = |trouble| judge(way, Err(trouble), "/s/secrets.toml");
    let wrong = judged(Trouble::Refused(Some(401)));
    assert_eq!(wrong.grade, Grade::Problem);
    assert!(
        wrong.what.contains("TURN over TCP at 192.0.2.1:3478"),
        "{wrong:?}"
    );
    assert!(wrong.what.contains("/s/secrets.toml"), "{wrong:?}");
    assert!(judged(Trouble::Silent).todo.unwrap().contains("tcp port 3478"));
    assert!(
        judged(Trouble::Refused(Some(486)))
            .todo
            .unwrap()
            .contains("allocations_per_user")
    );
    assert_eq!(judged(Trouble::PeerRefused).grade, Grade::Warning);
}

#[test]
fn what_could_not_be_tried_is_no_problem_of_the_server() {
    let way = by(Transport::Tls, "192.0.2.1:5349");
    let judged = |trouble| judge(way, Err(trouble), "");
    let nameless = judged(Trouble::Uncertified(Uncertified::Nameless));
    assert_eq!(nameless.grade, Grade::Warning);
    assert!(nameless.todo.unwrap().contains("subjectAltName"));
    let unsent = judged(Trouble::Line(io::ErrorKind::PermissionDenied.into()));
    assert_eq!(unsent.grade, Grade::Warning);
    assert!(unsent.todo.unwrap().contains("nft"));
    let awaited = PairConfig {
        certificate: PathBuf::from("/nowhere/c"),
        key: PathBuf::from("/nowhere/k"),
        awaited: true,
    };
    assert_eq!(Expected::first(&[awaited]).unwrap_err(), Uncertified::Awaited);
}
