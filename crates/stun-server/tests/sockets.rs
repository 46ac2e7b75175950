//! A running server, asked over real sockets.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use lifecycle::Shutdown;
use stun_server::{Behaviour, BehaviourAddress, Config, Running, Surroundings, start};
use stun_wire::{AttributeType, Class, Message, MessageWriter, Method, TransactionId};
use telemetry::{Health, prometheus::Registry};

fn running(config: &Config, registry: &Registry) -> (Running, Shutdown) {
    let shutdown = Shutdown::new();
    (
        start(
            config,
            Surroundings::new(registry, &Health::new(), shutdown.clone()),
        )
        .unwrap(),
        shutdown,
    )
}

fn listening_on(address: &str) -> Config {
    Config {
        listen: vec![address.parse().unwrap()],
        ..Config::default()
    }
}

fn client(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// A Binding request; `change` is the value of CHANGE-REQUEST (RFC 5780 §7.2).
fn request(change: Option<u32>) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    let id = TransactionId([7; 12]);
    let mut writer = MessageWriter::new(&mut bytes, Class::Request, Method::BINDING, id).unwrap();
    if let Some(change) = change {
        writer.u32(AttributeType::CHANGE_REQUEST, change).unwrap();
    }
    let len = writer.finish();
    bytes.truncate(len);
    bytes
}

/// Asks and returns who answered and the address that was mapped.
fn ask(client: &UdpSocket, server: SocketAddr, change: Option<u32>) -> (SocketAddr, SocketAddr) {
    client.send_to(&request(change), server).unwrap();
    let mut bytes = [0; 512];
    let (len, source) = client.recv_from(&mut bytes).unwrap();
    let message = Message::parse(&bytes[..len]).unwrap();
    assert_eq!(message.class(), Class::Success);
    (
        source,
        message
            .xor_address(AttributeType::XOR_MAPPED_ADDRESS)
            .unwrap()
            .unwrap(),
    )
}

/// Waits until a metric's samples add up to at least `value`.
fn wait_for(registry: &Registry, metric: &str, reason: &str, value: f64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let families = registry.gather();
        let samples = families
            .iter()
            .filter(|family| family.name() == metric)
            .flat_map(|family| family.get_metric());
        let counted: f64 = samples
            .filter(|sample| {
                reason.is_empty() || sample.get_label().iter().any(|label| label.value() == reason)
            })
            .map(|sample| sample.get_counter().get_value())
            .sum();
        if counted >= value {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{metric} {reason} is {counted}, not {value}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn both_families_learn_their_address() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let registry = Registry::new();
        let (server, _shutdown) = running(&listening_on(address), &registry);
        let listener = server.listeners()[0];
        let client = client(address);
        assert_eq!(
            ask(&client, listener, None),
            (listener, client.local_addr().unwrap())
        );
        wait_for(&registry, "stun_binding_requests_total", "", 1.0);
    }
}

#[test]
fn a_wildcard_listener_answers_from_the_address_that_was_asked() {
    let (server, _shutdown) = running(&listening_on("0.0.0.0:0"), &Registry::new());
    let asked = SocketAddr::new("127.0.0.3".parse().unwrap(), server.listeners()[0].port());
    assert_eq!(ask(&client("127.0.0.1:0"), asked, None).0, asked);
}

/// RFC 5780 §7.2: 4 asks for another address, 2 for another port.
#[test]
fn the_answer_leaves_from_the_address_and_port_that_were_wished_for() {
    // Free on the first address is most likely free on the second; if not, try other ports.
    for _ in 0..20 {
        let ports = [(); 2].map(|()| client("127.0.0.1:0").local_addr().unwrap().port());
        let [one, other] = ["127.0.0.1", "127.0.0.2"].map(|ip| ip.parse().unwrap());
        let addresses = [one, other]
            .map(|local| BehaviourAddress {
                local,
                external: None,
            })
            .into();
        let config = Config {
            listen: Vec::new(),
            behaviour: Behaviour { addresses, ports },
            ..Config::default()
        };
        let Ok(server) = start(
            &config,
            Surroundings::new(&Registry::new(), &Health::new(), Shutdown::new()),
        ) else {
            continue;
        };
        assert_eq!(server.listeners().len(), 4);
        let client = client("127.0.0.1:0");
        let [port, other_port] = ports;
        for (change, ip, port) in [
            (0, one, port),
            (2, one, other_port),
            (4, other, port),
            (6, other, other_port),
        ] {
            let answered_from = ask(&client, server.listeners()[0], Some(change)).0;
            assert_eq!(
                answered_from,
                SocketAddr::new(ip, port),
                "CHANGE-REQUEST {change}"
            );
        }
        return;
    }
    panic!("no two ports are free on both addresses");
}

#[test]
fn what_is_not_a_request_costs_a_counter_at_any_length() {
    let registry = Registry::new();
    let (server, _shutdown) = running(&listening_on("127.0.0.1:0"), &registry);
    let listener = server.listeners()[0];
    let client = client("127.0.0.1:0");
    let lengths = [0, 1, 4, 19, 20, 21, 576, 1500, 9000, 65_507];
    for (sent, length) in lengths.into_iter().enumerate() {
        client.send_to(&vec![0; length], listener).unwrap();
        wait_for(
            &registry,
            "stun_dropped_datagrams_total",
            "malformed",
            (sent + 1) as f64,
        );
    }
    assert_eq!(ask(&client, listener, None).0, listener);
}

#[tokio::test]
async fn a_shutdown_ends_it_and_frees_the_port() {
    let (server, shutdown) = running(&listening_on("127.0.0.1:0"), &Registry::new());
    let listener = server.listeners()[0];
    shutdown.request();
    server.finished().await.unwrap();
    UdpSocket::bind(listener).unwrap();
}
