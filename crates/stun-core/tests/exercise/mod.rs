//! A Binding server given any bytes, and what must hold of every answer. The fuzz target, the random tests and the test
//! of the seed corpus all call this.

use std::net::SocketAddr;

use stun_core::{Behaviour, Config, REPLY_ROOM, Received, Reply, answer};
use stun_wire::{AttributeType as Type, Class, Message, Method};

/// The first byte says how the server is set up and who asks, the rest is the datagram.
pub(crate) fn answer_any(bytes: &[u8]) {
    let Some((&setup, datagram)) = bytes.split_first() else {
        return;
    };
    let (config, received) = scene(setup);
    let mut buffer = datagram.to_vec();
    buffer.resize(datagram.len().max(REPLY_ROOM), 0xEE);
    let room = buffer.len();
    let Ok(reply) = answer(&config, received, &mut buffer, datagram.len()) else {
        return;
    };
    assert!(reply.len <= room);
    assert_answer_fits(&config, received, datagram, reply, &buffer[..reply.len]);

    // An answer to an answer would go on for ever.
    let mut echo = buffer.clone();
    assert!(answer(&config, received, &mut echo, reply.len).is_err());
}

fn scene(setup: u8) -> (Config, Received) {
    let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let v6 = setup & 1 != 0;
    let (here, there, client) = if v6 {
        (
            "[2001:db8::1]:3479",
            "[2001:db8::2]:3479",
            "[2001:db8:9::1]:40000",
        )
    } else {
        ("192.0.2.1:3479", "192.0.2.2:3479", "198.51.100.9:40000")
    };
    let (here, there) = (address(here), address(there));
    let behaviour = Behaviour::new([here.ip().into(), there.ip().into()], [3479, 3480]).unwrap();
    let config = Config {
        software: (setup & 2 != 0).then(|| "watari".to_owned()),
        classic: setup & 4 != 0,
        behaviours: if setup & 8 != 0 {
            vec![behaviour]
        } else {
            Vec::new()
        },
        listeners: vec![here],
    };
    (
        config,
        Received {
            source: address(client),
            destination: here,
            connected: false,
        },
    )
}

fn assert_answer_fits(config: &Config, received: Received, datagram: &[u8], reply: Reply, bytes: &[u8]) {
    let parse = |bytes| Message::parse(bytes).or_else(|_| Message::parse_classic(bytes));
    let (request, answer) = (parse(datagram).unwrap(), parse(bytes).unwrap());
    assert_eq!(
        (request.class(), request.method()),
        (Class::Request, Method::BINDING)
    );
    assert_eq!(
        (answer.method(), answer.classic_id()),
        (Method::BINDING, request.classic_id())
    );
    assert_eq!(reply.to.ip(), received.source.ip());
    assert_ne!(answer.verify_fingerprint(), Some(false));

    // What has no smaller answer: an address, and with RFC 5780 two more.
    let address = if received.source.is_ipv6() { 24 } else { 12 };
    let least = if config.behaviours.is_empty() {
        20 + address
    } else {
        20 + 3 * address
    };
    assert!(
        reply.len <= least.max(datagram.len() * 8 / 5),
        "{} to {}",
        reply.len,
        datagram.len()
    );
    if request
        .attribute(Type::PADDING)
        .is_some_and(|padding| !padding.is_empty())
        && config.software.is_none()
    {
        assert!(
            reply.len <= least.max(datagram.len()) + 8,
            "padding makes no answer longer than its request"
        );
    }
    match answer.class() {
        Class::Success => {
            let plain = answer.address(Type::MAPPED_ADDRESS);
            assert_eq!(
                answer.xor_address(Type::XOR_MAPPED_ADDRESS).or(plain),
                Some(Ok(received.source))
            );
            assert_eq!(request.is_classic(), plain.is_some());
        }
        Class::Error => {
            let code = answer.error_code().unwrap().unwrap().code;
            assert!(code == 400 || code == 420);
            assert_eq!(code == 420, answer.unknown_attributes().next().is_some());
            assert_eq!((reply.from, reply.to), (received.destination, received.source));
        }
        Class::Request | Class::Indication => unreachable!("answers are responses"),
    }
}
