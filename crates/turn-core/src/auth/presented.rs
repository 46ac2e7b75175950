//! What a request says about its sender.

use stun_wire::{AttributeType, Message, PasswordAlgorithm};

use super::Rejected;
use crate::{
    answer::{Refusal, Standing},
    counters::AuthFailure,
    integrity::{Macs, Scheme},
    nonce::Offer,
};

/// Holds the attributes of the long-term credential mechanism.
pub(super) struct Presented<'m> {
    pub(super) name: Name<'m>,
    pub(super) realm: &'m str,
    pub(super) nonce: &'m [u8],
}

/// Says who the sender claims to be.
#[derive(Clone, Copy)]
pub(super) enum Name<'m> {
    /// USERNAME.
    Plain(&'m str),
    /// USERHASH.
    Hash([u8; 32]),
}

impl<'m> Presented<'m> {
    /// Reads them; a request without integrity is the ordinary first one, which is challenged.
    pub(super) fn by(message: &Message<'m>) -> Result<Self, Rejected> {
        if !message.has_integrity() && !message.has_integrity_sha256() {
            let (failure, refusal) = (AuthFailure::Missing, Refusal::Unauthorized);
            return Err(Rejected::new(failure, refusal, Standing::Newcomer));
        }
        Self::read(message).ok_or_else(|| {
            let (failure, refusal) = (AuthFailure::Incomplete, Refusal::BadRequest);
            Rejected::new(failure, refusal, Standing::Unproven)
        })
    }

    fn read(message: &Message<'m>) -> Option<Self> {
        let name = match message.username() {
            Some(username) => Name::Plain(username.ok()?),
            None => Name::Hash(message.user_hash()?.ok()?),
        };
        Some(Self {
            name,
            realm: message.realm()?.ok()?,
            nonce: message.nonce()?,
        })
    }
}

/// Reads how a request is signed, `None` if its algorithm is not one that was offered (RFC 8489 §9.2.4): then
/// someone on the way may have changed the offer.
pub(super) fn scheme(message: &Message<'_>, offer: Offer, ours: &[PasswordAlgorithm]) -> Option<Scheme> {
    let signed = if message.has_integrity_sha256() {
        Macs::Sha256
    } else {
        Macs::Sha1
    };
    let list = message.attribute(AttributeType::PASSWORD_ALGORITHMS);
    let chosen = message.password_algorithm();
    if list.is_none() && chosen.is_none() {
        // As though the algorithm were MD5; and then the answer carries MESSAGE-INTEGRITY.
        return Some(Scheme {
            algorithm: PasswordAlgorithm::Md5,
            macs: if signed == Macs::Sha1 {
                Macs::Sha1
            } else {
                Macs::Both
            },
            sign: Macs::Sha1,
        });
    }
    let algorithm = chosen?.ok()?;
    if offer != Offer::Algorithms || !is_list(list?, ours) || !ours.contains(&algorithm) {
        return None;
    }
    // Such an answer carries MESSAGE-INTEGRITY-SHA256. A client that sent only the other one may know no better
    // (rice-proto, turn-client-proto as they start): it gets both.
    let macs = if signed == Macs::Sha256 {
        Macs::Sha256
    } else {
        Macs::Both
    };
    Some(Scheme {
        algorithm,
        macs,
        sign: macs,
    })
}

/// Tells whether PASSWORD-ALGORITHMS came back as it was sent, byte by byte.
fn is_list(value: &[u8], algorithms: &[PasswordAlgorithm]) -> bool {
    let entries = algorithms.iter().flat_map(|algorithm| {
        let [high, low] = algorithm.number().to_be_bytes();
        [high, low, 0, 0]
    });
    value.iter().copied().eq(entries)
}
