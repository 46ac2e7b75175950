use crate::{
    AttributeType, Class, HEADER_LEN, MAGIC_COOKIE, Method, ParseError, TransactionId, fingerprint,
    integrity::SHA1_LEN,
    method::{class_of, method_of},
    padded,
};

/// Offsets in the header (RFC 8489 §5, figure 2).
mod field {
    use std::ops::Range;

    pub(super) const TYPE: Range<usize> = 0..2;
    pub(super) const LENGTH: Range<usize> = 2..4;
    pub(super) const COOKIE: Range<usize> = 4..8;
    pub(super) const TRANSACTION_ID: Range<usize> = 8..20;
    pub(super) const CLASSIC_ID: Range<usize> = 4..20;
}

/// A STUN message, checked once as to its frame and read lazily from the bytes it borrows.
///
/// The header, the cookie, the length and every attribute's length have been checked; values are decoded when asked
/// for. What stands after the integrity attributes or after FINGERPRINT is never shown.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    classic: bool,
    pub(crate) marks: Marks,
}

/// Where the attributes stand that seal a message; 0 is "absent". Each seal that is present stands behind the ones
/// above it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) integrity: u32,
    pub(crate) integrity_sha256: u32,
    pub(crate) fingerprint: u32,
    /// Where the first seal stands, or the end of the message.
    open_end: u32,
}

/// One attribute as it stands in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// What the value holds.
    pub kind: AttributeType,
    /// The value without its padding.
    pub value: &'a [u8],
    /// Offset of the value from the start of the message in bytes.
    pub offset: usize,
}

impl<'a> Message<'a> {
    /// Parses a datagram that must be exactly one message with the magic cookie.
    ///
    /// Takes any bytes. Errors say what is wrong with the frame; bad values of attributes are found when read.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        check_header(bytes)?;
        if bytes[field::COOKIE] != MAGIC_COOKIE.to_be_bytes() {
            return Err(ParseError::Cookie);
        }
        Ok(Self {
            bytes,
            classic: false,
            marks: walk(bytes)?,
        })
    }

    /// Parses a datagram that must be exactly one RFC 3489 message: no cookie, sixteen bytes of identifier.
    pub fn parse_classic(bytes: &'a [u8]) -> Result<Self, ParseError> {
        check_header(bytes)?;
        if bytes[field::COOKIE] == MAGIC_COOKIE.to_be_bytes() {
            return Err(ParseError::Cookie);
        }
        Ok(Self {
            bytes,
            classic: true,
            marks: walk(bytes)?,
        })
    }

    /// Returns what part the message plays in its transaction.
    pub fn class(&self) -> Class {
        class_of(self.message_type())
    }

    /// Returns what the message is about.
    pub fn method(&self) -> Method {
        method_of(self.message_type())
    }

    /// Returns the 96-bit identifier; of a classic message the last twelve of its sixteen bytes.
    pub fn transaction_id(&self) -> TransactionId {
        TransactionId(array(self.bytes, field::TRANSACTION_ID.start))
    }

    /// Returns bytes 4..20: the identifier of a classic message, else cookie and identifier.
    pub fn classic_id(&self) -> [u8; 16] {
        array(self.bytes, field::CLASSIC_ID.start)
    }

    /// Tells whether this is an RFC 3489 message.
    pub fn is_classic(&self) -> bool {
        self.classic
    }

    /// Returns the whole message, header included.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Walks the attributes in their order.
    ///
    /// After MESSAGE-INTEGRITY only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT are shown, after MESSAGE-INTEGRITY-SHA256
    /// only FINGERPRINT, after that nothing (RFC 8489 §14.5–14.7): nobody vouches for the rest.
    pub fn attributes(&self) -> Attributes<'a> {
        let Marks {
            integrity,
            integrity_sha256,
            fingerprint,
            open_end,
        } = self.marks;
        let seals = [integrity, integrity_sha256, fingerprint];
        Attributes {
            bytes: self.bytes,
            at: HEADER_LEN,
            open_end: open_end as usize,
            seals,
        }
    }

    /// Returns the value of the first attribute of this kind.
    pub fn attribute(&self, kind: AttributeType) -> Option<&'a [u8]> {
        self.attributes()
            .find(|attribute| attribute.kind == kind)
            .map(|attribute| attribute.value)
    }

    fn message_type(&self) -> u16 {
        u16_at(self.bytes, field::TYPE.start)
    }
}

