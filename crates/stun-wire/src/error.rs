use thiserror::Error;

/// Why bytes are not a message. The sender is at fault; a server counts it and answers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum ParseError {
    /// Fewer bytes than a header.
    #[error("shorter than a header")]
    TooShort,
    /// The first byte belongs to another protocol.
    #[error("not a STUN message by its first bits")]
    NotStun,
    /// Bytes 4..8 are not the magic cookie.
    #[error("no magic cookie")]
    Cookie,
    /// The length in the header is not the number of bytes that follow it, or no multiple of four.
    #[error("the length in the header is wrong")]
    Length,
    /// An attribute reaches beyond the message.
    #[error("an attribute reaches beyond the message")]
    AttributeOverrun,
    /// MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 or FINGERPRINT has a length that it cannot have.
    #[error("an integrity or fingerprint attribute has a wrong length")]
    AttributeLength,
    /// A ChannelData number outside 0x4000–0x7FFF.
    #[error("not a channel number")]
    Channel,
}

/// Why an attribute that is present cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum AttributeError {
    /// The value is too short or too long for its kind.
    #[error("wrong length")]
    Length,
    /// An address family other than IPv4 and IPv6, or one that does not fit the length.
    #[error("unknown address family")]
    Family,
    /// Not UTF-8.
    #[error("not UTF-8")]
    Text,
    /// A number outside its range.
    #[error("value out of range")]
    Value,
}

/// Why a message is not proven to come from the holder of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum IntegrityError {
    /// The attribute is absent.
    #[error("no integrity attribute")]
    Missing,
    /// Another key made it, or the message was changed on its way.
    #[error("the integrity attribute does not match")]
    Mismatch,
}

/// Why something could not be written. The message written so far is left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum WriteError {
    /// The caller's buffer has no room for it.
    #[error("the buffer is too small")]
    BufferTooSmall,
    /// A value of more than 65,535 bytes, or a message that would grow beyond what its length field can say.
    #[error("the value is too long for its length field")]
    TooLong,
    /// An attribute that the receiver would have to ignore, as it would stand after the integrity attribute or
    /// the fingerprint.
    #[error("the message is already sealed")]
    Sealed,
    /// An error code outside 300–699, or any other number that the format cannot carry.
    #[error("value out of range")]
    Value,
}

/// Why a user name or password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum PrepareError {
    /// Nothing is left of it.
    #[error("empty")]
    Empty,
    /// It holds a character that the profile forbids (control characters, unassigned code points, mixed directions).
    #[error("a character that is not allowed")]
    Forbidden,
}
