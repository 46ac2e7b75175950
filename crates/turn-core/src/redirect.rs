//! Sending new clients to another server (RFC 8489 §10; RFC 8656 §7.2 allows it at any point).

use std::{net::SocketAddr, num::NonZeroU16, sync::Arc};

use rand::RngExt as _;
use stun_wire::{AttributeType, HEALTH_CHECK, Message};

use crate::{
    answer::Refusal,
    output::DropReason,
    server::Server,
    types::{Family, FiveTuple, Transport},
};

/// Says when clients are sent to another server; each includes those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum RedirectWhen {
    /// When this server is about to end.
    Draining,
    /// When it has no room for another allocation.
    #[default]
    Full,
    /// Always: it only distributes clients.
    Always,
}

/// Another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternate {
    /// Where it listens. Clients of the other family are not sent there.
    pub address: SocketAddr,
    /// For whom it listens: the clients of one transport are not sent to another.
    pub transport: Transport,
    /// Its share of those who may be sent there, in proportion to the others' weights.
    pub weight: NonZeroU16,
    /// The name in its certificate, if that is not this server's: clients over TLS and DTLS are told.
    pub domain: Option<Arc<str>>,
}

/// Holds where clients can be sent now.
#[derive(Debug, Default)]
pub(crate) struct Redirect {
    is_draining: bool,
    alternates: Vec<Alternate>,
}

/// Tells whether a Binding request is such a question.
pub(crate) fn is_health_check(message: &[u8]) -> bool {
    let software =
        |message: Message<'_>| message.attribute(AttributeType::SOFTWARE) == Some(HEALTH_CHECK.as_bytes());
    Message::parse(message).is_ok_and(software)
}

impl Server {
    /// Takes the servers that clients can be sent to, in place of all before.
    pub fn set_alternates(&mut self, alternates: Vec<Alternate>) {
        self.redirect.alternates = alternates;
    }

    /// Takes that this server is about to end: it makes no new allocations.
    pub fn set_draining(&mut self) {
        self.redirect.is_draining = true;
    }

    /// Leaves the question of another server unanswered where no clients are taken any more.
    pub(crate) fn check_health(&self, request: &[u8]) -> Result<(), DropReason> {
        if self.redirect.is_draining && is_health_check(request) {
            return Err(DropReason::Draining);
        }
        Ok(())
    }

    /// Sends a client away before anything is done for it, if that is the time.
    pub(crate) fn redirect_first(&mut self, from: FiveTuple) -> Result<(), Refusal> {
        if self.redirect.is_draining {
            return Err(self.elsewhere(from).unwrap_or(Refusal::InsufficientCapacity));
        }
        let elsewhere = (self.config.redirect == RedirectWhen::Always)
            .then(|| self.elsewhere(from))
            .flatten();
        elsewhere.map_or(Ok(()), Err)
    }

    /// Gives the refusal of a client that there is no room for.
    pub(crate) fn full(&mut self, from: FiveTuple) -> Refusal {
        let elsewhere = (self.config.redirect >= RedirectWhen::Full)
            .then(|| self.elsewhere(from))
            .flatten();
        elsewhere.unwrap_or(Refusal::InsufficientCapacity)
    }

    /// Chooses another server for a client, at random by weight.
    fn elsewhere(&mut self, from: FiveTuple) -> Option<Refusal> {
        let family = Family::of(from.client.ip());
        let fits =
            |one: &&Alternate| one.transport == from.transport && Family::of(one.address.ip()) == family;
        let alternates = self.redirect.alternates.iter().filter(fits);
        let total: u64 = alternates.clone().map(|one| u64::from(one.weight.get())).sum();
        if total == 0 {
            return None;
        }
        let mut drawn = self.rng.random_range(0..total);
        let chosen = alternates.into_iter().find(|one| {
            let weight = u64::from(one.weight.get());
            let hit = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            hit
        })?;
        let is_secured = matches!(from.transport, Transport::Tls | Transport::Dtls);
        Some(Refusal::TryAlternate {
            server: chosen.address,
            domain: chosen.domain.clone().filter(|_| is_secured),
        })
    }
}
