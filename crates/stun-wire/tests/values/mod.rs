//! Random attributes of every form, written and read back.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::{collection::vec, prelude::*, sample::select};
use stun_wire::{
    AddressFamily, AttributeType as Type, Class, Icmp, Message, MessageWriter, Method, PasswordAlgorithm,
    TransactionId, WriteError,
};

/// An attribute with its meaning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Xor(Type, SocketAddr),
    Plain(Type, SocketAddr),
    Number(Type, u32),
    Text(Type, String),
    Bytes(Type, Vec<u8>),
    Error(u16, String),
    AddressError(AddressFamily, u16, String),
    Family(Type, AddressFamily),
    Unknown(Vec<Type>),
    Icmp(Icmp),
    Algorithm(PasswordAlgorithm),
    Algorithms(Vec<PasswordAlgorithm>),
    UserHash([u8; 32]),
}

pub(crate) const XOR_ADDRESSES: [Type; 3] = [
    Type::XOR_MAPPED_ADDRESS,
    Type::XOR_PEER_ADDRESS,
    Type::XOR_RELAYED_ADDRESS,
];
const PLAIN_ADDRESSES: [Type; 4] = [
    Type::MAPPED_ADDRESS,
    Type::OTHER_ADDRESS,
    Type::RESPONSE_ORIGIN,
    Type::ALTERNATE_SERVER,
];
const NUMBERS: [Type; 4] = [
    Type::LIFETIME,
    Type::PRIORITY,
    Type::CONNECTION_ID,
    Type::CACHE_TIMEOUT,
];
const TEXTS: [Type; 4] = [Type::USERNAME, Type::REALM, Type::NONCE, Type::SOFTWARE];
const FAMILIES: [Type; 2] = [Type::REQUESTED_ADDRESS_FAMILY, Type::ADDITIONAL_ADDRESS_FAMILY];
const BYTES: [Type; 4] = [Type::DATA, Type::PADDING, Type(0x7ABC), Type(0xFABC)];

impl Value {
    pub(crate) fn write(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        match self {
            Self::Xor(kind, address) => writer.xor_address(*kind, *address),
            Self::Plain(kind, address) => writer.address(*kind, *address),
            Self::Number(kind, number) => writer.u32(*kind, *number),
            Self::Text(kind, text) => writer.text(*kind, text),
            Self::Bytes(kind, bytes) => writer.attribute(*kind, bytes),
            Self::Error(code, reason) => writer.error_code(*code, reason),
            Self::AddressError(family, code, reason) => writer.address_error_code(*family, *code, reason),
            Self::Family(kind, family) => writer.family(*kind, *family),
            Self::Unknown(kinds) => writer.unknown_attributes(kinds),
            Self::Icmp(icmp) => writer.icmp(*icmp),
            Self::Algorithm(algorithm) => writer.password_algorithm(*algorithm),
            Self::Algorithms(algorithms) => writer.password_algorithms(algorithms),
            Self::UserHash(hash) => writer.attribute(Type::USERHASH, hash),
        }
        .map(|_| ())
    }

    /// Asserts that the first attribute of this kind reads as this value.
    pub(crate) fn assert_read(&self, message: &Message<'_>) {
        match self {
            Self::Xor(kind, address) => assert_eq!(message.xor_address(*kind), Some(Ok(*address))),
            Self::Plain(kind, address) => assert_eq!(message.address(*kind), Some(Ok(*address))),
            Self::Number(kind, number) => assert_eq!(message.u32(*kind), Some(Ok(*number))),
            Self::Text(kind, text) => assert_eq!(message.attribute(*kind), Some(text.as_bytes())),
            Self::Bytes(kind, bytes) => assert_eq!(message.attribute(*kind), Some(&bytes[..])),
            Self::Error(code, reason) => {
                let error = message.error_code().unwrap().unwrap();
                assert_eq!((error.code, error.reason), (*code, &reason[..]));
            }
            Self::AddressError(family, code, reason) => {
                let (read, error) = message.address_error_code().unwrap().unwrap();
                assert_eq!((read, error.code, error.reason), (*family, *code, &reason[..]));
            }
            Self::Family(Type::REQUESTED_ADDRESS_FAMILY, family) => {
                assert_eq!(message.requested_address_family(), Some(Ok(*family)));
            }
            Self::Family(_, family) => assert_eq!(message.additional_address_family(), Some(Ok(*family))),
            Self::Unknown(kinds) => assert!(message.unknown_attributes().eq(kinds.iter().copied())),
            Self::Icmp(icmp) => assert_eq!(message.icmp(), Some(Ok(*icmp))),
            Self::Algorithm(algorithm) => assert_eq!(message.password_algorithm(), Some(Ok(*algorithm))),
            Self::Algorithms(algorithms) => {
                let written = message.attribute(Type::PASSWORD_ALGORITHMS).unwrap();
                let expected = algorithms.iter().flat_map(|one| [0, one.number() as u8, 0, 0]);
                assert!(written.iter().copied().eq(expected));
            }
            Self::UserHash(hash) => assert_eq!(message.user_hash(), Some(Ok(*hash))),
        }
    }

