//! Lengths, seals, padding and channel numbers at their edges: the rows of the list of past accidents that a codec
//! answers for.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod samples;

use std::net::SocketAddr;

use stun_wire::{
    AttributeError, AttributeType as Type, ChannelData, ChannelNumber, Class, IntegrityError, IntegrityKey,
    IntegrityKeySha256, Kind, Message, MessageWriter, Method, ParseError, TransactionId, WriteError,
    classify,
    stream::{Frame, next_frame},
    write_channel_header,
};

const ID: TransactionId = TransactionId([9; 12]);

fn written(build: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
    let mut out = vec![0xFF; 1024];
    let mut writer = MessageWriter::new(&mut out, Class::Request, Method::ALLOCATE, ID).unwrap();
    build(&mut writer);
    let len = writer.finish();
    out.truncate(len);
    out
}

/// Appends an attribute as somebody on the way could: without the key.
fn append(bytes: &mut Vec<u8>, kind: Type, value: &[u8]) {
    bytes.extend_from_slice(&kind.0.to_be_bytes());
    bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let length = (bytes.len() - 20) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
}

fn kinds(message: &Message<'_>) -> Vec<Type> {
    message.attributes().map(|attribute| attribute.kind).collect()
}

#[test]
fn what_is_appended_behind_message_integrity_is_not_shown() {
    let key = IntegrityKey::new(b"key");
    let peer: SocketAddr = "10.0.0.1:22".parse().unwrap();
    let mut bytes = written(|writer| {
        writer.u32(Type::LIFETIME, 600).unwrap().integrity(&key).unwrap();
    });
    append(&mut bytes, Type::LIFETIME, &[0; 4]);
    append(&mut bytes, Type::XOR_PEER_ADDRESS, &[0, 1, 0, 22, 10, 0, 0, 1]);
    append(&mut bytes, Type::MESSAGE_INTEGRITY, &[0; 20]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(kinds(&message), [Type::LIFETIME, Type::MESSAGE_INTEGRITY]);
    assert_eq!(message.lifetime(), Some(Ok(600)));
    assert_eq!(message.xor_addresses(Type::XOR_PEER_ADDRESS).count(), 0);
    assert_ne!(message.xor_address(Type::XOR_PEER_ADDRESS), Some(Ok(peer)));
    assert_eq!(
        message
            .unknown_required(&[Type::LIFETIME, Type::MESSAGE_INTEGRITY])
            .count(),
        0
    );
    assert_eq!(
        message.verify_integrity(&key),
        Ok(()),
        "the code covers what is in front of it"
    );
}

#[test]
fn behind_the_seals_only_higher_seals_are_shown() {
    let (sha1, sha256) = (IntegrityKey::new(b"key"), IntegrityKeySha256::new(b"key"));
    let mut bytes = written(|writer| {
        writer
            .u32(Type::LIFETIME, 1)
            .unwrap()
            .integrity(&sha1)
            .unwrap()
            .integrity_sha256(&sha256)
            .unwrap();
    });
    append(&mut bytes, Type::MESSAGE_INTEGRITY, &[1; 20]);
    append(&mut bytes, Type::SOFTWARE, b"late");
    let message = Message::parse(&bytes).unwrap();
    let seals = [
        Type::LIFETIME,
        Type::MESSAGE_INTEGRITY,
        Type::MESSAGE_INTEGRITY_SHA256,
    ];
    assert_eq!(kinds(&message), seals);
    assert_eq!(message.verify_integrity(&sha1), Ok(()));
    assert_eq!(message.verify_integrity_sha256(&sha256), Ok(()));
}

#[test]
fn a_fingerprint_must_be_last_and_ends_the_message() {
    let mut bytes = written(|writer| {
        writer.fingerprint().unwrap();
    });
    assert_eq!(Message::parse(&bytes).unwrap().verify_fingerprint(), Some(true));
    append(&mut bytes, Type::LIFETIME, &[0; 4]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(kinds(&message), [Type::FINGERPRINT]);
    assert_eq!(message.verify_fingerprint(), Some(false));
    assert_eq!(
        Message::parse(&written(|_| ())).unwrap().verify_fingerprint(),
        None
    );
}

#[test]
fn the_right_code_at_the_end_is_no_fingerprint_when_another_attribute_holds_it() {
    let mut bytes = written(|_| ());
    append(&mut bytes, Type::FINGERPRINT, &[0; 4]);
    append(&mut bytes, Type::SOFTWARE, &[0; 4]);
    // The CRC of what stands in front of FINGERPRINT, with the length that the header has now.
    let code = (crc32fast::hash(&bytes[..20]) ^ 0x5354_554E).to_be_bytes();
    bytes[32..].copy_from_slice(&code);
    assert_eq!(Message::parse(&bytes).unwrap().verify_fingerprint(), Some(false));
}

#[test]
fn the_writer_puts_nothing_behind_a_seal_that_readers_would_ignore() {
    let key = IntegrityKey::new(b"key");
    written(|writer| {
        writer.integrity(&key).unwrap();
        let before = writer.len();
        assert_eq!(
            writer.u32(Type::LIFETIME, 1).map(|_| ()).unwrap_err(),
            WriteError::Sealed
        );
        assert_eq!(
            writer.integrity(&key).map(|_| ()).unwrap_err(),
            WriteError::Sealed
        );
        writer.fingerprint().unwrap();
        assert_eq!(writer.fingerprint().map(|_| ()).unwrap_err(), WriteError::Sealed);
        assert_eq!(writer.len(), before + 8);
    });
}

#[test]
fn lengths_beyond_the_datagram_or_short_of_it_are_refused() {
    let whole = written(|writer| {
        writer.text(Type::USERNAME, "name").unwrap();
    });
    let with_length = |length: u16| {
        let mut bytes = whole.clone();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        Message::parse(&bytes).map(|_| ()).unwrap_err()
    };
    for length in [0, 4, 7, 9, 12, 0xFFFC, 0xFFFF] {
        assert_eq!(with_length(length), ParseError::Length);
    }
    for len in [1_u16, 5, 8, 0xFFFC, 0xFFFF] {
        let mut bytes = whole.clone();
        bytes[22..24].copy_from_slice(&len.to_be_bytes());
        let fits = len <= 4;
        assert_eq!(
            Message::parse(&bytes).err(),
            (!fits).then_some(ParseError::AttributeOverrun)
        );
    }
    for len in 0..whole.len() {
        assert!(Message::parse(&whole[..len]).is_err());
    }
}

#[test]
fn half_an_attribute_header_and_odd_lengths_are_refused() {
    let mut bytes = written(|_| ());
    for extra in 1..4_u8 {
        bytes.push(0);
        bytes[3] = extra;
        assert_eq!(Message::parse(&bytes).unwrap_err(), ParseError::Length);
    }
    for (kind, len) in [
        (Type::MESSAGE_INTEGRITY, 19),
        (Type::FINGERPRINT, 5),
        (Type::MESSAGE_INTEGRITY_SHA256, 12),
    ] {
        let mut bytes = written(|_| ());
        append(&mut bytes, kind, &vec![0; len]);
        assert_eq!(Message::parse(&bytes).unwrap_err(), ParseError::AttributeLength);
    }
}

#[test]
fn a_sha256_code_cut_short_is_no_proof() {
    let key = IntegrityKeySha256::new(b"key");
    let whole = written(|writer| {
        writer.integrity_sha256(&key).unwrap();
    });
    let mut cut = whole[..20 + 4 + 16].to_vec();
    (cut[3], cut[23]) = (20, 16);
    let message = Message::parse(&cut).unwrap();
    assert_eq!(
        message.verify_integrity_sha256(&key),
        Err(IntegrityError::Mismatch)
    );
}

#[test]
fn other_protocols_and_other_cookies_are_told_apart() {
    let mut bytes = written(|_| ());
    assert_eq!(Message::parse_classic(&bytes).unwrap_err(), ParseError::Cookie);
    bytes[4] ^= 1;
    assert_eq!(Message::parse(&bytes).unwrap_err(), ParseError::Cookie);
    assert!(Message::parse_classic(&bytes).unwrap().is_classic());
    bytes[0] |= 0x80;
    assert_eq!(Message::parse(&bytes).unwrap_err(), ParseError::NotStun);
    let kinds: Vec<Kind> = [0, 3, 4, 20, 63, 64, 127, 128, 255].map(classify).to_vec();
    let (stun, other) = (Kind::Stun, Kind::Other);
    let channel = Kind::ChannelData;
    assert_eq!(
        kinds,
        [
            stun,
            stun,
            other,
            Kind::Dtls,
            Kind::Dtls,
            channel,
            channel,
            other,
            other
        ]
    );
}

#[test]
fn values_of_the_wrong_shape_are_errors_and_not_absent() {
    let bytes = written(|writer| {
        writer.attribute(Type::LIFETIME, &[0, 0, 1]).unwrap();
        writer
            .attribute(Type::XOR_PEER_ADDRESS, &[0, 3, 0, 1, 1, 2, 3, 4])
            .unwrap();
        writer
            .attribute(Type::MAPPED_ADDRESS, &[0, 2, 0, 1, 1, 2, 3, 4])
            .unwrap();
        writer.attribute(Type::USERNAME, &[0xFF, 0xFE]).unwrap();
        writer.attribute(Type::ERROR_CODE, &[0, 0, 2, 0]).unwrap();
        writer.zeros(Type::REALM, 764).unwrap();
    });
    let message = Message::parse(&bytes).unwrap();
    for value in [[0, 0, 7, 0], [0, 0, 4, 100]] {
        let bytes = written(|writer| {
            writer.attribute(Type::ERROR_CODE, &value).unwrap();
        });
        assert_eq!(
            Message::parse(&bytes).unwrap().error_code(),
            Some(Err(AttributeError::Value))
        );
    }
    assert_eq!(message.lifetime(), Some(Err(AttributeError::Length)));
    assert_eq!(
        message.xor_address(Type::XOR_PEER_ADDRESS),
        Some(Err(AttributeError::Family))
    );
    assert_eq!(
        message.address(Type::MAPPED_ADDRESS),
        Some(Err(AttributeError::Length))
    );
    assert_eq!(message.username(), Some(Err(AttributeError::Text)));
    assert_eq!(message.error_code(), Some(Err(AttributeError::Value)));
    assert_eq!(message.realm(), Some(Err(AttributeError::Length)));
    assert_eq!(message.software(), None);
}

#[test]
fn small_values_read_as_turn_means_them() {
    let bytes = written(|writer| {
        writer
            .channel_number(ChannelNumber::new(0x4001).unwrap())
            .unwrap();
        writer
            .attribute(Type::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
            .unwrap();
        writer.attribute(Type::EVEN_PORT, &[0x80]).unwrap();
        writer.attribute(Type::RESERVATION_TOKEN, b"8 bytes!").unwrap();
        writer.u32(Type::CHANGE_REQUEST, 6).unwrap();
        writer.attribute(Type::RESPONSE_PORT, &[0x1F, 0x90]).unwrap();
    });
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.channel_number(), Some(Ok(0x4001)));
    assert_eq!(message.requested_transport(), Some(Ok(17)));
    assert_eq!(message.even_port(), Some(Ok(true)));
    assert_eq!(message.reservation_token(), Some(Ok(*b"8 bytes!")));
    let change = message.change_request().unwrap().unwrap();
    assert!(change.ip && change.port);
    assert_eq!(message.response_port(), Some(Ok(8080)));
}

#[test]
fn a_payload_is_wrapped_where_it_stands() {
    let mut buffer = *b"....................................payload?";
    let mut writer = MessageWriter::new(&mut buffer, Class::Indication, Method::DATA, ID).unwrap();
    writer
        .xor_address(Type::XOR_PEER_ADDRESS, "192.0.2.1:9".parse().unwrap())
        .unwrap();
    writer.attribute_in_place(Type::DATA, 7).unwrap();
    let len = writer.finish();
    assert_eq!((len, buffer[43]), (44, 0));
    assert_eq!(
        Message::parse(&buffer[..len]).unwrap().attribute(Type::DATA),
        Some(&b"payload"[..])
    );
}

#[test]
fn numbers_that_do_not_fit_are_not_written() {
    written(|writer| {
        for code in [0, 299, 700, u16::MAX] {
            assert_eq!(
                writer.error_code(code, "").map(|_| ()).unwrap_err(),
                WriteError::Value
            );
        }
        let icmp = stun_wire::Icmp {
            kind: 0x80,
            code: 0,
            data: 0,
        };
        assert_eq!(writer.icmp(icmp).map(|_| ()).unwrap_err(), WriteError::Value);
        assert_eq!(writer.len(), 20);
    });
}

#[test]
fn channel_data_is_read_within_its_length_and_padding_is_not_payload() {
    let parsed = ChannelData::parse(&[0x40, 0x00, 0, 3, 1, 2, 3, 0xEE]).unwrap();
    assert_eq!(
        parsed,
        ChannelData {
            channel: 0x4000,
            payload: &[1, 2, 3]
        }
    );
    assert_eq!(
        ChannelData::parse(&[0x40, 0x00, 0, 0]).unwrap().payload,
        &[] as &[u8]
    );
    assert_eq!(
        ChannelData::parse(&[0x40, 0x00, 0, 5, 1, 2, 3, 4]).unwrap_err(),
        ParseError::Length
    );
    assert_eq!(
        ChannelData::parse(&[0x40, 0x00, 0]).unwrap_err(),
        ParseError::TooShort
    );
    for first in [0x00, 0x3F, 0x80, 0xFF] {
        assert_eq!(
            ChannelData::parse(&[first, 0, 0, 0]).unwrap_err(),
            ParseError::Channel
        );
    }
    let mut header = [0; 4];
    write_channel_header(&mut header, ChannelNumber::new(0x4FFF).unwrap(), 0x0102);
    assert_eq!(header, [0x4F, 0xFF, 1, 2]);
}

#[test]
fn channel_numbers_end_at_0x4fff_unless_rfc_5766_clients_are_admitted() {
    let numbers = [0x3FFF, 0x4000, 0x4FFF, 0x5000, 0x7FFF, 0x8000];
    let new = numbers.map(|number| ChannelNumber::new(number).is_some());
    assert_eq!(new, [false, true, true, false, false, false]);
    let old = numbers.map(|number| ChannelNumber::new_rfc5766(number).is_some());
    assert_eq!(old, [false, true, true, true, true, false]);
}

#[test]
fn a_stream_is_framed_by_what_its_first_bytes_say() {
    let complete = |len, kind| Frame::Complete { len, kind };
    assert_eq!(next_frame(&[]), Frame::NeedMore(4));
    assert_eq!(next_frame(&[0x40]), Frame::NeedMore(3));
    assert_eq!(next_frame(&[0x40, 0, 0, 1, 9]), Frame::NeedMore(3));
    assert_eq!(
        next_frame(&[0x40, 0, 0, 1, 9, 0, 0, 0, 1]),
        complete(8, Kind::ChannelData)
    );
    assert_eq!(next_frame(&samples::REQUEST[..3]), Frame::NeedMore(17));
    assert_eq!(next_frame(&samples::REQUEST[..4]), Frame::NeedMore(104));
    let two = [&samples::REQUEST[..], &samples::LONG_TERM].concat();
    assert_eq!(next_frame(&two), complete(108, Kind::Stun));
    assert_eq!(next_frame(&[0x16, 3, 1]), Frame::Invalid);
    assert_eq!(next_frame(&[0, 1, 0, 0, 0x21, 0x13]), Frame::Invalid);
    assert_eq!(next_frame(&[0, 1, 0, 2]), Frame::Invalid);
}
