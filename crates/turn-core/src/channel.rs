//! Channels: two bytes that stand for a peer, and ChannelBind (RFC 8656 §12).

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use stun_wire::{AttributeType, ChannelNumber, Message};

use crate::{
    answer::{Done, Refusal, Success},
    auth::Identity,
    config::ChannelRange,
    few::Few,
    permission::Scope,
    server::Server,
    types::{Family, FiveTuple, Now},
};

/// Holds the channels of one allocation. They expire by comparison at use.
#[derive(Debug, Default)]
pub(crate) struct Channels(Few<Channel>);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    pub(crate) number: ChannelNumber,
    pub(crate) peer: SocketAddr,
    pub(crate) scope: Scope,
    expires_at: Instant,
}

/// RFC 8656 §12: for five minutes after a binding expired, neither its number nor its peer is bound anew, so
/// that datagrams under way do not reach the wrong party.
const QUARANTINE: Duration = Duration::from_secs(300);

/// Says why a channel is not bound.
#[derive(Debug, PartialEq, Eq)]
enum BindError {
    /// The number stands for another peer, or the peer has another number.
    Conflict,
    /// There are as many channels as an allocation may have.
    Full,
}

impl Channels {
    pub(crate) fn by_number(&self, now: Instant, number: u16) -> Option<&Channel> {
        self.0
            .iter()
            .find(|channel| channel.number.value() == number && now < channel.expires_at)
    }

    pub(crate) fn by_peer(&self, now: Instant, peer: SocketAddr) -> Option<&Channel> {
        self.0
            .iter()
            .find(|channel| channel.peer == peer && now < channel.expires_at)
    }

    /// Tells why these two may not be bound to each other, if so.
    fn check(&mut self, now: Instant, wanted: &Channel, capacity: u16) -> Result<(), BindError> {
        self.0.retain(|channel| now < channel.expires_at + QUARANTINE);
        let related = |channel: &&Channel| channel.number == wanted.number || channel.peer == wanted.peer;
        match self.0.iter().find(related) {
            Some(channel) if channel.number == wanted.number && channel.peer == wanted.peer => Ok(()),
            Some(_) => Err(BindError::Conflict),
            None if self.0.len() >= usize::from(capacity) => Err(BindError::Full),
            None => Ok(()),
        }
    }

    /// Binds or refreshes what passed the check.
    fn bind(&mut self, wanted: Channel) {
        match self.0.iter_mut().find(|channel| channel.number == wanted.number) {
            Some(channel) => *channel = wanted,
            None => self.0.push(wanted),
        }
    }

    /// Unbinds those of peers of a family.
    pub(crate) fn forget(&mut self, family: Family) {
        self.0.retain(|channel| Family::of(channel.peer.ip()) != family);
    }

    /// Has each reach as far as `scope` says of its peer's address.
    pub(crate) fn rescope(&mut self, scope: impl Fn(IpAddr) -> Scope) {
        for channel in self.0.iter_mut() {
            channel.scope = scope(channel.peer.ip());
        }
    }

    /// Leaves only relays in reach at addresses that have become our own machine's.
    pub(crate) fn narrow(&mut self, is_closed: impl Fn(IpAddr) -> bool) {
        for channel in self.0.iter_mut() {
            if is_closed(channel.peer.ip()) {
                channel.scope = Scope::OwnRelays;
            }
        }
    }

    pub(crate) fn check_invariants(&self, capacity: u16) {
        assert!(
            self.0.len() <= usize::from(capacity),
            "channels exceed their bound"
        );
        for (at, channel) in self.0.iter().enumerate() {
            let clash = |other: &Channel| other.number == channel.number || other.peer == channel.peer;
            assert!(
                !self.0.iter().take(at).any(clash),
                "two channels share a number or a peer"
            );
        }
    }
}

