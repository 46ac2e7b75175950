//! Our codec against the `stun` and `turn` crates: each reads what the other writes, and they agree on what is none.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod samples;
#[allow(dead_code, reason = "other tests use the rest")]
mod values;

use std::{net::SocketAddr, time::Duration};

use proptest::{collection::vec, prelude::*, sample::Index};
use stun::{
    attributes as theirs,
    message::{self as their, Getter as _, MessageType, Setter},
    xoraddr::XorMappedAddress,
};
use stun_wire::{
    AddressFamily, AttributeType as Type, ChannelData, ChannelNumber, Class, IntegrityKey, Message,
    MessageWriter, Method, ParseError, TransactionId, long_term_key_md5, write_channel_header,
};
use turn::proto;

use values::{Value, XOR_ADDRESSES, address, class, method, transaction_id, values};

/// Decodes with the `stun` crate.
fn their_decode(bytes: &[u8]) -> Option<their::Message> {
    let mut message = their::Message::new();
    message.unmarshal_binary(bytes).ok()?;
    Some(message)
}

fn their_attributes(message: &their::Message) -> Vec<(Type, Vec<u8>)> {
    let pair = |attribute: &theirs::RawAttribute| (Type(attribute.typ.value()), attribute.value.clone());
    message.attributes.0.iter().map(pair).collect()
}

fn our_attributes(message: &Message<'_>) -> Vec<(Type, Vec<u8>)> {
    message
        .attributes()
        .map(|attribute| (attribute.kind, attribute.value.to_vec()))
        .collect()
}

/// The message type as the `stun` crate weaves it.
fn their_type(class: Class, method: Method) -> MessageType {
    let class = match class {
        Class::Request => their::CLASS_REQUEST,
        Class::Indication => their::CLASS_INDICATION,
        Class::Success => their::CLASS_SUCCESS_RESPONSE,
        Class::Error => their::CLASS_ERROR_RESPONSE,
    };
    let mut typ = MessageType::default();
    // Their method number can be set only by way of a message type: a request has the method's bits alone.
    let bits = method.bits();
    typ.read_value((bits & 0xF) | (bits & 0x70) << 1 | (bits & 0xF80) << 2);
    MessageType::new(typ.method, class)
}

fn their_message(class: Class, method: Method, id: TransactionId, setters: &[&dyn Setter]) -> their::Message {
    let mut message = their::Message::new();
    message.typ = their_type(class, method);
    message.transaction_id = stun::agent::TransactionId(id.0);
    message.write_header();
    for setter in setters {
        setter.add_to(&mut message).unwrap();
    }
    message
}

/// Their EVEN-PORT, whose field is private: it is read from a message.
fn their_even_port(reserve: bool) -> proto::evenport::EvenPort {
    let mut message = their::Message::new();
    message.add(theirs::ATTR_EVEN_PORT, &[u8::from(reserve) << 7]);
    let mut even_port = proto::evenport::EvenPort::default();
    even_port.get_from(&message).unwrap();
    even_port
}