/// Iterator over the attributes of a message.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    at: usize,
    open_end: usize,
    /// The marks still to be shown once the open part is through.
    seals: [u32; 3],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = if self.at < self.open_end {
            self.at
        } else {
            self.next_seal()?
        };
        // `walk` has seen that the attribute lies within the message.
        let (kind, len) = head_at(self.bytes, at)?;
        let offset = at + 4;
        let value = self.bytes.get(offset..offset + len)?;
        self.at = offset + padded(len);
        Some(Attribute { kind, value, offset })
    }
}

impl Attributes<'_> {
    fn next_seal(&mut self) -> Option<usize> {
        let seal = self.seals.iter_mut().find(|seal| **seal != 0)?;
        Some(std::mem::take(seal) as usize)
    }
}

/// How far a message is closed against further attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seal {
    Open,
    Sha1,
    Sha256,
    Fingerprint,
}

impl Seal {
    /// Returns the seal after an attribute of this kind, `None` when the attribute may not stand here.
    pub(crate) fn after(self, kind: AttributeType) -> Option<Self> {
        let seal = match kind {
            AttributeType::MESSAGE_INTEGRITY => Self::Sha1,
            AttributeType::MESSAGE_INTEGRITY_SHA256 => Self::Sha256,
            AttributeType::FINGERPRINT => Self::Fingerprint,
            _ => return (self == Self::Open).then_some(Self::Open),
        };
        (self < seal).then_some(seal)
    }
}

fn check_header(bytes: &[u8]) -> Result<(), ParseError> {
    if bytes.len() < HEADER_LEN {
        return Err(ParseError::TooShort);
    }
    if bytes[0] & 0xC0 != 0 {
        return Err(ParseError::NotStun);
    }
    let length = u16_at(bytes, field::LENGTH.start) as usize;
    if length != bytes.len() - HEADER_LEN || !length.is_multiple_of(4) {
        return Err(ParseError::Length);
    }
    Ok(())
}

/// Checks that every attribute ends within the message and notes the ones that seal it.
fn walk(bytes: &[u8]) -> Result<Marks, ParseError> {
    let mut marks = Marks {
        open_end: bytes.len() as u32,
        ..Marks::default()
    };
    let mut seal = Seal::Open;
    let mut at = HEADER_LEN;
    while at < bytes.len() {
        let (kind, len) = head_at(bytes, at).ok_or(ParseError::AttributeOverrun)?;
        let next = at + 4 + padded(len);
        if next > bytes.len() {
            return Err(ParseError::AttributeOverrun);
        }
        if let Some(after) = seal.after(kind)
            && after != Seal::Open
        {
            marks.note(after, at, len)?;
            seal = after;
        }
        at = next;
    }
    Ok(marks)
}

impl Marks {
    fn note(&mut self, seal: Seal, at: usize, len: usize) -> Result<(), ParseError> {
        let (mark, fits) = match seal {
            Seal::Open => return Ok(()),
            Seal::Sha1 => (&mut self.integrity, len == SHA1_LEN),
            // RFC 8489 §14.6: a usage may cut it, to 16 bytes at least.
            Seal::Sha256 => (
                &mut self.integrity_sha256,
                (16..=32).contains(&len) && len.is_multiple_of(4),
            ),
            Seal::Fingerprint => (&mut self.fingerprint, len == fingerprint::ATTRIBUTE_LEN - 4),
        };
        *mark = at as u32;
        self.open_end = self.open_end.min(at as u32);
        if fits {
            Ok(())
        } else {
            Err(ParseError::AttributeLength)
        }
    }
}

/// Reads type and length of the attribute at an offset, `None` beyond the end.
fn head_at(bytes: &[u8], at: usize) -> Option<(AttributeType, usize)> {
    let [k0, k1, l0, l1] = *bytes.get(at..)?.first_chunk::<4>()?;
    Some((
        AttributeType(u16::from_be_bytes([k0, k1])),
        u16::from_be_bytes([l0, l1]) as usize,
    ))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}
