//! The keys of one user in the forms that requests and answers need (RFC 8489 §9.2.4, §14.5, §14.6).

use stun_wire::{IntegrityKey, IntegrityKeySha256, Message, MessageWriter, PasswordAlgorithm, WriteError};

/// Names one or both of the integrity attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Macs {
    /// MESSAGE-INTEGRITY.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256.
    Sha256,
    Both,
}

/// Says what a request was signed with, and how its answer will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// What makes a key of the password.
    pub(crate) algorithm: PasswordAlgorithm,
    /// The attributes that request and answer carry, whose keys it takes.
    pub(crate) macs: Macs,
    /// The attributes that the answer carries.
    pub(crate) sign: Macs,
}

/// Holds one key, ready for one of the attributes or for both.
#[derive(Debug, Clone)]
pub(crate) enum MacKey {
    Sha1(IntegrityKey),
    Sha256(IntegrityKeySha256),
    /// Rare, and so not in the way of the others.
    Both(Box<(IntegrityKey, IntegrityKeySha256)>),
}

impl MacKey {
    pub(crate) fn new(macs: Macs, key: &[u8]) -> Self {
        match macs {
            Macs::Sha1 => Self::Sha1(IntegrityKey::new(key)),
            Macs::Sha256 => Self::Sha256(IntegrityKeySha256::new(key)),
            Macs::Both => Self::Both(Box::new((IntegrityKey::new(key), IntegrityKeySha256::new(key)))),
        }
    }

    /// Gives a copy for these attributes, unless it has not what that takes.
    pub(crate) fn narrowed(&self, macs: Macs) -> Option<Self> {
        match (self, macs) {
            (Self::Sha1(_), Macs::Sha1) | (Self::Sha256(_), Macs::Sha256) | (Self::Both(_), Macs::Both) => {
                Some(self.clone())
            }
            (Self::Both(both), Macs::Sha1) => Some(Self::Sha1(both.0.clone())),
            (Self::Both(both), Macs::Sha256) => Some(Self::Sha256(both.1.clone())),
            (Self::Sha1(_), Macs::Sha256 | Macs::Both) | (Self::Sha256(_), Macs::Sha1 | Macs::Both) => None,
        }
    }

    /// Tells whether the message holds: by MESSAGE-INTEGRITY-SHA256 if it has that, else by MESSAGE-INTEGRITY
    /// (RFC 8489 §9.2.4).
    pub(crate) fn verify(&self, message: &Message<'_>) -> bool {
        let (sha1, sha256) = match self {
            Self::Sha1(key) => (Some(key), None),
            Self::Sha256(key) => (None, Some(key)),
            Self::Both(both) => (Some(&both.0), Some(&both.1)),
        };
        if message.has_integrity_sha256() {
            sha256.is_some_and(|key| message.verify_integrity_sha256(key).is_ok())
        } else {
            sha1.is_some_and(|key| message.verify_integrity(key).is_ok())
        }
    }

    /// Writes the attributes it has keys for.
    pub(crate) fn seal(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        match self {
            Self::Sha1(key) => writer.integrity(key)?,
            Self::Sha256(key) => writer.integrity_sha256(key)?,
            Self::Both(both) => writer.integrity(&both.0)?.integrity_sha256(&both.1)?,
        };
        Ok(())
    }
}
