//! Success and refusal on the wire: the only place that signs.

use std::{net::SocketAddr, sync::Arc};

use arrayvec::ArrayVec;
use stun_wire::{AttributeType, Class, Message, MessageWriter, Method, TransactionId, WriteError};

use crate::{
    config::Config,
    integrity::MacKey,
    nonce::{Nonce, Nonces, Offer},
    third_party::ThirdParty,
    tickets::Ticket,
    types::{ConnectionNumber, Family, Now, PeerConnectionId, ReservationToken},
};

/// Holds what of a request its answer needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) id: TransactionId,
    /// An answer carries FINGERPRINT if its request did.
    pub(crate) fingerprint: bool,
    pub(crate) len: usize,
}

impl Asked {
    pub(crate) fn by(message: &Message<'_>) -> Self {
        Self {
            method: message.method(),
            id: message.transaction_id(),
            fingerprint: message.has_fingerprint(),
            len: message.as_bytes().len(),
        }
    }
}

/// Says how a request that was granted is answered.
#[derive(Debug)]
pub(crate) enum Done {
    Now(Success),
    /// Once a relay socket is open, or a peer is connected.
    Later,
}

#[derive(Debug, Clone)]
pub(crate) enum Success {
    Allocated(Box<Allocated>),
    Refreshed {
        lifetime: u32,
        /// The ticket in place of the one that was redeemed.
        ticket: Option<Ticket>,
    },
    Permitted,
    Bound,
    Connected {
        number: ConnectionNumber,
    },
    DataBound {
        peer: PeerConnectionId,
    },
}

/// Holds what a successful Allocate tells its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allocated {
    pub(crate) relayed: ArrayVec<SocketAddr, 2>,
    pub(crate) mapped: SocketAddr,
    pub(crate) lifetime: u32,
    pub(crate) token: Option<ReservationToken>,
    /// Lets its client move.
    pub(crate) ticket: Option<Ticket>,
    /// Of two families asked, the one that failed and why.
    pub(crate) failed: Option<(Family, u16)>,
}

/// Says why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    TryAlternate {
        server: SocketAddr,
        domain: Option<Arc<str>>,
    },
    BadRequest,
    Unauthorized,
    Forbidden,
    MobilityForbidden,
    UnknownAttributes(ArrayVec<AttributeType, MAX_UNKNOWN>),
    AllocationMismatch,
    StaleNonce,
    FamilyNotSupported,
    WrongCredentials,
    UnsupportedTransport,
    PeerFamilyMismatch,
    ConnectionExists,
    ConnectionFailed,
    QuotaReached,
    InsufficientCapacity,
}

/// A client with more unknown attributes than that learns of the first ones.
pub(crate) const MAX_UNKNOWN: usize = 16;

impl Refusal {
    /// Gives the code, which is one of [`ERROR_CODES`](crate::ERROR_CODES), and the reason phrase.
    pub(crate) fn code(&self) -> (u16, &'static str) {
        match self {
            Self::TryAlternate { .. } => (300, "Try Alternate"),
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::MobilityForbidden => (405, "Mobility Forbidden"),
            Self::UnknownAttributes(_) => (420, "Unknown Attribute"),
            Self::AllocationMismatch => (437, "Allocation Mismatch"),
            Self::StaleNonce => (438, "Stale Nonce"),
            Self::FamilyNotSupported => (440, "Address Family not Supported"),
            Self::WrongCredentials => (441, "Wrong Credentials"),
            Self::UnsupportedTransport => (442, "Unsupported Transport Protocol"),
            Self::PeerFamilyMismatch => (443, "Peer Address Family Mismatch"),
            Self::ConnectionExists => (446, "Connection Already Exists"),
            Self::ConnectionFailed => (447, "Connection Timeout or Failure"),
            Self::QuotaReached => (486, "Allocation Quota Reached"),
            Self::InsufficientCapacity => (508, "Insufficient Capacity"),
        }
    }

