//! Answering touches no heap, whatever comes.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[path = "../../stun-wire/tests/counting/mod.rs"]
mod counting;

use std::net::IpAddr;

use stun_core::{Behaviour, Config, REPLY_ROOM, Received, answer};
use stun_wire::{AttributeType as Type, Class, MessageWriter, Method, TransactionId};

#[test]
fn ten_thousand_answers_allocate_nothing() {
    let [a, b]: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()];
    let config = Config {
        software: Some("watari".into()),
        classic: true,
        behaviours: vec![Behaviour::new([a.into(), b.into()], [3479, 3480]).unwrap()],
        listeners: vec!["0.0.0.0:3478".parse().unwrap()],
    };
    let mut request = [0; 64];
    let mut writer = MessageWriter::new(
        &mut request,
        Class::Request,
        Method::BINDING,
        TransactionId([1; 12]),
    )
    .unwrap();
    writer
        .u32(Type::CHANGE_REQUEST, 6)
        .unwrap()
        .fingerprint()
        .unwrap();
    let good = writer.finish();
    let source = "198.51.100.7:40000".parse().unwrap();
    let mut buffer = [0; REPLY_ROOM];
    let mut answered = 0;
    let count = counting::allocations(|| {
        for at in 0..10_000_usize {
            let destination = ([a, b][at % 2], [3478, 3479][at / 2 % 2]).into();
            buffer[..64].copy_from_slice(&request);
            // Every byte of the request is spoilt now and then.
            buffer[at % 64] ^= u8::from(at % 3 == 0) << (at % 8);
            answered += usize::from(
                answer(
                    &config,
                    Received {
                        source,
                        destination,
                        connected: false,
                    },
                    &mut buffer,
                    good,
                )
                .is_ok(),
            );
        }
    });
    assert_eq!(count, 0);
    assert!(answered > 5000, "{answered}");
}
