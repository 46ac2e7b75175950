//! Framing on TCP and TLS, where reads split and join messages (RFC 8489 §6.2.2, RFC 8656 §12.5).

use crate::{CHANNEL_HEADER_LEN, HEADER_LEN, Kind, MAGIC_COOKIE, classify, padded};

/// The longest frame: a STUN header and 65,532 bytes of attributes.
pub const MAX_FRAME_LEN: usize = HEADER_LEN + 65_532;

/// What stands at the start of the bytes received so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole frame of `len` bytes, the padding of ChannelData included; `kind` is `Stun` or `ChannelData`.
    Complete {
        /// How many bytes to take off the front.
        len: usize,
        /// Which parser to give them to.
        kind: Kind,
    },
    /// At least this many more bytes are needed before the question can be asked again.
    NeedMore(usize),
    /// Neither a STUN message nor ChannelData: the stream cannot be read on.
    Invalid,
}

/// Finds the frame at the start of `bytes`. Looks at no more than the first eight.
pub fn next_frame(bytes: &[u8]) -> Frame {
    let Some(&first) = bytes.first() else {
        return Frame::NeedMore(CHANNEL_HEADER_LEN);
    };
    let kind = classify(first);
    match kind {
        Kind::Stun => stun_frame(bytes),
        Kind::ChannelData => match length_field(bytes) {
            Some(length) => complete(bytes, CHANNEL_HEADER_LEN + padded(length), kind),
            None => Frame::NeedMore(CHANNEL_HEADER_LEN - bytes.len()),
        },
        Kind::Dtls | Kind::Other => Frame::Invalid,
    }
}

fn stun_frame(bytes: &[u8]) -> Frame {
    let cookie = MAGIC_COOKIE.to_be_bytes();
    let seen = bytes.get(4..bytes.len().min(8)).unwrap_or_default();
    if !cookie.starts_with(seen) {
        return Frame::Invalid;
    }
    match length_field(bytes) {
        Some(length) if !length.is_multiple_of(4) => Frame::Invalid,
        Some(length) => complete(bytes, HEADER_LEN + length, Kind::Stun),
        None => Frame::NeedMore(HEADER_LEN - bytes.len()),
    }
}

fn complete(bytes: &[u8], len: usize, kind: Kind) -> Frame {
    match len.checked_sub(bytes.len()) {
        None | Some(0) => Frame::Complete { len, kind },
        Some(missing) => Frame::NeedMore(missing),
    }
}

fn length_field(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(2..4)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*length) as usize)
}
