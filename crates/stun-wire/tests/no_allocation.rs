//! Nothing on the datagram path touches the heap: parsing, reading, writing, proving.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod counting;
#[allow(dead_code, reason = "other tests use the rest")]
mod samples;

use std::hint::black_box;

use stun_wire::{
    AttributeType as Type, ChannelData, ChannelNumber, Class, IntegrityKey, IntegrityKeySha256, Message,
    MessageWriter, Method, TransactionId, stream, write_channel_header,
};

use counting::allocations;

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(vec![0_u8; 100]))), 1);
}

#[test]
fn reading_and_proving_ten_thousand_messages_allocates_nothing() {
    let key = IntegrityKey::new(b"VOkJxbRl1RmTxUk/WvJxBt");
    let key_sha256 = IntegrityKeySha256::new(b"key");
    let read = |bytes: &[u8]| {
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        for attribute in message.attributes() {
            black_box((
                attribute,
                message.xor_address(attribute.kind),
                message.u32(attribute.kind),
            ));
        }
        black_box((
            message.username(),
            message.realm(),
            message.nonce(),
            message.error_code(),
        ));
        black_box(message.unknown_required(&[Type::USERNAME]).count());
        _ = black_box(message.verify_integrity(&key));
        _ = black_box(message.verify_integrity_sha256(&key_sha256));
        black_box(message.verify_fingerprint());
    };
    let count = allocations(|| {
        for _ in 0..2500 {
            for bytes in [
                &samples::REQUEST[..],
                &samples::RESPONSE_V6,
                &samples::LONG_TERM,
                &samples::LONG_TERM_SHA256,
            ] {
                read(black_box(bytes));
                read(black_box(&bytes[..bytes.len() - 1]));
                black_box(stream::next_frame(bytes));
            }
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn writing_ten_thousand_messages_allocates_nothing() {
    let (key, key_sha256) = (IntegrityKey::new(b"key"), IntegrityKeySha256::new(b"key"));
    let mut out = [0; 512];
    let count = allocations(|| {
        for _ in 0..10_000 {
            let id = TransactionId([1; 12]);
            let mut writer =
                MessageWriter::new(black_box(&mut out), Class::Success, Method::ALLOCATE, id).unwrap();
            writer
                .xor_address(Type::XOR_RELAYED_ADDRESS, "192.0.2.1:50000".parse().unwrap())
                .unwrap();
            writer
                .error_code(420, "reason")
                .unwrap()
                .unknown_attributes(&[Type::PRIORITY])
                .unwrap();
            writer
                .integrity(&key)
                .unwrap()
                .integrity_sha256(&key_sha256)
                .unwrap()
                .fingerprint()
                .unwrap();
            black_box(writer.finish());
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn ten_thousand_channel_data_both_ways_allocate_nothing() {
    let mut datagram = [0; 1200];
    let count = allocations(|| {
        for at in 0..10_000_u16 {
            let (header, payload) = datagram.split_first_chunk_mut::<4>().unwrap();
            let channel = ChannelNumber::new(0x4000 + at % 0x1000).unwrap();
            write_channel_header(header, channel, payload.len() as u16);
            black_box(ChannelData::parse(black_box(&datagram)).unwrap());
        }
    });
    assert_eq!(count, 0);
}
