//! Everything that may be done with any bytes, and what must hold then. The fuzz targets, the random tests and the test
//! of the seed corpus all call these.

use stun_wire::{
    AttributeType as Type, CHANNEL_HEADER_LEN, ChannelData, ChannelNumber, HEADER_LEN, IntegrityKey,
    IntegrityKeySha256, Kind, Message, MessageWriter, WriteError, classify,
    stream::{Frame, MAX_FRAME_LEN, next_frame},
    write_channel_header,
};

/// Reads the bytes as a message in every way there is, and writes again what was read.
pub(crate) fn message(bytes: &[u8]) {
    for parsed in [Message::parse(bytes), Message::parse_classic(bytes)] {
        let Ok(message) = parsed else { continue };
        assert_eq!(message.as_bytes(), bytes);
        read_everything(&message);
        write_again(&message);
    }
}

fn read_everything(message: &Message<'_>) {
    let mut end = HEADER_LEN;
    for attribute in message.attributes() {
        assert!(attribute.offset >= end + 4, "attributes overlap");
        end = attribute.offset + attribute.value.len();
        assert_eq!(&message.as_bytes()[attribute.offset..end], attribute.value);
        let first = message.attribute(attribute.kind).unwrap();
        assert!(first.as_ptr() <= attribute.value.as_ptr());
        _ = (message.address(attribute.kind), message.u32(attribute.kind));
        assert_eq!(
            message.xor_address(attribute.kind),
            message.xor_addresses(attribute.kind).next(),
            "the first of several is the one"
        );
    }
    _ = (
        message.username(),
        message.realm(),
        message.nonce(),
        message.software(),
    );
    _ = (
        message.lifetime(),
        message.channel_number(),
        message.requested_transport(),
        message.even_port(),
    );
    _ = (
        message.requested_address_family(),
        message.additional_address_family(),
        message.reservation_token(),
    );
    _ = (
        message.change_request(),
        message.response_port(),
        message.icmp(),
        message.address_error_code(),
    );
    _ = (message.user_hash(), message.password_algorithm());
    if let Some(Ok(error)) = message.error_code() {
        assert!((300..700).contains(&error.code));
    }
    assert!(message.unknown_attributes().count() <= message.as_bytes().len() / 2);
    assert!(
        message
            .unknown_required(Type::REGISTRY)
            .all(|kind| kind.is_comprehension_required())
    );
    assert_eq!(message.verify_fingerprint().is_some(), message.has_fingerprint());
    let proven = message.verify_integrity(&IntegrityKey::new(b"key")).is_ok();
    assert!(message.has_integrity() || !proven);
    let proven = message
        .verify_integrity_sha256(&IntegrityKeySha256::new(b"key"))
        .is_ok();
    assert!(message.has_integrity_sha256() || !proven);
}

/// What was shown can be written, and then reads the same.
fn write_again(message: &Message<'_>) {
    let mut out = vec![0xFF; message.as_bytes().len()];
    let mut writer =
        MessageWriter::new_classic(&mut out, message.class(), message.method(), message.classic_id())
            .unwrap();
    for attribute in message.attributes() {
        writer.attribute(attribute.kind, attribute.value).unwrap();
    }
    let len = writer.finish();
    assert!(len <= message.as_bytes().len());
    let parse = if message.is_classic() {
        Message::parse_classic
    } else {
        Message::parse
    };
    let again = parse(&out[..len]).unwrap();
    assert_eq!(
        (again.class(), again.method()),
        (message.class(), message.method())
    );
    let pair = |message: &Message<'_>| {
        message
            .attributes()
            .map(|attribute| (attribute.kind, attribute.value.to_vec()))
            .collect::<Vec<_>>()
    };
    assert_eq!(pair(&again), pair(message));
    assert_padding_is_zero(&again);
}

/// Asserts that what stands between two attributes and after the last is zero.
pub(crate) fn assert_padding_is_zero(message: &Message<'_>) {
    for attribute in message.attributes() {
        let end = attribute.offset + attribute.value.len();
        let padding = &message.as_bytes()[end..end.next_multiple_of(4)];
        assert!(padding.iter().all(|byte| *byte == 0), "{attribute:?}");
    }
}

