//! Refresh (RFC 8656 §8.2): a longer life, or a prompt end.

use std::time::Duration;

use arrayvec::ArrayVec;
use stun_wire::{AttributeError, AttributeType, Message};

use crate::{
    answer::{Done, Refusal, Success},
    auth::Identity,
    output::EndReason,
    server::Server,
    slots::Key,
    third_party::Proof,
    types::{Family, FiveTuple, Now, RelayId},
};

impl Server {
    /// Answers Refresh. With REQUESTED-ADDRESS-FAMILY it concerns the relay of that family only.
    pub(crate) fn refresh(
        &mut self,
        now: Now,
        from: FiveTuple,
        identity: &Identity<'_>,
        message: &Message<'_>,
    ) -> Result<Done, Refusal> {
        if let Some(ticket) = message.attribute(AttributeType::MOBILITY_TICKET) {
            return self.resume(now, from, identity, message, ticket);
        }
        let asked = message.lifetime().transpose().map_err(|_| Refusal::BadRequest)?;
        let family = requested_family(message)?;
        if asked == Some(0) {
            return self.free(now, from, identity, message, family);
        }
        let key = identity.ready_allocation()?;
        let allocation = self.table.allocation(key).ok_or(Refusal::AllocationMismatch)?;
        let relays = concerned(allocation.relays, family)?;
        let lifetime = self.config.lifetimes.grant(asked);
        let lifetime = identity.proof.cut(now.unix, lifetime);
        self.renew_proof(key, identity);
        let expires_at = now.instant + Duration::from_secs(lifetime.into());
        relays
            .into_iter()
            .for_each(|relay| self.prolong(relay, expires_at));
        Ok(Done::Now(Success::Refreshed {
            lifetime,
            ticket: None,
        }))
    }

    /// Has the client sign with its new token from now on, which another key may have made.
    pub(crate) fn renew_proof(&mut self, key: Key, identity: &Identity<'_>) {
        if let Proof::Token(_) = identity.proof
            && let Some(allocation) = self.table.allocation_mut(key)
        {
            if *allocation.username != *identity.username {
                allocation.username = identity.username.as_ref().into();
            }
            allocation.proof = identity.proof.clone();
            allocation.key = identity.key.clone();
        }
    }

    fn free(
        &mut self,
        now: Now,
        from: FiveTuple,
        identity: &Identity<'_>,
        message: &Message<'_>,
        family: Option<Family>,
    ) -> Result<Done, Refusal> {
        let freed = Done::Now(Success::Refreshed {
            lifetime: 0,
            ticket: None,
        });
        let transaction = message.transaction_id();
        if self.freed.recalls(now.instant, from, transaction) {
            return Ok(freed);
        }
        let key = identity.allocation.ok_or(Refusal::AllocationMismatch)?;
        let allocation = self.table.allocation(key).ok_or(Refusal::AllocationMismatch)?;
        let relays = concerned(allocation.relays, family)?;
        if relays.len() == allocation.relay_ids().count() {
            self.end_allocation(now, key, EndReason::Freed);
        } else {
            relays
                .into_iter()
                .for_each(|relay| self.end_relay(now, relay, EndReason::Freed));
        }
        self.freed.remember(now.instant, from, transaction);
        Ok(freed)
    }
}

pub(crate) fn requested_family(message: &Message<'_>) -> Result<Option<Family>, Refusal> {
    match message.requested_address_family() {
        None => Ok(None),
        Some(Ok(family)) => Ok(Some(family.into())),
        // No allocation can be of a family that does not exist.
        Some(Err(AttributeError::Family)) => Err(Refusal::PeerFamilyMismatch),
        Some(Err(AttributeError::Length | AttributeError::Text | AttributeError::Value)) => {
            Err(Refusal::BadRequest)
        }
    }
}

/// The relays a Refresh is about; RFC 8656 §8.2 asks for 443 if there is none of the family.
pub(crate) fn concerned(
    relays: [Option<RelayId>; 2],
    family: Option<Family>,
) -> Result<ArrayVec<RelayId, 2>, Refusal> {
    let relays: ArrayVec<_, 2> = match family {
        None => relays.into_iter().flatten().collect(),
        Some(family) => relays[family.index()].into_iter().collect(),
    };
    if relays.is_empty() {
        Err(Refusal::PeerFamilyMismatch)
    } else {
        Ok(relays)
    }
}