impl Server {
    /// Answers ChannelBind, which also installs a permission for the peer (RFC 8656 §12.2).
    pub(crate) fn channel_bind(
        &mut self,
        now: Now,
        from: FiveTuple,
        identity: &Identity<'_>,
        message: &Message<'_>,
    ) -> Result<Done, Refusal> {
        let key = identity.ready_allocation()?;
        if self
            .table
            .allocation(key)
            .is_some_and(|allocation| allocation.is_tcp())
        {
            // No datagrams, no channels.
            return Err(Refusal::BadRequest);
        }
        let number = self.channel_number(message)?;
        let peer = message.xor_address(AttributeType::XOR_PEER_ADDRESS);
        let peer = peer.and_then(Result::ok).ok_or(Refusal::BadRequest)?;
        let scope = self.admit_peer(from, peer)?;

        let permission_ends = now.instant + self.config.permission_lifetime;
        let expires_at = now.instant + self.config.channel_lifetime;
        let limits = self.config.limits;
        let allocation = self
            .table
            .allocation_mut(key)
            .ok_or(Refusal::AllocationMismatch)?;
        let channel = Channel {
            number,
            peer,
            scope,
            expires_at,
        };
        allocation
            .channels
            .check(now.instant, &channel, limits.channels_per_allocation)?;
        let peers = [(peer.ip(), scope)];
        if !allocation.permissions.grant(
            now.instant,
            &peers,
            permission_ends,
            limits.permissions_per_allocation,
        ) {
            return Err(Refusal::InsufficientCapacity);
        }
        allocation.channels.bind(channel);
        Ok(Done::Now(Success::Bound))
    }

    fn channel_number(&self, message: &Message<'_>) -> Result<ChannelNumber, Refusal> {
        let number = message
            .channel_number()
            .and_then(Result::ok)
            .ok_or(Refusal::BadRequest)?;
        let number = match self.config.channels {
            ChannelRange::Rfc8656 => ChannelNumber::new(number),
            ChannelRange::Rfc5766 => ChannelNumber::new_rfc5766(number),
        };
        number.ok_or(Refusal::BadRequest)
    }
}

impl From<BindError> for Refusal {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Conflict => Self::BadRequest,
            BindError::Full => Self::InsufficientCapacity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    fn channel(number: u16, port: u16, expires_at: Instant) -> Channel {
        let number = ChannelNumber::new(number).unwrap();
        Channel {
            number,
            peer: SocketAddr::from(([8, 8, 8, 8], port)),
            scope: Scope::Anywhere,
            expires_at,
        }
    }

    fn bind(channels: &mut Channels, now: Instant, wanted: Channel, capacity: u16) -> Result<(), BindError> {
        channels.check(now, &wanted, capacity)?;
        channels.bind(wanted);
        Ok(())
    }

    #[test]
    fn number_and_peer_stay_together_until_the_quarantine_is_over() {
        let mut channels = Channels::default();
        let end = start() + Duration::from_secs(600);
        bind(&mut channels, start(), channel(0x4000, 1, end), 9).unwrap();
        let quarantined = end + QUARANTINE - Duration::from_nanos(1);
        for now in [start(), end, quarantined] {
            assert_eq!(
                bind(&mut channels, now, channel(0x4000, 2, end), 9),
                Err(BindError::Conflict)
            );
            assert_eq!(
                bind(&mut channels, now, channel(0x4001, 1, end), 9),
                Err(BindError::Conflict)
            );
        }
        assert!(channels.by_number(end, 0x4000).is_none(), "expired");
        bind(
            &mut channels,
            quarantined,
            channel(0x4000, 1, quarantined + Duration::from_secs(600)),
            9,
        )
        .unwrap();
        assert!(
            channels.by_number(quarantined, 0x4000).is_some(),
            "the same pair may come back at once"
        );
        let free = quarantined + Duration::from_secs(600) + QUARANTINE;
        bind(&mut channels, free, channel(0x4000, 2, free), 9).unwrap();
    }

    #[test]
    fn the_bound_counts_quarantined_channels_too() {
        let mut channels = Channels::default();
        bind(&mut channels, start(), channel(0x4000, 1, start()), 1).unwrap();
        assert_eq!(
            bind(&mut channels, start(), channel(0x4001, 2, start()), 1),
            Err(BindError::Full)
        );
        bind(
            &mut channels,
            start() + QUARANTINE,
            channel(0x4001, 2, start()),
            1,
        )
        .unwrap();
        channels.check_invariants(1);
    }
}
