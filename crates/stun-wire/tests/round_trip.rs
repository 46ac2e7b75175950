//! What is written reads back, and any bytes at all do no harm.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod exercise;
#[allow(dead_code, reason = "other tests use the rest")]
mod samples;
#[allow(dead_code, reason = "other tests use the rest")]
mod values;

use proptest::{collection::vec, prelude::*};
use stun_wire::{
    AttributeType as Type, IntegrityKey, IntegrityKeySha256, Message, MessageWriter, WriteError,
};

use values::{class, method, transaction_id, values};

proptest! {
    #[test]
    fn every_value_that_is_written_reads_back(
        class in class(), method in method(), id in transaction_id(), values in values(), key in vec(any::<u8>(), 0..90),
    ) {
        let mut out = vec![0xFF; 4096];
        let mut writer = MessageWriter::new(&mut out, class, method, id).unwrap();
        for value in &values {
            value.write(&mut writer).unwrap();
        }
        let (sha1, sha256) = (IntegrityKey::new(&key), IntegrityKeySha256::new(&key));
        writer.integrity(&sha1).unwrap().integrity_sha256(&sha256).unwrap().fingerprint().unwrap();
        let len = writer.finish();
        let message = Message::parse(&out[..len]).unwrap();
        prop_assert_eq!((message.class(), message.method(), message.transaction_id()), (class, method, id));
        for value in &values {
            value.assert_read(&message);
        }
        exercise::assert_padding_is_zero(&message);
        prop_assert_eq!(message.verify_integrity(&sha1), Ok(()));
        prop_assert_eq!(message.verify_integrity_sha256(&sha256), Ok(()));
        prop_assert_eq!(message.verify_fingerprint(), Some(true));
        prop_assert!(out[len..].iter().all(|byte| *byte == 0xFF), "wrote behind the message");
    }

    #[test]
    fn a_buffer_of_any_length_holds_a_whole_message_or_none(
        id in transaction_id(), values in values(), room in 0_usize..400,
    ) {
        let mut out = vec![0xFF; room];
        let writer = MessageWriter::new(&mut out, stun_wire::Class::Request, stun_wire::Method::BINDING, id);
        let Ok(mut writer) = writer else {
            prop_assert!(room < stun_wire::HEADER_LEN);
            return Ok(());
        };
        let mut kept = Vec::new();
        for value in &values {
            match value.write(&mut writer) {
                Ok(()) => kept.push(value),
                Err(error) => prop_assert_eq!(error, WriteError::BufferTooSmall),
            }
        }
        let len = writer.finish();
        let message = Message::parse(&out[..len]).unwrap();
        prop_assert_eq!(message.attributes().count(), kept.len());
        for value in kept {
            value.assert_read(&message);
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..300)) {
        exercise::message(&bytes);
        exercise::message_writer(&bytes);
        exercise::channel_data(&bytes);
        exercise::stream(&bytes);
    }

    #[test]
    fn a_sample_with_any_bytes_changed_does_no_harm(
        sample in proptest::sample::select(vec![
            &samples::REQUEST[..], &samples::RESPONSE_V4, &samples::RESPONSE_V6, &samples::LONG_TERM,
            &samples::LONG_TERM_SHA256, &samples::LONG_TERM_SHA256_PUBLISHED,
        ]),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        len in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = sample.to_vec();
        for (at, byte) in changes {
            bytes[at.index(sample.len())] = byte;
        }
        if cut {
            bytes.truncate(len.index(sample.len()));
        }
        exercise::message(&bytes);
        exercise::stream(&bytes);
    }

    #[test]
    fn frames_are_found_however_the_stream_is_cut(
        frames in vec(prop_oneof![
            (0x4000_u16..0x8000, vec(any::<u8>(), 0..20)).prop_map(|(channel, payload)| {
                let mut frame = [&channel.to_be_bytes()[..], &(payload.len() as u16).to_be_bytes(), &payload].concat();
                frame.resize(frame.len().next_multiple_of(4), 0);
                frame
            }),
            Just(samples::REQUEST.to_vec()),
            Just(samples::LONG_TERM.to_vec()),
        ], 1..6),
        cuts in vec(1_usize..40, 1..40),
    ) {
        let bytes = frames.concat();
        let (mut received, mut found) = (Vec::new(), Vec::new());
        let mut sent = 0;
        for cut in cuts.iter().cycle() {
            let end = bytes.len().min(sent + cut);
            received.extend_from_slice(&bytes[sent..end]);
            sent = end;
            while let stun_wire::stream::Frame::Complete { len, .. } = stun_wire::stream::next_frame(&received) {
                found.push(received.drain(..len).collect::<Vec<u8>>());
            }
            if sent == bytes.len() {
                break;
            }
        }
        prop_assert_eq!(found, frames);
        prop_assert!(received.is_empty());
    }
}

#[test]
fn a_message_of_the_greatest_length_reads_and_one_byte_more_is_refused() {
    let mut out = vec![0; 70_000];
    let id = stun_wire::TransactionId([1; 12]);
    let mut writer = MessageWriter::new(
        &mut out,
        stun_wire::Class::Indication,
        stun_wire::Method::SEND,
        id,
    )
    .unwrap();
    assert_eq!(
        writer.zeros(Type::DATA, 65_529).map(|_| ()).unwrap_err(),
        WriteError::TooLong
    );
    assert_eq!(
        writer.zeros(Type::DATA, 65_536).map(|_| ()).unwrap_err(),
        WriteError::TooLong
    );
    writer.zeros(Type::DATA, 65_528).unwrap();
    let len = writer.finish();
    assert_eq!(len, 20 + 4 + 65_528);
    assert_eq!(
        Message::parse(&out[..len])
            .unwrap()
            .attribute(Type::DATA)
            .unwrap()
            .len(),
        65_528
    );
}
