//! NAT behaviour discovery over two addresses and two ports (RFC 5780).

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::net::{IpAddr, SocketAddr};

use stun_core::{Behaviour, BehaviourError, Config, MappedAddress, REPLY_ROOM, Received, Reply, answer};
use stun_wire::{AttributeType as Type, Class, Message, MessageWriter, Method, TransactionId};

const CLIENT: &str = "192.0.2.7:50000";
const A: &str = "10.0.0.1";
const B: &str = "10.0.0.2";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn config() -> Config {
    let behind_nat = |local, external| MappedAddress {
        local: ip(local),
        external: ip(external),
    };
    let pair = [behind_nat(A, "198.51.100.1"), behind_nat(B, "198.51.100.2")];
    Config {
        behaviours: vec![Behaviour::new(pair, [3479, 3480]).unwrap()],
        ..Config::default()
    }
}

fn ask(destination: &str, build: impl FnOnce(&mut MessageWriter<'_>)) -> (Reply, Vec<u8>, usize) {
    let mut buffer = vec![0x55; 4096];
    let mut writer = MessageWriter::new(
        &mut buffer,
        Class::Request,
        Method::BINDING,
        TransactionId([7; 12]),
    )
    .unwrap();
    build(&mut writer);
    let len = writer.finish();
    buffer.truncate(len.max(REPLY_ROOM));
    let received = Received {
        source: address(CLIENT),
        destination: address(destination),
        connected: false,
    };
    let reply = answer(&config(), received, &mut buffer, len).unwrap();
    buffer.truncate(reply.len);
    (reply, buffer, len)
}

fn error_code(bytes: &[u8]) -> Option<u16> {
    Message::parse(bytes)
        .unwrap()
        .error_code()
        .map(|error| error.unwrap().code)
}

#[test]
fn every_answer_tells_its_origin_and_the_other_address_as_the_world_sees_them() {
    let (reply, bytes, _) = ask("10.0.0.1:3479", |_| ());
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(
        message.xor_address(Type::XOR_MAPPED_ADDRESS),
        Some(Ok(address(CLIENT)))
    );
    assert_eq!(
        message.address(Type::RESPONSE_ORIGIN),
        Some(Ok(address("198.51.100.1:3479")))
    );
    assert_eq!(
        message.address(Type::OTHER_ADDRESS),
        Some(Ok(address("198.51.100.2:3480")))
    );
    assert_eq!(
        reply,
        Reply {
            len: 56,
            from: address("10.0.0.1:3479"),
            to: address(CLIENT)
        }
    );
}

#[test]
fn change_request_moves_the_reply_to_the_other_address_the_other_port_or_both() {
    let cases = [
        ("10.0.0.1:3479", 0x0, "10.0.0.1:3479"),
        ("10.0.0.1:3479", 0x2, "10.0.0.1:3480"),
        ("10.0.0.1:3479", 0x4, "10.0.0.2:3479"),
        ("10.0.0.1:3479", 0x6, "10.0.0.2:3480"),
        ("10.0.0.2:3480", 0x6, "10.0.0.1:3479"),
        ("10.0.0.2:3479", 0x2, "10.0.0.2:3480"),
    ];
    for (asked, flags, from) in cases {
        let (reply, bytes, _) = ask(asked, |writer| {
            writer.u32(Type::CHANGE_REQUEST, flags).unwrap();
        });
        assert_eq!((reply.from, reply.to), (address(from), address(CLIENT)));
        let origin = Message::parse(&bytes)
            .unwrap()
            .address(Type::RESPONSE_ORIGIN)
            .unwrap()
            .unwrap();
        assert_eq!(origin, address(&from.replace("10.0.0", "198.51.100")));
        let other = Message::parse(&bytes)
            .unwrap()
            .address(Type::OTHER_ADDRESS)
            .unwrap()
            .unwrap();
        assert!(
            !asked.ends_with(&other.port().to_string()),
            "the other address is the other of the one asked"
        );
    }
}

#[test]
fn response_port_sends_the_reply_to_that_port_of_the_same_client() {
    let (reply, bytes, _) = ask("10.0.0.1:3479", |writer| {
        writer
            .attribute(Type::RESPONSE_PORT, &[0xC3, 0x51, 0, 0])
            .unwrap();
    });
    assert_eq!(reply.to, address("192.0.2.7:50001"));
    let mapped = Message::parse(&bytes)
        .unwrap()
        .xor_address(Type::XOR_MAPPED_ADDRESS);
    assert_eq!(mapped, Some(Ok(address(CLIENT))));
}

#[test]
fn response_port_names_no_service_and_no_padding_goes_with_it() {
    for port in [0_u16, 53, 1023] {
        let (reply, bytes, _) = ask("10.0.0.1:3479", |writer| {
            writer
                .attribute(Type::RESPONSE_PORT, &port.to_be_bytes())
                .unwrap();
        });
        assert_eq!((error_code(&bytes), reply.to), (Some(400), address(CLIENT)));
    }
    let (reply, bytes, _) = ask("10.0.0.1:3479", |writer| {
        writer
            .attribute(Type::RESPONSE_PORT, &[0xC3, 0x51])
            .unwrap()
            .zeros(Type::PADDING, 1500)
            .unwrap();
    });
    assert_eq!((error_code(&bytes), reply.to), (Some(400), address(CLIENT)));
    let (_, bytes, _) = ask("10.0.0.1:3479", |writer| {
        writer.attribute(Type::CHANGE_REQUEST, &[0, 6]).unwrap();
    });
    assert_eq!(error_code(&bytes), Some(400));
}

#[test]
fn padding_comes_back_but_never_makes_the_reply_longer_than_the_request() {
    for asked in [4, 60, 1500, 1501, 3000] {
        let (reply, bytes, len) = ask("10.0.0.1:3479", |writer| {
            writer.attribute(Type::PADDING, &vec![0xFF; asked]).unwrap();
        });
        let message = Message::parse(&bytes).unwrap();
        let padding = message.attribute(Type::PADDING).unwrap_or_default();
        assert!(reply.len <= len.max(56));
        assert!(padding.len() <= asked && padding.iter().all(|byte| *byte == 0));
        assert_eq!(
            reply.len == len,
            asked >= 60,
            "large enough requests come back at full length"
        );
    }
}

#[test]
fn an_answer_never_goes_to_another_of_our_listeners() {
    let config = config();
    let mut buffer = vec![0; REPLY_ROOM];
    let mut writer = MessageWriter::new(
        &mut buffer,
        Class::Request,
        Method::BINDING,
        TransactionId([7; 12]),
    )
    .unwrap();
    writer
        .attribute(Type::RESPONSE_PORT, &3480_u16.to_be_bytes())
        .unwrap();
    let len = writer.finish();
    let received = Received {
        source: address("10.0.0.2:40000"),
        destination: address("10.0.0.1:3479"),
        connected: false,
    };
    let reply = answer(&config, received, &mut buffer, len).unwrap();
    assert_eq!(
        (error_code(&buffer[..reply.len]), reply.to),
        (Some(400), received.source)
    );
}

#[test]
fn a_listener_outside_the_four_discovers_nothing() {
    let (reply, bytes, _) = ask("10.0.0.1:3478", |_| ());
    assert_eq!(reply.len, 32);
    assert_eq!(
        Message::parse(&bytes).unwrap().attribute(Type::OTHER_ADDRESS),
        None
    );
}

#[test]
fn a_classic_client_is_told_the_same_in_its_own_words() {
    let mut buffer = vec![0; REPLY_ROOM];
    buffer[..28].copy_from_slice(b"\x00\x01\x00\x08sixteen byte id!\x00\x03\x00\x04\x00\x00\x00\x06");
    let config = Config {
        classic: true,
        ..config()
    };
    let received = Received {
        source: address(CLIENT),
        destination: address("10.0.0.1:3479"),
        connected: false,
    };
    let reply = answer(&config, received, &mut buffer, 28).unwrap();
    assert_eq!(reply.from, address("10.0.0.2:3480"));
    let message = Message::parse_classic(&buffer[..reply.len]).unwrap();
    assert_eq!(
        message.address(Type::SOURCE_ADDRESS),
        Some(Ok(address("198.51.100.2:3480")))
    );
    assert_eq!(
        message.address(Type::CHANGED_ADDRESS),
        Some(Ok(address("198.51.100.2:3480")))
    );
}

#[test]
fn a_pair_that_cannot_serve_is_refused_with_its_reason() {
    let new = |a: &str, b: &str, ports| Behaviour::new([ip(a).into(), ip(b).into()], ports).unwrap_err();
    assert_eq!(new(A, A, [1, 2]), BehaviourError::SameAddress);
    assert_eq!(new(A, "::1", [1, 2]), BehaviourError::Families);
    assert_eq!(new(A, "0.0.0.0", [1, 2]), BehaviourError::Unspecified);
    assert_eq!(new(A, B, [2, 2]), BehaviourError::SamePort);
    assert_eq!(new(A, B, [0, 2]), BehaviourError::ZeroPort);
    let four = Behaviour::new([ip(A).into(), ip(B).into()], [1, 2])
        .unwrap()
        .listeners();
    assert_eq!(
        four.map(|listener| listener.to_string()),
        ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1", "10.0.0.2:2"]
    );
}
