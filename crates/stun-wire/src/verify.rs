//! What proves a message: the integrity attributes and the fingerprint.

use crate::{
    HEADER_LEN, IntegrityError, IntegrityKey, IntegrityKeySha256, Message, fingerprint,
    integrity::{SHA1_LEN, SHA256_LEN},
};

impl Message<'_> {
    /// Tells whether MESSAGE-INTEGRITY is present.
    pub fn has_integrity(&self) -> bool {
        self.marks.integrity != 0
    }

    /// Tells whether MESSAGE-INTEGRITY-SHA256 is present.
    pub fn has_integrity_sha256(&self) -> bool {
        self.marks.integrity_sha256 != 0
    }

    /// Tells whether FINGERPRINT is present.
    pub fn has_fingerprint(&self) -> bool {
        self.marks.fingerprint != 0
    }

    /// Checks MESSAGE-INTEGRITY in constant time (RFC 8489 §14.5).
    pub fn verify_integrity(&self, key: &IntegrityKey) -> Result<(), IntegrityError> {
        let (covered, length, value) = self.sealed_at(self.marks.integrity, SHA1_LEN)?;
        if key.matches(covered, length, value) {
            Ok(())
        } else {
            Err(IntegrityError::Mismatch)
        }
    }

    /// Checks MESSAGE-INTEGRITY-SHA256 in constant time (RFC 8489 §14.6).
    ///
    /// One that is cut short is a mismatch: neither Binding nor TURN admits it.
    pub fn verify_integrity_sha256(&self, key: &IntegrityKeySha256) -> Result<(), IntegrityError> {
        let (covered, length, value) = self.sealed_at(self.marks.integrity_sha256, SHA256_LEN)?;
        if key.matches(covered, length, value) {
            Ok(())
        } else {
            Err(IntegrityError::Mismatch)
        }
    }

    /// Checks FINGERPRINT, which must be the last attribute (RFC 8489 §14.7); `None` when it is absent.
    pub fn verify_fingerprint(&self) -> Option<bool> {
        if !self.has_fingerprint() {
            return None;
        }
        let (covered, value) = self.as_bytes().split_at(self.marks.fingerprint as usize);
        let expected = fingerprint::fingerprint(covered).to_be_bytes();
        Some(value.len() == fingerprint::ATTRIBUTE_LEN && value.ends_with(&expected))
    }

    /// Returns what an integrity attribute covers, the length that was in the header when it was computed, and its
    /// value.
    fn sealed_at(&self, mark: u32, len: usize) -> Result<(&[u8], u16, &[u8]), IntegrityError> {
        if mark == 0 {
            return Err(IntegrityError::Missing);
        }
        let (covered, attribute) = self.as_bytes().split_at(mark as usize);
        if attribute[2..4] != (len as u16).to_be_bytes() {
            return Err(IntegrityError::Mismatch);
        }
        let length = covered.len() - HEADER_LEN + 4 + len;
        Ok((covered, length as u16, &attribute[4..4 + len]))
    }
}
