//! The hot path, both directions, nothing else. It allocates nothing and moves no payload.

use std::net::SocketAddr;

use stun_wire::{CHANNEL_HEADER_LEN, ChannelData, ChannelNumber, write_channel_header};

use crate::{
    allocation::{Allocation, Relay, RelayState},
    counters::Direction,
    errand::Errand,
    indication::{Send, longest_message, wrap_data},
    output::{DropReason, Verdict, Via},
    packet::Packet,
    permission::Scope,
    server::Server,
    slots::Key,
    types::{Family, FiveTuple, Now, RelayId},
};

type Relayed = Result<Verdict, DropReason>;

impl Server {
    /// Client to peer by channel: the four bytes in front and the padding behind fall away. UDP needs no
    /// padding, but may carry it (RFC 8656 §12.5).
    ///
    /// The channel alone lets it pass: its binding was checked as a permission is, and RFC 8656 §12.6 asks
    /// for no more.
    pub(crate) fn relay_channel_data(
        &mut self,
        now: Now,
        from: FiveTuple,
        packet: &mut Packet<'_>,
    ) -> Relayed {
        let data = ChannelData::parse(packet.payload()).map_err(|_| DropReason::Malformed)?;
        let (number, len) = (data.channel, data.payload.len());
        let (key, allocation) = self.client_allocation(from)?;
        let channel = allocation
            .channels
            .by_number(now.instant, number)
            .ok_or(DropReason::ChannelUnbound)?;
        let (peer, scope) = (channel.peer, channel.scope);
        packet.narrow(CHANNEL_HEADER_LEN..CHANNEL_HEADER_LEN + len);
        packet.fields = packet.fields.towards_peer(from, peer, false)?;
        self.relay_to_peer(now, key, peer, scope, packet)
    }

    /// Client to peer by Send indication: the window closes on the value of DATA.
    pub(crate) fn relay_send(
        &mut self,
        now: Now,
        from: FiveTuple,
        send: Send,
        packet: &mut Packet<'_>,
    ) -> Relayed {
        let peer = send.peer;
        let (key, allocation) = self.client_allocation(from)?;
        if allocation.is_tcp() {
            return Err(DropReason::TcpAllocation);
        }
        let scope = allocation
            .permissions
            .scope(now.instant, peer.ip())
            .ok_or(DropReason::NoPermission)?;
        packet.narrow(send.data);
        packet.fields = packet.fields.towards_peer(from, peer, send.dont_fragment)?;
        self.relay_to_peer(now, key, peer, scope, packet)
    }

    /// Peer to client: by channel if one is bound, else as a Data indication.
    pub(crate) fn relay_to_client(
        &mut self,
        now: Now,
        id: RelayId,
        from: SocketAddr,
        packet: &mut Packet<'_>,
    ) -> Relayed {
        // Permissions name a relay of ours by the form its client was told.
        let from = self.addresses.external_form(from);
        let (_, allocation) = self.live_relay(now, id)?;
        match allocation.permissions.scope(now.instant, from.ip()) {
            Some(Scope::Anywhere) => {}
            Some(Scope::OwnRelays) => return Err(DropReason::PeerForbidden),
            None => return Err(DropReason::NoPermission),
        }
        self.deliver(now, id, from, packet)
    }

    /// Relay to client, from another relay of this server: its permission is checked like any other's.
    pub(crate) fn relay_hairpin(
        &mut self,
        now: Now,
        from: SocketAddr,
        to: SocketAddr,
        packet: &mut Packet<'_>,
    ) -> Relayed {
        let local = self.addresses.own_relay(to).ok_or(DropReason::NoRelay)?;
        // It may have been closed while the datagram was on its way.
        let id = self.table.relay_at(local).ok_or(DropReason::NoRelay)?;
        self.deliver(now, id, from, packet)
    }

    fn relay_to_peer(
        &mut self,
        now: Now,
        key: Key,
        peer: SocketAddr,
        scope: Scope,
        packet: &mut Packet<'_>,
    ) -> Relayed {
        let family = Family::of(peer.ip());
        let allocation = self.table.allocation(key).ok_or(DropReason::NoAllocation)?;
        let id = allocation.relays[family.index()].ok_or(DropReason::PeerFamily)?;
        self.live_relay(now, id)?;
        if self.addresses.is_listener(peer) {
            return Err(DropReason::PeerForbidden);
        }
        let bytes = packet.payload().len();
        let verdict = match self.addresses.own_relay(peer) {
            Some(local) => self.relay_to_relay(now, id, local, scope, packet)?,
            None if scope == Scope::OwnRelays => return Err(DropReason::PeerForbidden),
            None => Verdict::Send {
                via: Via::Relay(id),
                to: peer,
            },
        };
        self.counters.count_relayed(Direction::ToPeer, bytes);
        Ok(verdict)
    }

