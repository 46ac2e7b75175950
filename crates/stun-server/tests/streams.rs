//! A running server, asked over TCP and TLS.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use certificates::{Certificates, PairConfig};
use lifecycle::Shutdown;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use stun_server::{Behaviour, BehaviourAddress, Config, Running, Surroundings, start};
use stun_wire::{
    AttributeType as Type, Class, Message, MessageWriter, Method, TransactionId,
    stream::{Frame, next_frame},
};
use telemetry::{Health, prometheus::Registry};

fn running(config: &Config, certificates: Option<&Certificates>) -> (Running, Registry) {
    let (registry, health) = (Registry::new(), Health::new());
    let mut surroundings = Surroundings::new(&registry, &health, Shutdown::new());
    if let Some(certificates) = certificates {
        surroundings = surroundings.with_certificates(certificates.clone());
    }
    let running = start(config, surroundings).unwrap();
    (running, registry)
}

fn listening_on(address: &str) -> Config {
    Config {
        listen: vec![address.parse().unwrap()],
        workers: 2,
        ..Config::default()
    }
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn request(change: Option<u32>) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    let id = TransactionId([7; 12]);
    let mut writer = MessageWriter::new(&mut bytes, Class::Request, Method::BINDING, id).unwrap();
    if let Some(change) = change {
        writer.u32(Type::CHANGE_REQUEST, change).unwrap();
    }
    let len = writer.finish();
    bytes.truncate(len);
    bytes
}

fn answer(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !matches!(next_frame(&bytes), Frame::Complete { .. }) {
        let mut more = [0; 512];
        let len = stream.read(&mut more).unwrap();
        assert!(len > 0, "closed before an answer");
        bytes.extend_from_slice(&more[..len]);
    }
    bytes
}

/// Asks twice on the same connection and returns the address that was mapped.
fn mapped(mut stream: impl Read + Write) -> SocketAddr {
    let mut addresses = [(); 2].map(|()| {
        stream.write_all(&request(None)).unwrap();
        let answer = answer(&mut stream);
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.class(), Class::Success);
        message.xor_address(Type::XOR_MAPPED_ADDRESS).unwrap().unwrap()
    });
    addresses.sort();
    assert_eq!(addresses[0], addresses[1]);
    addresses[0]
}

fn counted(registry: &Registry, transport: &str, value: f64) {
    for _ in 0..1000 {
        let families = registry.gather();
        let of_transport: f64 = families
            .iter()
            .filter(|family| family.name() == "stun_binding_requests_total")
            .flat_map(|family| family.get_metric())
            .filter(|sample| sample.get_label().iter().any(|label| label.value() == transport))
            .map(|sample| sample.get_counter().get_value())
            .sum();
        if of_transport == value {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("not {value} requests over {transport}");
}

#[test]
fn both_families_learn_their_address_over_tcp_and_tls() {
    let folder = tempfile::tempdir().unwrap();
    let minted = rcgen::generate_simple_self_signed(["stun.example.org".to_owned()]).unwrap();
    let pair = PairConfig {
        certificate: folder.path().join("certificate.pem"),
        key: folder.path().join("key.pem"),
        awaited: false,
    };
    fs::write(&pair.certificate, minted.cert.pem()).unwrap();
    fs::write(&pair.key, minted.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(minted.cert.der().clone()).unwrap();
    let tls = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = Arc::new(tls);
    let certificates = Certificates::load(&[pair]).unwrap();
    let mut total = 0.0;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (server, registry) = running(&listening_on(address), Some(&certificates));
        let listener = server.tcp_listeners()[0];
        assert_eq!(listener.ip(), server.listeners()[0].ip());
        let stream = connect(listener);
        let home = stream.local_addr().unwrap();
        assert_eq!(mapped(stream), home);

        let stream = connect(listener);
        let home = stream.local_addr().unwrap();
        let name = "stun.example.org".try_into().unwrap();
        let session = ClientConnection::new(Arc::clone(&tls), name).unwrap();
        assert_eq!(mapped(StreamOwned::new(session, stream)), home);
        // The counter is of the process.
        total += 2.0;
        counted(&registry, "tcp", total);
        counted(&registry, "tls", total);
    }
}

/// RFC 5780 §7.2 moves the source of a datagram; nothing can come from elsewhere on a connection.
#[test]
fn discovery_is_unknown_on_a_stream() {
    for _ in 0..20 {
        let free = || {
            std::net::UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port()
        };
        let addresses = ["127.0.0.1", "127.0.0.2"].map(|local| BehaviourAddress {
            local: local.parse().unwrap(),
            external: None,
        });
        let config = Config {
            listen: Vec::new(),
            behaviour: Behaviour {
                addresses: addresses.into(),
                ports: [free(), free()],
            },
            ..Config::default()
        };
        let (registry, health) = (Registry::new(), Health::new());
        let Ok(server) = start(&config, Surroundings::new(&registry, &health, Shutdown::new())) else {
            continue;
        };
        assert_eq!(server.tcp_listeners(), server.listeners());
        let mut stream = connect(server.tcp_listeners()[0]);
        stream.write_all(&request(Some(6))).unwrap();
        let refused = answer(&mut stream);
        let refused = Message::parse(&refused).unwrap();
        assert_eq!(refused.error_code().unwrap().unwrap().code, 420);
        // It goes on being a STUN server.
        stream.write_all(&request(None)).unwrap();
        let plain = answer(&mut stream);
        let plain = Message::parse(&plain).unwrap();
        assert_eq!(plain.class(), Class::Success);
        assert!(plain.attribute(Type::OTHER_ADDRESS).is_none());
        return;
    }
    panic!("no two ports are free on both addresses");
}

#[test]
fn garbage_ends_a_connection_and_silence_does_too() {
    let mut config = listening_on("127.0.0.1:0");
    config.streams.handshake = 1;
    let (server, _registry) = running(&config, None);
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\x16\x03\x01\x00\x01\x01",
        b"\x00\x01\x00\x00abcd",
        b"",
    ] {
        let mut stream = connect(server.tcp_listeners()[0]);
        stream.write_all(bytes).unwrap();
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(ended.is_ok() || ended.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
        assert!(rest.is_empty());
    }
}
