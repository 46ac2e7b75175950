use crate::AttributeError;

/// Why a request was refused: a number and a phrase for people (RFC 8489 §14.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode<'a> {
    /// 300–699.
    pub code: u16,
    /// At most 763 bytes of UTF-8, possibly none.
    pub reason: &'a str,
}

/// RFC 8489 §14.8: "up to 127 characters, 763 bytes on decoding".
pub(crate) const MAX_REASON_LEN: usize = 763;

impl<'a> ErrorCode<'a> {
    /// Reads `00 00 class number reason`.
    pub(crate) fn decode(value: &'a [u8]) -> Result<Self, AttributeError> {
        let (&[_, _, class, number], reason) =
            value.split_first_chunk::<4>().ok_or(AttributeError::Length)?;
        let class = class & 0x07;
        if !(3..=6).contains(&class) || number > 99 {
            return Err(AttributeError::Value);
        }
        if reason.len() > MAX_REASON_LEN {
            return Err(AttributeError::Length);
        }
        let reason = std::str::from_utf8(reason).map_err(|_| AttributeError::Text)?;
        Ok(Self {
            code: u16::from(class) * 100 + u16::from(number),
            reason,
        })
    }
}

/// The four bytes in front of the reason phrase; `first` is zero in ERROR-CODE and the family in ADDRESS-ERROR-CODE.
pub(crate) fn head(first: u8, code: u16) -> Option<[u8; 4]> {
    if !(300..700).contains(&code) {
        return None;
    }
    Some([first, 0, (code / 100) as u8, (code % 100) as u8])
}