    /// Tells whether the client is to try again with our realm and this nonce.
    fn challenges(&self) -> bool {
        matches!(self, Self::Unauthorized | Self::StaleNonce)
    }
}

/// Holds a refusal with all that its answer depends on.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// Signs the answer; present once the password was found right.
    pub(crate) key: Option<Box<MacKey>>,
    pub(crate) standing: Standing,
}

impl Refused {
    /// A refusal of someone who is known.
    pub(crate) fn signed(refusal: Refusal, key: MacKey) -> Self {
        Self {
            refusal,
            key: Some(Box::new(key)),
            standing: Standing::Proven,
        }
    }

    /// A refusal of someone who is not.
    pub(crate) fn unsigned(refusal: Refusal, standing: Standing) -> Self {
        Self {
            refusal,
            key: None,
            standing,
        }
    }
}

/// Says what an address proved, which bounds what is sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It showed a nonce that was sent to it.
    Proven,
    /// It asked for the first time: the answer may be three times as long.
    Newcomer,
    /// It sent credentials that prove nothing: the answer may be as long as the request.
    Unproven,
}

impl Standing {
    /// The longest answer to a request of this length.
    pub(crate) fn allowance(self, request_len: usize) -> usize {
        match self {
            Self::Proven => usize::MAX,
            Self::Newcomer => 3 * request_len,
            Self::Unproven => request_len,
        }
    }
}

/// Says why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It would be longer than allowed.
    TooLong,
    /// The buffer is too small.
    NoRoom,
}

/// Writes and signs a success response.
pub(crate) fn success(
    config: &Config,
    asked: Asked,
    key: &MacKey,
    success: &Success,
    out: &mut [u8],
) -> Result<usize, WriteError> {
    let mut writer = MessageWriter::new(out, Class::Success, asked.method, asked.id)?;
    match success {
        Success::Allocated(allocated) => write_allocated(&mut writer, allocated)?,
        Success::Refreshed { lifetime, ticket } => {
            writer.u32(AttributeType::LIFETIME, *lifetime)?;
            write_ticket(&mut writer, ticket.as_ref())?;
        }
        Success::Connected {
            number: ConnectionNumber(number),
        } => {
            writer.u32(AttributeType::CONNECTION_ID, *number)?;
        }
        Success::Permitted | Success::Bound | Success::DataBound { .. } => {}
    }
    if let Some(software) = &config.software {
        writer.text(AttributeType::SOFTWARE, software)?;
    }
    seal(writer, asked, Some(key))
}

fn write_allocated(writer: &mut MessageWriter<'_>, allocated: &Allocated) -> Result<(), WriteError> {
    for &relayed in &allocated.relayed {
        writer.xor_address(AttributeType::XOR_RELAYED_ADDRESS, relayed)?;
    }
    writer.u32(AttributeType::LIFETIME, allocated.lifetime)?;
    if let Some(ReservationToken(token)) = allocated.token {
        writer.attribute(AttributeType::RESERVATION_TOKEN, &token)?;
    }
    write_ticket(writer, allocated.ticket.as_ref())?;
    if let Some((family, code)) = allocated.failed {
        writer.address_error_code(family.into(), code, "")?;
    }
    writer.xor_address(AttributeType::XOR_MAPPED_ADDRESS, allocated.mapped)?;
    Ok(())
}

fn write_ticket(writer: &mut MessageWriter<'_>, ticket: Option<&Ticket>) -> Result<(), WriteError> {
    if let Some(ticket) = ticket {
        writer.attribute(AttributeType::MOBILITY_TICKET, ticket)?;
    }
    Ok(())
}

/// Makes what a challenge holds: realm and nonce, and what may be chosen.
pub(crate) struct Challenge<'a> {
    pub(crate) config: &'a Config,
    pub(crate) nonces: &'a Nonces,
    pub(crate) now: Now,
    pub(crate) client: SocketAddr,
}

/// Says how much a challenge offers.
#[derive(Clone, Copy)]
struct Offered<'a> {
    offer: Offer,
    nonce: &'a Nonce,
    /// THIRD-PARTY-AUTHORIZATION.
    third_party: Option<&'a str>,
}

