//! Any bytes get a proper answer or none, and no answer is larger than it may be.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod exercise;

use proptest::{collection::vec, prelude::*, sample::select};
use stun_wire::{AttributeType as Type, Class, MessageWriter, Method, TransactionId};

fn attribute() -> impl Strategy<Value = (Type, Vec<u8>)> {
    let known = select(vec![
        Type::CHANGE_REQUEST,
        Type::RESPONSE_PORT,
        Type::PADDING,
        Type::SOFTWARE,
        Type::USERNAME,
        Type::PRIORITY,
        Type(0x7ABC),
        Type(0xFABC),
    ]);
    let value =
        prop_oneof![4 => vec(any::<u8>(), 4), 2 => vec(any::<u8>(), 0..9), 1 => vec(any::<u8>(), 0..1600)];
    (known, value)
}

proptest! {
    #[test]
    fn every_binding_request_gets_an_answer_within_its_bounds(
        setup: u8, attributes in vec(attribute(), 0..6), classic: bool, fingerprint: bool,
    ) {
        let mut out = vec![0; 12_000];
        out[0] = setup;
        let mut writer =
            MessageWriter::new(&mut out[1..], Class::Request, Method::BINDING, TransactionId([3; 12])).unwrap();
        for (kind, value) in &attributes {
            writer.attribute(*kind, value).unwrap();
        }
        if fingerprint {
            writer.fingerprint().unwrap();
        }
        let len = writer.finish();
        if classic && !fingerprint {
            out[5] ^= 0xFF;
        }
        exercise::answer_any(&out[..=len]);
    }

    #[test]
    fn any_bytes_do_no_harm(setup: u8, bytes in vec(any::<u8>(), 0..200)) {
        exercise::answer_any(&[&[setup][..], &bytes].concat());
        let mut request = [&[setup][..], &[0, 1, 0, bytes.len() as u8, 0x21, 0x12, 0xA4, 0x42], &[7; 12]].concat();
        request.extend_from_slice(&bytes);
        exercise::answer_any(&request);
    }
}
