//! What a Binding server answers, and whom it does not.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::net::SocketAddr;

use stun_core::{Config, REPLY_ROOM, Received, Refused, Reply, answer};
use stun_wire::{AttributeType as Type, Class, Message, MessageWriter, Method, ParseError, TransactionId};

const ID: TransactionId = TransactionId(*b"twelve bytes");
const V4: (&str, &str) = ("192.0.2.7:50000", "198.51.100.1:3478");
const V6: (&str, &str) = ("[2001:db8::7]:50000", "[2001:db8:1::1]:3478");

fn received((source, destination): (&str, &str)) -> Received {
    Received {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        connected: false,
    }
}

fn request(build: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
    message(Class::Request, Method::BINDING, build)
}

fn message(class: Class, method: Method, build: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
    let mut out = vec![0xAA; 2048];
    let mut writer = MessageWriter::new(&mut out, class, method, ID).unwrap();
    build(&mut writer);
    let len = writer.finish();
    out.truncate(len);
    out
}

fn ask(config: &Config, received: Received, datagram: &[u8]) -> Result<(Reply, Vec<u8>), Refused> {
    let mut buffer = datagram.to_vec();
    buffer.resize(datagram.len().max(REPLY_ROOM), 0x55);
    let reply = answer(config, received, &mut buffer, datagram.len())?;
    buffer.truncate(reply.len);
    Ok((reply, buffer))
}

#[test]
fn a_bare_request_gets_its_address_in_the_fewest_bytes() {
    let config = Config {
        software: Some("watari".into()),
        ..Config::default()
    };
    for (ends, len) in [(V4, 32), (V6, 44)] {
        let received = received(ends);
        let (reply, bytes) = ask(&config, received, &request(|_| ())).unwrap();
        assert_eq!(
            reply,
            Reply {
                len,
                from: received.destination,
                to: received.source
            }
        );
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(
            (message.class(), message.method()),
            (Class::Success, Method::BINDING)
        );
        assert_eq!(message.transaction_id(), ID);
        assert_eq!(
            message.xor_address(Type::XOR_MAPPED_ADDRESS),
            Some(Ok(received.source))
        );
        assert_eq!(message.attributes().count(), 1);
    }
}

#[test]
fn software_and_fingerprint_come_only_when_the_request_is_long_enough() {
    let config = Config {
        software: Some("watari 0.1".into()),
        ..Config::default()
    };
    let with_fingerprint = request(|writer| {
        writer.fingerprint().unwrap();
    });
    let (reply, bytes) = ask(&config, received(V4), &with_fingerprint).unwrap();
    assert_eq!(reply.len, 40);
    assert_eq!(Message::parse(&bytes).unwrap().verify_fingerprint(), Some(true));
    assert_eq!(ask(&config, received(V6), &with_fingerprint).unwrap().0.len, 44);

    let long = request(|writer| {
        writer
            .text(Type::SOFTWARE, "a client with a name")
            .unwrap()
            .fingerprint()
            .unwrap();
    });
    let (reply, bytes) = ask(&config, received(V4), &long).unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.software(), Some(Ok("watari 0.1")));
    assert_eq!(message.verify_fingerprint(), Some(true));
    assert!(reply.len * 5 <= long.len() * 8);
}

#[test]
fn software_that_stun_cannot_carry_and_software_for_classic_clients_is_not_sent() {
    let long = request(|writer| {
        writer.attribute(Type::SOFTWARE, &[b'x'; 763]).unwrap();
    });
    for (len, sent) in [(763, true), (764, false)] {
        let config = Config {
            software: Some("y".repeat(len)),
            ..Config::default()
        };
        let (_, bytes) = ask(&config, received(V4), &long).unwrap();
        assert_eq!(Message::parse(&bytes).unwrap().software().is_some(), sent);
    }
    let config = Config {
        software: Some("y".into()),
        classic: true,
        ..Config::default()
    };
    let username = [&[0, 6, 0, 60][..], &[b'x'; 60]].concat();
    assert_eq!(
        ask(&config, received(V4), &classic_request(&username))
            .unwrap()
            .0
            .len,
        32
    );
}

#[test]
fn unknown_attributes_that_must_be_understood_are_listed_in_420() {
    let datagram = request(|writer| {
        writer
            .attribute(Type(0x7001), &[])
            .unwrap()
            .attribute(Type(0xF000), &[1])
            .unwrap();
        writer
            .u32(Type::PRIORITY, 1)
            .unwrap()
            .text(Type::USERNAME, "read over")
            .unwrap();
    });
    let (reply, bytes) = ask(&Config::default(), received(V4), &datagram).unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.class(), Class::Error);
    assert_eq!(message.error_code().unwrap().unwrap().code, 420);
    assert_eq!(
        message.unknown_attributes().collect::<Vec<_>>(),
        [Type(0x7001), Type::PRIORITY]
    );
    assert!(reply.len <= datagram.len());
}

#[test]
fn a_server_with_one_address_does_not_know_the_attributes_of_rfc_5780() {
    for kind in [Type::CHANGE_REQUEST, Type::RESPONSE_PORT, Type::PADDING] {
        let datagram = request(|writer| {
            writer.u32(kind, 0).unwrap();
        });
        let (_, bytes) = ask(&Config::default(), received(V4), &datagram).unwrap();
        assert_eq!(
            Message::parse(&bytes)
                .unwrap()
                .unknown_attributes()
                .collect::<Vec<_>>(),
            [kind]
        );
    }
}