impl Challenge<'_> {
    fn write(&self, offered: Offered<'_>, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        writer.text(AttributeType::REALM, self.config.realm.as_str())?;
        writer.attribute(AttributeType::NONCE, offered.nonce)?;
        if offered.offer == Offer::Algorithms {
            writer.password_algorithms(self.config.credentials.algorithms())?;
        }
        if let Some(server_name) = offered.third_party {
            writer.text(AttributeType::THIRD_PARTY_AUTHORIZATION, server_name)?;
        }
        Ok(())
    }
}

/// Writes an error response of at most `allowance` bytes. What people read is left out first, then what clients of
/// RFC 8489 may choose, then what tells those with tokens that they may use them, and at last the answer.
pub(crate) fn refusal(
    asked: Asked,
    refused: &Refused,
    challenge: &Challenge<'_>,
    allowance: usize,
    out: &mut [u8],
) -> Result<usize, NoAnswer> {
    let challenges = refused.refusal.challenges();
    let offers: &[Offer] = if challenges {
        &Offer::ALL
    } else {
        &[Offer::Nothing]
    };
    let third_party = challenge
        .config
        .credentials
        .third_party()
        .map(ThirdParty::server_name);
    let third_parties = [third_party, None];
    let third_parties = if third_party.is_some() {
        &third_parties[..]
    } else {
        &[None]
    };
    let mut luxuries = &Luxury::ALL[..];
    let mut outcome = Err(NoAnswer::NoRoom);
    for &third_party in third_parties {
        for &offer in offers {
            let nonce = challenge.nonces.make(challenge.now, challenge.client, offer);
            let offered = Offered {
                offer,
                nonce: &nonce,
                third_party,
            };
            for &luxury in std::mem::replace(&mut luxuries, &[Luxury::None]) {
                outcome = match write_refusal(asked, refused, challenge, offered, luxury, out) {
                    Ok(len) if len <= allowance => return Ok(len),
                    Ok(_) => Err(NoAnswer::TooLong),
                    Err(_) => Err(NoAnswer::NoRoom),
                };
            }
        }
    }
    outcome
}

/// Says how much of an error response is there for people to read; each includes the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Luxury {
    Software,
    ReasonPhrase,
    None,
}

impl Luxury {
    const ALL: [Self; 3] = [Self::Software, Self::ReasonPhrase, Self::None];
}

fn write_refusal(
    asked: Asked,
    refused: &Refused,
    challenge: &Challenge<'_>,
    offered: Offered<'_>,
    luxury: Luxury,
    out: &mut [u8],
) -> Result<usize, WriteError> {
    let refusal = &refused.refusal;
    let (code, phrase) = refusal.code();
    let mut writer = MessageWriter::new(out, Class::Error, asked.method, asked.id)?;
    writer.error_code(code, if luxury == Luxury::None { "" } else { phrase })?;
    if let Refusal::UnknownAttributes(unknown) = refusal {
        writer.unknown_attributes(unknown)?;
    }
    if let Refusal::TryAlternate { server, domain } = refusal {
        writer.address(AttributeType::ALTERNATE_SERVER, *server)?;
        if let Some(domain) = domain {
            writer.text(AttributeType::ALTERNATE_DOMAIN, domain)?;
        }
    }
    if refusal.challenges() {
        challenge.write(offered, &mut writer)?;
    }
    if let (Luxury::Software, Some(software)) = (luxury, &challenge.config.software) {
        writer.text(AttributeType::SOFTWARE, software)?;
    }
    seal(writer, asked, refused.key.as_deref())
}

fn seal(mut writer: MessageWriter<'_>, asked: Asked, key: Option<&MacKey>) -> Result<usize, WriteError> {
    if let Some(key) = key {
        key.seal(&mut writer)?;
    }
    if asked.fingerprint {
        writer.fingerprint()?;
    }
    Ok(writer.finish())
}