proptest! {
    #[test]
    fn they_read_what_we_write(
        class in class(), method in method(), id in transaction_id(), values in values(), password in "[ -~]{1,40}",
    ) {
        let mut out = vec![0; 4096];
        let mut writer = MessageWriter::new(&mut out, class, method, id).unwrap();
        for value in &values {
            value.write(&mut writer).unwrap();
        }
        let key = long_term_key_md5("user", "realm", &password);
        writer.integrity(&IntegrityKey::new(&key)).unwrap().fingerprint().unwrap();
        let len = writer.finish();
        let mut message = their_decode(&out[..len]).unwrap();

        prop_assert_eq!(message.typ, their_type(class, method));
        prop_assert_eq!(message.transaction_id.0, id.0);
        prop_assert_eq!(their_attributes(&message), our_attributes(&Message::parse(&out[..len]).unwrap()));
        stun::fingerprint::FINGERPRINT.check(&message).unwrap();
        let integrity = stun::integrity::MessageIntegrity::new_long_term_integrity(
            "user".into(), "realm".into(), password,
        );
        integrity.check(&mut message).unwrap();
        for value in &values {
            assert_they_read(&message, value);
        }
    }

    #[test]
    fn we_read_what_they_write(
        class in class(), method in method(), id in transaction_id(), address in address(), lifetime: u32,
        text in "\\PC{0,50}", code in 300_u16..700, password in "[ -~]{1,40}", data in vec(any::<u8>(), 0..50),
        kinds in vec(any::<u16>(), 0..6),
    ) {
        let mapped = XorMappedAddress { ip: address.ip(), port: address.port() };
        let plain = stun::addr::MappedAddress { ip: address.ip(), port: address.port() };
        let error = stun::error_code::ErrorCodeAttribute {
            code: stun::error_code::ErrorCode(code), reason: text.clone().into_bytes(),
        };
        let username = stun::textattrs::TextAttribute::new(theirs::ATTR_USERNAME, text.clone());
        let unknown = stun::uattrs::UnknownAttributes(kinds.iter().map(|kind| theirs::AttrType(*kind)).collect());
        let integrity = stun::integrity::MessageIntegrity::new_short_term_integrity(password.clone());
        let lifetime_attribute = proto::lifetime::Lifetime(Duration::from_secs(lifetime.into()));
        let data_attribute = proto::data::Data(data.clone());
        let message = their_message(class, method, id, &[
            &mapped, &plain, &error, &username, &unknown, &lifetime_attribute, &data_attribute, &integrity,
            &stun::fingerprint::FINGERPRINT,
        ]);

        let ours = Message::parse(&message.raw).unwrap();
        prop_assert_eq!((ours.class(), ours.method(), ours.transaction_id()), (class, method, id));
        prop_assert_eq!(our_attributes(&ours), their_attributes(&message));
        prop_assert_eq!(ours.xor_address(Type::XOR_MAPPED_ADDRESS), Some(Ok(address)));
        prop_assert_eq!(ours.address(Type::MAPPED_ADDRESS), Some(Ok(address)));
        let error = ours.error_code().unwrap().unwrap();
        prop_assert_eq!((error.code, error.reason), (code, &text[..]));
        prop_assert_eq!(ours.username(), Some(Ok(&text[..])));
        prop_assert!(ours.unknown_attributes().eq(kinds.into_iter().map(Type)));
        prop_assert_eq!(ours.lifetime(), Some(Ok(lifetime)));
        prop_assert_eq!(ours.attribute(Type::DATA), Some(&data[..]));
        prop_assert_eq!(ours.verify_integrity(&IntegrityKey::new(password.as_bytes())), Ok(()));
        prop_assert_eq!(ours.verify_fingerprint(), Some(true));
    }

    #[test]
    fn we_and_they_agree_on_what_is_a_message(
        changes in vec((any::<Index>(), any::<u8>()), 0..3), len in any::<Index>(), cut in 0_u8..4,
        sample in prop::sample::select(vec![&samples::REQUEST[..], &samples::RESPONSE_V6, &samples::LONG_TERM_SHA256]),
    ) {
        let mut bytes = sample.to_vec();
        for (at, byte) in changes {
            bytes[at.index(sample.len())] = byte;
        }
        if cut == 0 {
            bytes.truncate(len.index(sample.len()));
        }
        assert_agreement(&bytes);
    }

    #[test]
    fn we_and_they_agree_on_channel_data(bytes in vec(any::<u8>(), 0..40), channel in 0x3FF0_u16..0x8010, len in 0_u16..40) {
        let framed = [&channel.to_be_bytes()[..], &len.to_be_bytes(), &bytes].concat();
        for bytes in [bytes, framed] {
            let mut theirs = proto::chandata::ChannelData { raw: bytes.clone(), ..Default::default() };
            let theirs = theirs.decode().ok().map(|()| (theirs.number.0, theirs.data));
            prop_assert_eq!(ChannelData::parse(&bytes).ok().map(|ours| (ours.channel, ours.payload.to_vec())), theirs);
        }
    }

    #[test]
    fn they_read_the_channel_data_we_write(channel in 0x4000_u16..0x5000, payload in vec(any::<u8>(), 0..60)) {
        let mut header = [0; 4];
        write_channel_header(&mut header, ChannelNumber::new(channel).unwrap(), payload.len() as u16);
        let mut theirs = proto::chandata::ChannelData { number: proto::channum::ChannelNumber(channel), ..Default::default() };
        theirs.data = payload.clone();
        theirs.encode();
        let mut ours = [&header[..], &payload].concat();
        ours.resize(ours.len().next_multiple_of(4), 0);
        prop_assert_eq!(ours, theirs.raw);
    }

    #[test]
    fn turn_attributes_are_the_same_on_both_sides(
        id in transaction_id(), address in address(), channel in 0x4000_u16..0x5000, token: [u8; 8], reserve: bool,
        v6: bool,
    ) {
        let peer = proto::peeraddr::PeerAddress { ip: address.ip(), port: address.port() };
        let relayed = proto::relayaddr::RelayedAddress { ip: address.ip(), port: address.port() };
        let family = if v6 { AddressFamily::V6 } else { AddressFamily::V4 };
        let message = their_message(Class::Request, Method::ALLOCATE, id, &[
            &peer, &relayed, &proto::channum::ChannelNumber(channel), &their_even_port(reserve),
            &proto::reqtrans::RequestedTransport { protocol: proto::PROTO_UDP },
            &proto::rsrvtoken::ReservationToken(token.to_vec()),
            &proto::reqfamily::RequestedAddressFamily(family.number()), &proto::dontfrag::DontFragmentAttr,
        ]);
        let ours = Message::parse(&message.raw).unwrap();
        prop_assert_eq!(ours.xor_address(Type::XOR_PEER_ADDRESS), Some(Ok(address)));
        prop_assert_eq!(ours.xor_address(Type::XOR_RELAYED_ADDRESS), Some(Ok(address)));
        prop_assert_eq!(ours.channel_number(), Some(Ok(channel)));
        prop_assert_eq!(ours.even_port(), Some(Ok(reserve)));
        prop_assert_eq!(ours.requested_transport(), Some(Ok(17)));
        prop_assert_eq!(ours.reservation_token(), Some(Ok(token)));
        prop_assert_eq!(ours.requested_address_family(), Some(Ok(family)));
        prop_assert_eq!(ours.attribute(Type::DONT_FRAGMENT), Some(&[][..]));

        let mut out = vec![0; 512];
        let mut writer = MessageWriter::new(&mut out, Class::Request, Method::ALLOCATE, id).unwrap();
        writer.xor_address(Type::XOR_PEER_ADDRESS, address).unwrap();
        writer.xor_address(Type::XOR_RELAYED_ADDRESS, address).unwrap();
        writer.channel_number(ChannelNumber::new(channel).unwrap()).unwrap();
        writer.attribute(Type::EVEN_PORT, &[u8::from(reserve) << 7]).unwrap();
        writer.attribute(Type::REQUESTED_TRANSPORT, &[17, 0, 0, 0]).unwrap();
        writer.attribute(Type::RESERVATION_TOKEN, &token).unwrap();
        writer.family(Type::REQUESTED_ADDRESS_FAMILY, family).unwrap();
        writer.attribute(Type::DONT_FRAGMENT, &[]).unwrap();
        let len = writer.finish();
        prop_assert_eq!(&out[..len], &message.raw[..]);
    }
}

