//! What one message costs: `cargo bench -p stun-wire`.
//!
//! Bounds: the 108-byte request of RFC 5769 decoded, FINGERPRINT checked, within 100 ns; ChannelData within 5 ns.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails loudly, criterion writes its entry points"
)]

#[path = "../tests/samples/mod.rs"]
#[allow(dead_code, reason = "one sample is enough here")]
mod samples;

use std::{hint::black_box, net::SocketAddr};

use criterion::{Criterion, criterion_group, criterion_main};
use stun_wire::{
    AttributeType as Type, ChannelData, Class, IntegrityKey, IntegrityKeySha256, Message, MessageWriter,
    Method, TransactionId,
};

const ID: TransactionId = TransactionId([7; 12]);

fn reading(c: &mut Criterion) {
    let request = &samples::REQUEST[..];
    c.bench_function("parse a request of 108 bytes", |b| {
        b.iter(|| Message::parse(black_box(request)).unwrap());
    });
    c.bench_function("decode a request of 108 bytes with its fingerprint", |b| {
        b.iter(|| {
            let message = Message::parse(black_box(request)).unwrap();
            assert_eq!(message.verify_fingerprint(), Some(true));
            black_box((
                message.username(),
                message.u32(Type::PRIORITY),
                message.software(),
            ))
        });
    });
    c.bench_function("decode the same with the stun crate", |b| {
        b.iter(|| {
            let mut message = stun::message::Message::new();
            message.unmarshal_binary(black_box(request)).unwrap();
            stun::fingerprint::FINGERPRINT.check(&message).unwrap();
            message
        });
    });
    let key = IntegrityKey::new(b"VOkJxbRl1RmTxUk/WvJxBt");
    let message = Message::parse(request).unwrap();
    c.bench_function("verify the integrity of a request of 108 bytes", |b| {
        b.iter(|| black_box(message).verify_integrity(black_box(&key)).unwrap());
    });
}

fn channel_data(c: &mut Criterion) {
    let mut datagram = vec![0; 1204];
    datagram[..4].copy_from_slice(&[0x40, 0x00, 0x04, 0xB0]);
    c.bench_function("parse ChannelData of 1200 bytes", |b| {
        b.iter(|| ChannelData::parse(black_box(&datagram)).unwrap().payload.len());
    });
}

fn writing(c: &mut Criterion) {
    let address: SocketAddr = "192.0.2.1:32853".parse().unwrap();
    let mut out = [0; 256];
    c.bench_function("write a Binding success", |b| {
        b.iter(|| {
            let mut writer =
                MessageWriter::new(black_box(&mut out), Class::Success, Method::BINDING, ID).unwrap();
            writer.xor_address(Type::XOR_MAPPED_ADDRESS, address).unwrap();
            writer.finish()
        });
    });
    let key = IntegrityKey::new(b"key");
    c.bench_function("write an Allocate success, signed", |b| {
        b.iter(|| {
            let mut writer =
                MessageWriter::new(black_box(&mut out), Class::Success, Method::ALLOCATE, ID).unwrap();
            writer.xor_address(Type::XOR_RELAYED_ADDRESS, address).unwrap();
            writer.xor_address(Type::XOR_MAPPED_ADDRESS, address).unwrap();
            writer
                .u32(Type::LIFETIME, 600)
                .unwrap()
                .integrity(&key)
                .unwrap()
                .fingerprint()
                .unwrap();
            writer.finish()
        });
    });
    let key = IntegrityKeySha256::new(b"key");
    c.bench_function("write a Refresh success, signed with SHA-256", |b| {
        b.iter(|| {
            let mut writer =
                MessageWriter::new(black_box(&mut out), Class::Success, Method::REFRESH, ID).unwrap();
            writer
                .u32(Type::LIFETIME, 600)
                .unwrap()
                .integrity_sha256(&key)
                .unwrap();
            writer.finish()
        });
    });
}

criterion_group!(benches, reading, channel_data, writing);
criterion_main!(benches);
