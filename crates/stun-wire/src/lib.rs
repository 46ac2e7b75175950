//! Bytes to meaning and back: STUN and TURN messages, ChannelData, stream framing; borrowed, allocation-free.
//!
//! Reading starts at [`Message::parse`] or [`ChannelData::parse`]; which of the two a datagram needs is told by
//! [`classify`]. Writing starts at [`MessageWriter::new`], always into a buffer of the caller. Nothing here sees a
//! socket, a clock or a random source, and nothing on the datagram path allocates; only the preparation of names
//! and passwords ([`prepare_opaque_string`]) may.
//!
//! RFC 8489 (STUN), 8656 (TURN), 5780 (NAT behaviour discovery), 6062 (TURN over TCP), 8016 (mobility), 7635
//! (third-party authorization), 3489 (classic STUN).

#![warn(clippy::iter_over_hash_type)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod address;
mod attribute;
mod channel_data;
mod demux;
mod error;
mod error_code;
mod fingerprint;
mod health_check;
mod integrity;
mod keys;
mod message;
mod method;
mod password_algorithm;
mod prepare;
mod read;
pub mod stream;
mod verify;
mod writer;

pub use address::AddressFamily;
pub use attribute::AttributeType;
pub use channel_data::{CHANNEL_HEADER_LEN, ChannelData, ChannelNumber, write_channel_header};
pub use demux::{Kind, classify};
pub use error::{AttributeError, IntegrityError, ParseError, PrepareError, WriteError};
pub use error_code::ErrorCode;
pub use health_check::{HEALTH_CHECK, HEALTH_CHECK_LEN, health_check, is_success};
pub use integrity::{IntegrityKey, IntegrityKeySha256};
pub use keys::{long_term_key_md5, long_term_key_sha256, user_hash};
pub use message::{Attribute, Attributes, Message};
pub use method::{Class, Method, TransactionId};
pub use password_algorithm::PasswordAlgorithm;
pub use prepare::{prepare_opaque_string, prepare_saslprep};
pub use read::{ChangeRequest, Icmp};
pub use writer::MessageWriter;

/// The fixed value of bytes 4..8 that tells RFC 5389 and later from RFC 3489 (RFC 8489 §5).
pub const MAGIC_COOKIE: u32 = 0x2112_A442;

/// Length of the STUN message header in bytes (RFC 8489 §5).
pub const HEADER_LEN: usize = 20;

/// Rounds a length up to the next multiple of four, as attributes and stream frames are padded.
pub(crate) const fn padded(len: usize) -> usize {
    (len + 3) & !3
}