fn assert_they_read(message: &their::Message, value: &Value) {
    match value {
        Value::Xor(kind, expected) => {
            let mut read = XorMappedAddress::default();
            read.get_from_as(message, theirs::AttrType(kind.0)).unwrap();
            assert_eq!(SocketAddr::new(read.ip, read.port), *expected);
            assert!(XOR_ADDRESSES.contains(kind));
        }
        Value::Plain(kind, expected) => {
            let mut read = stun::addr::MappedAddress::default();
            read.get_from_as(message, theirs::AttrType(kind.0)).unwrap();
            assert_eq!(SocketAddr::new(read.ip, read.port), *expected);
        }
        Value::Number(Type::LIFETIME, seconds) => {
            let mut read = proto::lifetime::Lifetime::default();
            read.get_from(message).unwrap();
            assert_eq!(read.0, Duration::from_secs((*seconds).into()));
        }
        Value::Text(kind, text) => {
            let read =
                stun::textattrs::TextAttribute::get_from_as(message, theirs::AttrType(kind.0)).unwrap();
            assert_eq!(read.text, *text);
        }
        Value::Error(code, reason) => {
            let mut read = stun::error_code::ErrorCodeAttribute::default();
            read.get_from(message).unwrap();
            assert_eq!((read.code.0, &read.reason[..]), (*code, reason.as_bytes()));
        }
        Value::Unknown(kinds) => {
            let mut read = stun::uattrs::UnknownAttributes(Vec::new());
            read.get_from(message).unwrap();
            assert!(
                read.0
                    .iter()
                    .map(|kind| Type(kind.value()))
                    .eq(kinds.iter().copied())
            );
        }
        // Their values of these have been compared as bytes.
        Value::Number(..)
        | Value::Bytes(..)
        | Value::AddressError(..)
        | Value::Family(..)
        | Value::Icmp(_)
        | Value::Algorithm(_)
        | Value::Algorithms(_)
        | Value::UserHash(_) => (),
    }
}

/// What we take they take too and read the same up to the seals; what only they take has one of the faults that they do
/// not look for.
fn assert_agreement(bytes: &[u8]) {
    match (Message::parse(bytes), their_decode(bytes)) {
        (Ok(ours), Some(theirs)) => {
            let (mut ours, theirs) = (our_attributes(&ours), their_attributes(&theirs));
            // They read 0x8020, the number that drafts gave XOR-MAPPED-ADDRESS, as 0x0020.
            ours.iter_mut()
                .filter(|(kind, _)| kind.0 == 0x8020)
                .for_each(|(kind, _)| kind.0 = 0x0020);
            let mut rest = theirs.into_iter();
            assert!(
                ours.iter()
                    .all(|attribute| rest.any(|theirs| theirs == *attribute)),
                "{ours:?}"
            );
        }
        (Ok(ours), None) => panic!("only we take {ours:?}"),
        (Err(fault), Some(_)) => {
            let overlooked = [
                ParseError::NotStun,
                ParseError::Length,
                ParseError::AttributeLength,
            ];
            assert!(overlooked.contains(&fault), "only they take it, we say {fault}");
        }
        (Err(_), None) => (),
    }
}