    pub(crate) fn kind(&self) -> Type {
        match self {
            Self::Xor(kind, _)
            | Self::Plain(kind, _)
            | Self::Number(kind, _)
            | Self::Text(kind, _)
            | Self::Bytes(kind, _)
            | Self::Family(kind, _) => *kind,
            Self::Error(..) => Type::ERROR_CODE,
            Self::AddressError(..) => Type::ADDRESS_ERROR_CODE,
            Self::Unknown(_) => Type::UNKNOWN_ATTRIBUTES,
            Self::Icmp(_) => Type::ICMP,
            Self::Algorithm(_) => Type::PASSWORD_ALGORITHM,
            Self::Algorithms(_) => Type::PASSWORD_ALGORITHMS,
            Self::UserHash(_) => Type::USERHASH,
        }
    }
}

pub(crate) fn address() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<(u32, u16)>().prop_map(|(ip, port)| (Ipv4Addr::from_bits(ip), port).into());
    let v6 = any::<(u128, u16)>().prop_map(|(ip, port)| (Ipv6Addr::from_bits(ip), port).into());
    prop_oneof![v4, v6]
}

fn family() -> impl Strategy<Value = AddressFamily> {
    select(vec![AddressFamily::V4, AddressFamily::V6])
}

fn algorithm() -> impl Strategy<Value = PasswordAlgorithm> {
    select(vec![PasswordAlgorithm::Md5, PasswordAlgorithm::Sha256])
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let icmp = (0_u8..=0x7F, 0_u16..=0x1FF, any::<u32>());
    prop_oneof![
        (select(&XOR_ADDRESSES[..]), address()).prop_map(|(kind, address)| Value::Xor(kind, address)),
        (select(&PLAIN_ADDRESSES[..]), address()).prop_map(|(kind, address)| Value::Plain(kind, address)),
        (select(&NUMBERS[..]), any::<u32>()).prop_map(|(kind, number)| Value::Number(kind, number)),
        (select(&TEXTS[..]), ".{0,60}").prop_map(|(kind, text)| Value::Text(kind, text)),
        (select(&BYTES[..]), vec(any::<u8>(), 0..80)).prop_map(|(kind, bytes)| Value::Bytes(kind, bytes)),
        (300_u16..700, ".{0,60}").prop_map(|(code, reason)| Value::Error(code, reason)),
        (family(), 300_u16..700, ".{0,20}")
            .prop_map(|(family, code, reason)| Value::AddressError(family, code, reason)),
        (select(&FAMILIES[..]), family()).prop_map(|(kind, family)| Value::Family(kind, family)),
        vec(any::<u16>().prop_map(Type), 0..9).prop_map(Value::Unknown),
        icmp.prop_map(|(kind, code, data)| Value::Icmp(Icmp { kind, code, data })),
        algorithm().prop_map(Value::Algorithm),
        vec(algorithm(), 0..4).prop_map(Value::Algorithms),
        any::<[u8; 32]>().prop_map(Value::UserHash),
    ]
}

/// Several values, each kind once, so that "the first" is the one.
pub(crate) fn values() -> impl Strategy<Value = Vec<Value>> {
    vec(value(), 0..10).prop_map(|mut values| {
        let mut seen = Vec::new();
        values.retain(|value| {
            !seen.contains(&value.kind()) && {
                seen.push(value.kind());
                true
            }
        });
        values
    })
}

pub(crate) fn class() -> impl Strategy<Value = Class> {
    select(vec![
        Class::Request,
        Class::Indication,
        Class::Success,
        Class::Error,
    ])
}

pub(crate) fn method() -> impl Strategy<Value = Method> {
    (0_u16..0x1000).prop_map(Method::from_bits)
}

pub(crate) fn transaction_id() -> impl Strategy<Value = TransactionId> {
    any::<[u8; 12]>().prop_map(TransactionId)
}