#[test]
fn responses_indications_and_other_methods_are_never_answered() {
    let config = Config::default();
    for class in [Class::Success, Class::Error, Class::Indication] {
        let datagram = message(class, Method::BINDING, |_| ());
        assert_eq!(
            ask(&config, received(V4), &datagram).unwrap_err(),
            Refused::NotRequest
        );
    }
    for method in [Method::ALLOCATE, Method::SHARED_SECRET, Method::from_bits(0xABC)] {
        let datagram = message(Class::Request, method, |_| ());
        assert_eq!(
            ask(&config, received(V4), &datagram).unwrap_err(),
            Refused::NotBinding
        );
    }
}

#[test]
fn our_own_answer_sent_back_to_us_is_not_answered() {
    let (_, bytes) = ask(&Config::default(), received(V4), &request(|_| ())).unwrap();
    assert_eq!(
        ask(&Config::default(), received(V4), &bytes).unwrap_err(),
        Refused::NotRequest
    );
}

#[test]
fn who_set_up_a_connection_is_answered_whatever_his_port() {
    for port in [0, 17, 19, 53, 123] {
        let received = Received {
            connected: true,
            ..received((&format!("192.0.2.7:{port}"), V4.1))
        };
        ask(&Config::default(), received, &request(|_| {})).unwrap();
    }
}

#[test]
fn sources_that_would_answer_back_are_not_answered() {
    let config = Config {
        listeners: vec!["0.0.0.0:3479".parse().unwrap()],
        ..Config::default()
    };
    let refused = |source: &str| {
        ask(&config, received((source, "198.51.100.1:3478")), &request(|_| ()))
            .map(|_| ())
            .unwrap_err()
    };
    for port in [0, 17, 19, 53, 123] {
        assert_eq!(refused(&format!("192.0.2.7:{port}")), Refused::SourcePort);
    }
    for ip in ["0.0.0.0", "224.0.0.1", "255.255.255.255"] {
        assert_eq!(refused(&format!("{ip}:50000")), Refused::SourceAddress);
    }
    for own in ["198.51.100.1:3478", "198.51.100.1:3479", "127.0.0.1:3479"] {
        assert_eq!(refused(own), Refused::OwnListener);
    }
    assert!(
        ask(
            &config,
            received(("192.0.2.7:3479", "198.51.100.1:3478")),
            &request(|_| ())
        )
        .is_ok()
    );
}

#[test]
fn a_wrong_fingerprint_and_noise_are_dropped() {
    let mut datagram = request(|writer| {
        writer.fingerprint().unwrap();
    });
    *datagram.last_mut().unwrap() ^= 1;
    assert_eq!(
        ask(&Config::default(), received(V4), &datagram).unwrap_err(),
        Refused::Fingerprint
    );
    let refused = ask(&Config::default(), received(V4), &[0x40, 0, 0, 0]).unwrap_err();
    assert_eq!(refused, Refused::Malformed(ParseError::TooShort));
    let refused = answer(&Config::default(), received(V4), &mut [0; 20], 21).unwrap_err();
    assert_eq!(refused, Refused::NoRoom);
}

fn classic_request(attributes: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0, 1, 0, attributes.len() as u8];
    datagram.extend_from_slice(b"sixteen byte id!");
    datagram.extend_from_slice(attributes);
    datagram
}

#[test]
fn classic_requests_are_answered_only_behind_the_switch() {
    let datagram = classic_request(&[]);
    let refused = ask(&Config::default(), received(V4), &datagram).unwrap_err();
    assert_eq!(refused, Refused::Malformed(ParseError::Cookie));

    let config = Config {
        classic: true,
        software: Some("x".into()),
        ..Config::default()
    };
    let (reply, bytes) = ask(&config, received(V4), &datagram).unwrap();
    assert_eq!(reply.len, 32);
    let message = Message::parse_classic(&bytes).unwrap();
    assert_eq!(message.classic_id(), *b"sixteen byte id!");
    assert_eq!(
        message.address(Type::MAPPED_ADDRESS),
        Some(Ok(V4.0.parse::<SocketAddr>().unwrap()))
    );
    assert_eq!(message.attributes().count(), 1);
}

#[test]
fn a_classic_420_lists_an_even_number_and_a_request_to_change_nothing_is_granted() {
    let config = Config {
        classic: true,
        ..Config::default()
    };
    // RESPONSE-ADDRESS would make a reflector of us.
    let (_, bytes) = ask(&config, received(V4), &classic_request(&[0, 2, 0, 4, 0, 1, 0, 7])).unwrap();
    let message = Message::parse_classic(&bytes).unwrap();
    assert_eq!(
        message.unknown_attributes().collect::<Vec<_>>(),
        [Type::RESPONSE_ADDRESS; 2]
    );

    let (_, bytes) = ask(&config, received(V4), &classic_request(&[0, 3, 0, 4, 0, 0, 0, 0])).unwrap();
    assert_eq!(Message::parse_classic(&bytes).unwrap().class(), Class::Success);
    let (_, bytes) = ask(&config, received(V4), &classic_request(&[0, 3, 0, 4, 0, 0, 0, 2])).unwrap();
    assert_eq!(Message::parse_classic(&bytes).unwrap().class(), Class::Error);
}