/// Takes the bytes as orders for a writer: room for the message, then type, length and value by turns.
pub(crate) fn message_writer(bytes: &[u8]) {
    let Some((&[r0, r1, type0, type1], mut orders)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let head = [
        &[type0 & 0x3F, type1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..],
        b"twelve bytes",
    ]
    .concat();
    let head = Message::parse(&head).unwrap();
    let mut out = vec![0xFF; usize::from(u16::from_be_bytes([r0, r1]))];
    let writer = MessageWriter::new(&mut out, head.class(), head.method(), head.transaction_id());
    let Ok(mut writer) = writer else { return };
    let key = IntegrityKey::new(b"key");
    let key_sha256 = IntegrityKeySha256::new(b"key");
    let mut written = Vec::new();
    while let Some((&[k0, k1, len], rest)) = orders.split_first_chunk::<3>() {
        let (value, rest) = rest.split_at(rest.len().min(usize::from(len)));
        orders = rest;
        let kind = Type(u16::from_be_bytes([k0, k1]));
        let before = writer.len();
        let done = match kind {
            Type::MESSAGE_INTEGRITY => writer.integrity(&key).map(|_| ()),
            Type::MESSAGE_INTEGRITY_SHA256 => writer.integrity_sha256(&key_sha256).map(|_| ()),
            Type::FINGERPRINT => writer.fingerprint().map(|_| ()),
            _ => writer.attribute(kind, value).map(|_| ()),
        };
        match done {
            Ok(()) => written.push(kind),
            Err(WriteError::BufferTooSmall | WriteError::Sealed | WriteError::TooLong) => {
                assert_eq!(writer.len(), before);
            }
            Err(WriteError::Value) => unreachable!("no value is judged here"),
        }
    }
    let len = writer.finish();
    let message = Message::parse(&out[..len]).unwrap();
    assert!(
        message
            .attributes()
            .map(|attribute| attribute.kind)
            .eq(written.iter().copied())
    );
    assert_padding_is_zero(&message);
    assert_eq!(
        message.verify_integrity(&key).is_ok(),
        written.contains(&Type::MESSAGE_INTEGRITY)
    );
    let sha256 = written.contains(&Type::MESSAGE_INTEGRITY_SHA256);
    assert_eq!(message.verify_integrity_sha256(&key_sha256).is_ok(), sha256);
    let fingerprint = written.contains(&Type::FINGERPRINT).then_some(true);
    assert_eq!(message.verify_fingerprint(), fingerprint);
    assert!(
        out[len..].iter().all(|byte| *byte == 0xFF),
        "wrote behind the message"
    );
}

/// Reads the bytes as ChannelData, and writes the header again.
pub(crate) fn channel_data(bytes: &[u8]) {
    let Ok(data) = ChannelData::parse(bytes) else {
        return;
    };
    assert_eq!(classify(bytes[0]), Kind::ChannelData);
    assert!((0x4000..0x8000).contains(&data.channel));
    assert!(CHANNEL_HEADER_LEN + data.payload.len() <= bytes.len());
    let Some(number) = ChannelNumber::new_rfc5766(data.channel) else {
        assert_eq!(data.channel, 0x7FFF);
        return;
    };
    assert_eq!(ChannelNumber::new(data.channel).is_some(), data.channel < 0x5000);
    let mut header = [0; CHANNEL_HEADER_LEN];
    write_channel_header(&mut header, number, data.payload.len() as u16);
    assert_eq!(header, bytes[..CHANNEL_HEADER_LEN]);
}

/// Reads the bytes as a stream, once whole and once byte by byte: both must find the same frames.
pub(crate) fn stream(bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        let whole = next_frame(rest);
        assert_same_byte_by_byte(rest, whole);
        match whole {
            Frame::Complete { len, kind } => {
                assert!(len <= MAX_FRAME_LEN);
                let (frame, after) = rest.split_at(len);
                match kind {
                    Kind::Stun => message(frame),
                    Kind::ChannelData => assert!(ChannelData::parse(frame).is_ok()),
                    Kind::Dtls | Kind::Other => unreachable!("never framed"),
                }
                rest = after;
            }
            Frame::NeedMore(missing) => {
                assert!(missing > 0 && rest.len() + missing <= MAX_FRAME_LEN);
                return;
            }
            Frame::Invalid => return,
        }
    }
}

fn assert_same_byte_by_byte(bytes: &[u8], whole: Frame) {
    let mut at = 0;
    while at < bytes.len() {
        match next_frame(&bytes[..at]) {
            // What is said to be missing is missing: nothing is decided before it has come.
            Frame::NeedMore(missing) => at += missing,
            early @ (Frame::Complete { .. } | Frame::Invalid) => return assert_eq!(early, whole),
        }
    }
}