    /// The peer may be a relay of this server. If it lives in this worker, its client gets the datagram
    /// straight away; if in another one, that worker gets it. Where there is none, another program of this host may be
    /// meant, if the policy lets sockets reach the address.
    fn relay_to_relay(
        &mut self,
        now: Now,
        sender: RelayId,
        local: SocketAddr,
        scope: Scope,
        packet: &mut Packet<'_>,
    ) -> Relayed {
        let relay = self.table.relay(sender).ok_or(DropReason::NoRelay)?;
        let from = relay.address.external;
        if let Some(target) = self.table.relay_at(local) {
            return self.deliver(now, target, from, packet);
        }
        if let Some(worker) = self.table.relay_elsewhere(local) {
            let errand = Errand::Hairpin { from, to: local };
            return Ok(Verdict::Send {
                via: Via::Worker { worker, errand },
                to: local,
            });
        }
        match scope {
            Scope::OwnRelays => Err(DropReason::NoRelay),
            Scope::Anywhere => Ok(Verdict::Send {
                via: Via::Relay(sender),
                to: local,
            }),
        }
    }

    fn deliver(&mut self, now: Now, id: RelayId, from: SocketAddr, packet: &mut Packet<'_>) -> Relayed {
        let (_, allocation) = self.live_relay(now, id)?;
        if allocation.is_tcp() {
            return Err(DropReason::NoRelay);
        }
        allocation
            .permissions
            .scope(now.instant, from.ip())
            .ok_or(DropReason::NoPermission)?;
        let client = allocation.five_tuple;
        let way = allocation.way_to_client(self.config.share.index())?;
        let channel = allocation
            .channels
            .by_peer(now.instant, from)
            .map(|channel| channel.number);
        let bytes = packet.payload().len();
        packet.fields = packet.fields.towards_client(client)?;
        match channel {
            Some(number) => wrap_channel_data(packet, number, client.transport.is_stream())?,
            None => {
                let id = self.indication_ids.next();
                wrap_data(packet, from, id, longest_message(client))?;
            }
        }
        self.counters.count_relayed(Direction::ToClient, bytes);
        Ok(way)
    }

    /// Finds the allocation of a client who sends data; a mobile one is then where it sends from.
    fn client_allocation(&mut self, from: FiveTuple) -> Result<(Key, &Allocation), DropReason> {
        let key = self.table.client(from).ok_or(DropReason::NoAllocation)?;
        self.client_came(key, from);
        let allocation = self.table.allocation(key).ok_or(DropReason::NoAllocation)?;
        Ok((key, allocation))
    }

    /// Expiry is compared here too: the timer may be late.
    pub(crate) fn live_relay(&self, now: Now, id: RelayId) -> Result<(&Relay, &Allocation), DropReason> {
        let relay = self.table.relay(id).ok_or(DropReason::NoRelay)?;
        if relay.state != RelayState::Open || relay.expires_at <= now.instant {
            return Err(DropReason::NoRelay);
        }
        let allocation = self
            .table
            .allocation(relay.allocation)
            .ok_or(DropReason::NoRelay)?;
        Ok((relay, allocation))
    }
}

/// A stream needs the padding, a datagram must do without it (RFC 8656 §12.5).
///
/// ```text
/// | channel 2 | length 2 | payload | padding 0..3 |
/// ```
fn wrap_channel_data(
    packet: &mut Packet<'_>,
    number: ChannelNumber,
    is_stream: bool,
) -> Result<(), DropReason> {
    let len = u16::try_from(packet.payload().len()).map_err(|_| DropReason::TooLong)?;
    if is_stream && !packet.pad(usize::from(len).wrapping_neg() % 4) {
        return Err(DropReason::NoRoom);
    }
    let head = packet.grow_front(CHANNEL_HEADER_LEN).ok_or(DropReason::NoRoom)?;
    let head = head.first_chunk_mut().ok_or(DropReason::NoRoom)?;
    write_channel_header(head, number, len);
    Ok(())
}
