use crate::ParseError;

/// Channel number and length in front of the payload, in bytes (RFC 8656 §12.4).
pub const CHANNEL_HEADER_LEN: usize = 4;

/// A channel number that may be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelNumber(u16);

impl ChannelNumber {
    /// Takes 0x4000–0x4FFF (RFC 8656 §12).
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            0x4000..=0x4FFF => Some(Self(number)),
            _ => None,
        }
    }

    /// Takes 0x4000–0x7FFF, as RFC 5766 §11 has it. Its §11.2 ends at 0x7FFE, but coturn's client draws from all of them.
    pub const fn new_rfc5766(number: u16) -> Option<Self> {
        match number {
            0x4000..=0x7FFF => Some(Self(number)),
            _ => None,
        }
    }

    /// Returns the number.
    pub const fn value(self) -> u16 {
        self.0
    }
}

/// Application data of a bound channel, borrowed from the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// 0x4000–0x7FFF; whether it is bound is for the allocation to tell.
    pub channel: u16,
    /// The data without padding, possibly empty.
    pub payload: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Parses a datagram or a stream frame; bytes after the payload are padding and ignored (RFC 8656 §12.5).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (&[c0, c1, l0, l1], rest) = bytes.split_first_chunk::<4>().ok_or(ParseError::TooShort)?;
        if c0 & 0xC0 != 0x40 {
            return Err(ParseError::Channel);
        }
        let payload = rest
            .get(..u16::from_be_bytes([l0, l1]) as usize)
            .ok_or(ParseError::Length)?;
        Ok(Self {
            channel: u16::from_be_bytes([c0, c1]),
            payload,
        })
    }
}

/// Writes the four bytes that stand in front of `len` bytes of payload.
pub fn write_channel_header(out: &mut [u8; CHANNEL_HEADER_LEN], channel: ChannelNumber, len: u16) {
    let ([c0, c1], [l0, l1]) = (channel.value().to_be_bytes(), len.to_be_bytes());
    *out = [c0, c1, l0, l1];
}
