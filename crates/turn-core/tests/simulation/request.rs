//! What a client asks, and how it is written.

use std::net::SocketAddr;

use stun_wire::{
    AddressFamily, AttributeType, ChannelNumber, Class, IntegrityKey, IntegrityKeySha256, Message,
    MessageWriter, Method, PasswordAlgorithm, TransactionId, long_term_key_md5, long_term_key_sha256,
};
use stun_wire::{WriteError, write_channel_header};

/// One request with everything a client decides about it.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Binding,
    Allocate {
        lifetime: Option<u32>,
        relay: Relay,
        /// Whether a ticket is asked for.
        mobile: bool,
    },
    Refresh {
        lifetime: u32,
    },
    /// A Refresh from another address.
    Resume {
        ticket: Vec<u8>,
    },
    Permit {
        peers: Vec<SocketAddr>,
    },
    Channel {
        number: u16,
        peer: SocketAddr,
    },
}

/// Which relay an Allocate asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Relay {
    Any,
    V6,
    Both,
    Even { reserve: bool },
    Reserved([u8; 8]),
}

/// What a client learnt from a 401 or 438.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) username: String,
    pub(crate) realm: String,
    pub(crate) nonce: Vec<u8>,
    pub(crate) key: Key,
    /// What the authorization server gave, if that is how the client is known.
    pub(crate) token: Option<Vec<u8>>,
}

/// How a client signs, and how it wants to be answered.
#[derive(Debug)]
pub(crate) enum Key {
    /// As RFC 5389 says.
    Md5(IntegrityKey),
    /// As RFC 8489 says, with the list of algorithms that came with the nonce.
    Sha256 { key: IntegrityKeySha256, list: Vec<u8> },
}

/// What a client and the server both know.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Secret<'a> {
    /// A user name and its password.
    Password(&'a str, &'a str),
    /// The key in a token.
    MacKey(&'a [u8]),
}

impl Key {
    /// Takes what was offered if it can, and if there is a choice.
    pub(crate) fn choose(knows_rfc8489: bool, challenge: &Message<'_>, secret: Secret<'_>) -> Self {
        let realm = challenge.realm().unwrap().unwrap();
        let list = challenge.attribute(AttributeType::PASSWORD_ALGORITHMS);
        let list = list.filter(|_| knows_rfc8489).map(<[u8]>::to_vec);
        match (secret, list) {
            (Secret::Password(name, password), Some(list)) => Self::Sha256 {
                key: IntegrityKeySha256::new(&long_term_key_sha256(name, realm, password)),
                list,
            },
            (Secret::Password(name, password), None) => {
                Self::Md5(IntegrityKey::new(&long_term_key_md5(name, realm, password)))
            }
            (Secret::MacKey(key), Some(list)) => Self::Sha256 {
                key: IntegrityKeySha256::new(key),
                list,
            },
            (Secret::MacKey(key), None) => Self::Md5(IntegrityKey::new(key)),
        }
    }

    fn seal(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        match self {
            Self::Md5(key) => writer.integrity(key)?,
            Self::Sha256 { key, list } => writer
                .attribute(AttributeType::PASSWORD_ALGORITHMS, list)?
                .password_algorithm(PasswordAlgorithm::Sha256)?
                .integrity_sha256(key)?,
        };
        Ok(())
    }

    /// An answer carries the attribute of its request, and no other.
    pub(crate) fn assert_signed(&self, message: &Message<'_>) {
        let (holds, other) = match self {
            Self::Md5(key) => (message.verify_integrity(key), message.has_integrity_sha256()),
            Self::Sha256 { key, .. } => (message.verify_integrity_sha256(key), message.has_integrity()),
        };
        assert_eq!((holds, other), (Ok(()), false), "{message:?}");
    }
}

