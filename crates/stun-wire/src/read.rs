//! Values of attributes, decoded when asked for. `None` is "absent", `Some(Err(_))` is "present but malformed".

use std::net::SocketAddr;

use crate::{
    AddressFamily, AttributeError, AttributeType as Type, ErrorCode, Message, PasswordAlgorithm,
    address::{self, NO_MASK},
};

/// RFC 8489 §14.3: USERNAME has fewer than 509 bytes.
const MAX_USERNAME_LEN: usize = 508;

/// RFC 8489 §14.9, §14.10, §14.14: fewer than 128 characters, "which can be as long as 763 bytes".
const MAX_TEXT_LEN: usize = 763;

type Read<T> = Option<Result<T, AttributeError>>;

/// From where a Binding response is to be sent (RFC 5780 §7.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeRequest {
    /// From the other address.
    pub ip: bool,
    /// From the other port.
    pub port: bool,
}

/// An ICMP error that a relay received (RFC 8656 §18.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// ICMP or ICMPv6 type: seven bits in the attribute.
    pub kind: u8,
    /// Its code: nine bits in the attribute.
    pub code: u16,
    /// For instance the MTU of "packet too big".
    pub data: u32,
}

impl<'a> Message<'a> {
    /// Reads USERNAME, at most 508 bytes.
    pub fn username(&self) -> Read<&'a str> {
        self.text(Type::USERNAME, MAX_USERNAME_LEN)
    }

    /// Reads USERHASH, which stands in for USERNAME ([`user_hash`](crate::user_hash)).
    pub fn user_hash(&self) -> Read<[u8; 32]> {
        self.read(Type::USERHASH, exactly)
    }

    /// Reads PASSWORD-ALGORITHM; `AttributeError::Value` when its number is not known.
    pub fn password_algorithm(&self) -> Read<PasswordAlgorithm> {
        self.read(Type::PASSWORD_ALGORITHM, PasswordAlgorithm::decode)
    }

    /// Reads REALM, at most 763 bytes.
    pub fn realm(&self) -> Read<&'a str> {
        self.text(Type::REALM, MAX_TEXT_LEN)
    }

    /// Reads NONCE; its bytes mean something only to the server that made them.
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.attribute(Type::NONCE)
    }

    /// Reads SOFTWARE, at most 763 bytes.
    pub fn software(&self) -> Read<&'a str> {
        self.text(Type::SOFTWARE, MAX_TEXT_LEN)
    }

    /// Reads the first XORed address of this kind, for instance XOR-MAPPED-ADDRESS.
    pub fn xor_address(&self, kind: Type) -> Read<SocketAddr> {
        self.xor_addresses(kind).next()
    }

    /// Reads all XORed addresses of this kind: CreatePermission may carry several XOR-PEER-ADDRESS.
    pub fn xor_addresses(
        &self,
        kind: Type,
    ) -> impl Iterator<Item = Result<SocketAddr, AttributeError>> + use<'a> {
        let mask = address::mask(self.as_bytes());
        let found = self.attributes().filter(move |attribute| attribute.kind == kind);
        found.map(move |attribute| address::decode(attribute.value, &mask))
    }

    /// Reads the first plain address of this kind, for instance MAPPED-ADDRESS or OTHER-ADDRESS.
    pub fn address(&self, kind: Type) -> Read<SocketAddr> {
        self.read(kind, |value| address::decode(value, &NO_MASK))
    }

    /// Reads an attribute of four bytes as a number.
    pub fn u32(&self, kind: Type) -> Read<u32> {
        self.read(kind, |value| Ok(u32::from_be_bytes(exactly(value)?)))
    }

    /// Reads LIFETIME in seconds.
    pub fn lifetime(&self) -> Read<u32> {
        self.u32(Type::LIFETIME)
    }

    /// Reads the number in CHANNEL-NUMBER, whatever it is; the two bytes after it are reserved.
    pub fn channel_number(&self) -> Read<u16> {
        self.read(Type::CHANNEL_NUMBER, |value| {
            let [n0, n1, _, _] = exactly(value)?;
            Ok(u16::from_be_bytes([n0, n1]))
        })
    }

    /// Reads the IP protocol number in REQUESTED-TRANSPORT: 17 is UDP, 6 is TCP.
    pub fn requested_transport(&self) -> Read<u8> {
        self.read(Type::REQUESTED_TRANSPORT, |value| {
            exactly::<4>(value).map(|[protocol, ..]| protocol)
        })
    }

    /// Reads the R bit of EVEN-PORT: whether the next higher port is to be reserved.
    pub fn even_port(&self) -> Read<bool> {
        self.read(Type::EVEN_PORT, |value| {
            exactly::<1>(value).map(|[bits]| bits & 0x80 != 0)
        })
    }

    /// Reads REQUESTED-ADDRESS-FAMILY; `AttributeError::Family` calls for 440.
    pub fn requested_address_family(&self) -> Read<AddressFamily> {
        self.family(Type::REQUESTED_ADDRESS_FAMILY)
    }

    /// Reads ADDITIONAL-ADDRESS-FAMILY; that only IPv6 may stand there is for the server to say.
    ///
    /// Coturn's clients still send the number it had in the drafts. That number is nobody's in the registry, so what
    /// does not read as a family there was not meant for us.
    pub fn additional_address_family(&self) -> Read<AddressFamily> {
        let draft = || {
            self.family(Type::DRAFT_ADDITIONAL_ADDRESS_FAMILY)
                .filter(Result::is_ok)
        };
        self.family(Type::ADDITIONAL_ADDRESS_FAMILY).or_else(draft)
    }

    /// Reads RESERVATION-TOKEN.
    pub fn reservation_token(&self) -> Read<[u8; 8]> {
        self.read(Type::RESERVATION_TOKEN, exactly)
    }

    /// Reads CHANGE-REQUEST.
    pub fn change_request(&self) -> Read<ChangeRequest> {
        self.read(Type::CHANGE_REQUEST, |value| {
            let flags = u32::from_be_bytes(exactly(value)?);
            Ok(ChangeRequest {
                ip: flags & 0x04 != 0,
                port: flags & 0x02 != 0,
            })
        })
    }

    /// Reads RESPONSE-PORT: two bytes, with or without the two that RFC 5780 §7.5 calls padding.
    pub fn response_port(&self) -> Read<u16> {
        self.read(Type::RESPONSE_PORT, |value| match *value {
            [p0, p1] | [p0, p1, _, _] => Ok(u16::from_be_bytes([p0, p1])),
            _ => Err(AttributeError::Length),
        })
    }

    /// Reads ERROR-CODE.
    pub fn error_code(&self) -> Read<ErrorCode<'a>> {
        self.read(Type::ERROR_CODE, ErrorCode::decode)
    }

    /// Reads ADDRESS-ERROR-CODE: which family of a dual allocation failed, and why.
    pub fn address_error_code(&self) -> Read<(AddressFamily, ErrorCode<'a>)> {
        self.read(Type::ADDRESS_ERROR_CODE, |value| {
            let family = *value.first().ok_or(AttributeError::Length)?;
            let family = AddressFamily::from_number(family).ok_or(AttributeError::Family)?;
            Ok((family, ErrorCode::decode(value)?))
        })
    }

    /// Reads ICMP.
    pub fn icmp(&self) -> Read<Icmp> {
        self.read(Type::ICMP, |value| {
            let [_, _, t, c, data @ ..] = exactly::<8>(value)?;
            let bits = u16::from_be_bytes([t, c]);
            Ok(Icmp {
                kind: (bits >> 9) as u8,
                code: bits & 0x01FF,
                data: u32::from_be_bytes(data),
            })
        })
    }

    /// Reads UNKNOWN-ATTRIBUTES: what the server that sent 420 did not know.
    pub fn unknown_attributes(&self) -> impl Iterator<Item = Type> + use<'a> {
        let value = self.attribute(Type::UNKNOWN_ATTRIBUTES).unwrap_or_default();
        value
            .as_chunks()
            .0
            .iter()
            .map(|&pair| Type(u16::from_be_bytes(pair)))
    }

    /// Finds the comprehension-required attributes that are not in `known`, in their order: they call for 420.
    pub fn unknown_required<'k>(&self, known: &'k [Type]) -> impl Iterator<Item = Type> + use<'a, 'k> {
        let kinds = self.attributes().map(|attribute| attribute.kind);
        kinds.filter(|kind| kind.is_comprehension_required() && !known.contains(kind))
    }

    fn family(&self, kind: Type) -> Read<AddressFamily> {
        self.read(kind, |value| {
            let [number, ..] = exactly::<4>(value)?;
            AddressFamily::from_number(number).ok_or(AttributeError::Family)
        })
    }

    fn text(&self, kind: Type, max: usize) -> Read<&'a str> {
        self.read(kind, |value| {
            if value.len() > max {
                return Err(AttributeError::Length);
            }
            std::str::from_utf8(value).map_err(|_| AttributeError::Text)
        })
    }

    fn read<T>(&self, kind: Type, decode: impl FnOnce(&'a [u8]) -> Result<T, AttributeError>) -> Read<T> {
        self.attribute(kind).map(decode)
    }
}

fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N], AttributeError> {
    value.try_into().map_err(|_| AttributeError::Length)
}