impl Ask {
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::Binding => Method::BINDING,
            Self::Allocate { .. } => Method::ALLOCATE,
            Self::Refresh { .. } | Self::Resume { .. } => Method::REFRESH,
            Self::Permit { .. } => Method::CREATE_PERMISSION,
            Self::Channel { .. } => Method::CHANNEL_BIND,
        }
    }

    /// Writes the request, signed when there is a session.
    pub(crate) fn write(&self, id: TransactionId, session: Option<&Session>) -> Vec<u8> {
        written(Class::Request, self.method(), id, |writer| {
            self.write_attributes(writer)?;
            if let Some(session) = session {
                writer.text(AttributeType::USERNAME, &session.username)?;
                writer.text(AttributeType::REALM, &session.realm)?;
                writer.attribute(AttributeType::NONCE, &session.nonce)?;
                // RFC 7635: in Allocate and Refresh.
                if let (Self::Allocate { .. } | Self::Refresh { .. } | Self::Resume { .. }, Some(token)) =
                    (self, &session.token)
                {
                    writer.attribute(AttributeType::ACCESS_TOKEN, token)?;
                }
                session.key.seal(writer)?;
            }
            writer.fingerprint().map(drop)
        })
    }

    fn write_attributes(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        match self {
            Self::Binding => {}
            Self::Allocate {
                lifetime,
                relay,
                mobile,
            } => {
                writer.attribute(AttributeType::REQUESTED_TRANSPORT, &[17, 0, 0, 0])?;
                if let Some(lifetime) = lifetime {
                    writer.u32(AttributeType::LIFETIME, *lifetime)?;
                }
                relay.write(writer)?;
                if *mobile {
                    writer.attribute(AttributeType::MOBILITY_TICKET, &[])?;
                }
            }
            Self::Resume { ticket } => drop(writer.attribute(AttributeType::MOBILITY_TICKET, ticket)?),
            Self::Refresh { lifetime } => drop(writer.u32(AttributeType::LIFETIME, *lifetime)?),
            Self::Permit { peers } => {
                for peer in peers {
                    writer.xor_address(AttributeType::XOR_PEER_ADDRESS, *peer)?;
                }
            }
            Self::Channel { number, peer } => {
                writer.attribute(
                    AttributeType::CHANNEL_NUMBER,
                    &[(number >> 8) as u8, *number as u8, 0, 0],
                )?;
                writer.xor_address(AttributeType::XOR_PEER_ADDRESS, *peer)?;
            }
        }
        Ok(())
    }
}

impl Relay {
    fn write(self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        let written = match self {
            Self::Any => return Ok(()),
            Self::V6 => writer.family(AttributeType::REQUESTED_ADDRESS_FAMILY, AddressFamily::V6),
            Self::Both => writer.family(AttributeType::ADDITIONAL_ADDRESS_FAMILY, AddressFamily::V6),
            Self::Even { reserve } => writer.attribute(AttributeType::EVEN_PORT, &[u8::from(reserve) << 7]),
            Self::Reserved(token) => writer.attribute(AttributeType::RESERVATION_TOKEN, &token),
        };
        written.map(drop)
    }
}

/// Writes a Send indication.
pub(crate) fn send_indication(id: TransactionId, peer: SocketAddr, payload: &[u8]) -> Vec<u8> {
    written(Class::Indication, Method::SEND, id, |writer| {
        writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer)?;
        writer.attribute(AttributeType::DATA, payload).map(drop)
    })
}

/// Writes a ChannelData message, unpadded as over UDP.
pub(crate) fn channel_data(number: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 4];
    write_channel_header(
        &mut header,
        ChannelNumber::new(number).unwrap(),
        payload.len() as u16,
    );
    [&header, payload].concat()
}

/// Writes any message.
pub(crate) fn written(
    class: Class,
    method: Method,
    id: TransactionId,
    attributes: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), WriteError>,
) -> Vec<u8> {
    let mut out = vec![0; 2048];
    let mut writer = MessageWriter::new(&mut out, class, method, id).unwrap();
    attributes(&mut writer).unwrap();
    let len = writer.finish();
    out.truncate(len);
    out
}
