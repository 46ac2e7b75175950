//! Clients that change their address and keep their allocation (RFC 8016).
//!
//! A ticket names the allocation wherever its client sends from. Whoever redeems it is heard at both five-tuples,
//! and sent to at the old one, until he uses the new one or the old connection ends.

use std::time::{Duration, Instant};

use stun_wire::{AttributeType, Class, Message, Method, TransactionId};

use crate::{
    allocation::Allocation,
    answer::{Done, Refusal, Success},
    auth::Identity,
    errand::Errand,
    output::{DropReason, Output, Verdict, Via},
    refresh::{concerned, requested_family},
    server::Server,
    slots::Key,
    tickets::{Ticket, TicketName},
    types::{ConnectionId, Family, FiveTuple, Link, Now},
};

/// RFC 8016 §3.2.2 wants retransmits recognised for 30 seconds at least; RFC 8489 §6.2.1: a client gives a
/// transaction up after 39.5 seconds.
const MEMORY: Duration = Duration::from_secs(40);

/// Holds what lets an allocation's client move.
#[derive(Debug)]
pub(crate) struct Mobile {
    /// The worker at which datagrams of the allocation's five-tuple arrive.
    worker: u16,
    /// The number of the ticket that can be redeemed.
    ticket: u64,
    /// Where the client announced itself and has sent nothing from since.
    next: Option<Site>,
    redeemed: Option<Redeemed>,
    /// Whether the client's connection is gone, and so nothing can be sent to it.
    is_away: bool,
}

/// Where a client is.
#[derive(Debug, Clone, Copy)]
struct Site {
    five_tuple: FiveTuple,
    /// The worker at which its datagrams arrive.
    worker: u16,
}

/// Holds the Refresh that redeemed the ticket before this one: its retransmits get the same answer.
#[derive(Debug)]
struct Redeemed {
    ticket: u64,
    by: FiveTuple,
    transaction: TransactionId,
    lifetime: u32,
    forget_at: Instant,
}

impl Mobile {
    /// Where the client announced itself and has sent nothing from since.
    pub(crate) fn next(&self) -> Option<FiveTuple> {
        self.next.map(|site| site.five_tuple)
    }

    fn knows(&self, ticket: u64) -> bool {
        let was = self.redeemed.as_ref().map(|redeemed| redeemed.ticket);
        ticket == self.ticket || Some(ticket) == was
    }

    /// Gives the lifetime that was granted if this is the redeeming Refresh once more.
    fn repeats(&self, now: Now, from: FiveTuple, message: &Message<'_>, ticket: u64) -> Option<u32> {
        let redeemed = self.redeemed.as_ref()?;
        let same = redeemed.ticket == ticket
            && redeemed.by == from
            && redeemed.transaction == message.transaction_id();
        (same && now.instant < redeemed.forget_at).then_some(redeemed.lifetime)
    }
}

impl Allocation {
    /// Tells whether its client sends from there, or said that it will.
    pub(crate) fn has_client_at(&self, from: FiveTuple) -> bool {
        let next = self.mobile.as_ref().and_then(|mobile| mobile.next());
        from == self.five_tuple || Some(from) == next
    }

    /// Tells how the worker `this`, whose allocation it is, reaches the client: datagrams leave here, what belongs on
    /// a connection leaves where that is.
    pub(crate) fn way_to_client(&self, this: u16) -> Result<Verdict, DropReason> {
        let client = self.five_tuple;
        if self.mobile.as_ref().is_some_and(|mobile| mobile.is_away) {
            return Err(DropReason::ClientAway);
        }
        let via = match client.link {
            Link::Connection(ConnectionId { worker, .. }) if worker != this => Via::Worker {
                worker,
                errand: Errand::ToClient { client, until: None },
            },
            Link::Connection(_) | Link::Listener(_) => Via::Client(client),
        };
        Ok(Verdict::Send {
            via,
            to: client.client,
        })
    }
}

impl Server {
    /// Tells what a client who wants to be able to move is given (RFC 8016 §3.1.2); an empty ticket asks for it.
    pub(crate) fn wants_to_move(&self, message: &Message<'_>) -> Result<bool, Refusal> {
        match message.attribute(AttributeType::MOBILITY_TICKET) {
            None => Ok(false),
            Some(_) if !self.config.mobility => Err(Refusal::MobilityForbidden),
            Some([]) => Ok(true),
            Some(_) => Err(Refusal::BadRequest),
        }
    }

    /// Lets an allocation's client move.
    pub(crate) fn make_mobile(&mut self, key: Key) {
        let mobile = Mobile {
            worker: self.config.share.index(),
            ticket: self.tickets.next_number(),
            next: None,
            redeemed: None,
            is_away: false,
        };
        if let Some(allocation) = self.table.allocation_mut(key) {
            allocation.mobile = Some(Box::new(mobile));
        }
    }

    /// Tells whether an allocation's client may move.
    pub(crate) fn is_mobile(&self, key: Key) -> bool {
        let allocation = self.table.allocation(key);
        allocation.is_some_and(|allocation| allocation.mobile.is_some())
    }

    /// Writes the ticket that can be redeemed for an allocation.
    pub(crate) fn ticket(&self, key: Key) -> Option<Ticket> {
        let mobile = self.table.allocation(key)?.mobile.as_ref()?;
        Some(self.tickets.seal(TicketName {
            worker: self.config.share.index(),
            place: key.index(),
            number: mobile.ticket,
        }))
    }

    /// Finds the allocation a request is about: the one its ticket names (RFC 8016 §3.2.2), otherwise the one on
    /// its five-tuple.
    pub(crate) fn concerned(&self, from: FiveTuple, message: &Message<'_>) -> Option<Key> {
        let Some(ticket) = redeemable(message) else {
            return self.table.client(from);
        };
        let name = self
            .tickets
            .open(ticket)
            .filter(|name| name.worker == self.config.share.index())?;
        let key = self.table.key_at(name.place)?;
        let mobile = self.table.allocation(key)?.mobile.as_ref()?;
        mobile.knows(name.number).then_some(key)
    }

    /// Tells which worker is to serve a request because its ticket names it.
    pub(crate) fn redeeming_worker(&self, message: &Message<'_>) -> Option<u16> {
        let ticket = redeemable(message).filter(|_| self.config.mobility)?;
        self.tickets.open(ticket).map(|name| name.worker)
    }

    /// Answers a Refresh with a ticket: the client has moved, or is about to (RFC 8016 §3.2.2).
    pub(crate) fn resume(
        &mut self,
        now: Now,
        from: FiveTuple,
        identity: &Identity<'_>,
        message: &Message<'_>,
        ticket: &[u8],
    ) -> Result<Done, Refusal> {
        if !self.config.mobility {
            return Err(Refusal::MobilityForbidden);
        }
        let asked = message.lifetime().transpose().map_err(|_| Refusal::BadRequest)?;
        let family = requested_family(message)?;
        let name = self.tickets.open(ticket).ok_or(Refusal::BadRequest)?;
        // RFC 8016 §3.2.1: who deletes an allocation sends no ticket.
        if asked == Some(0) {
            return Err(Refusal::BadRequest);
        }
        let key = identity.ready_allocation()?;
        let allocation = self.table.allocation(key).ok_or(Refusal::AllocationMismatch)?;
        let mobile = allocation.mobile.as_ref().ok_or(Refusal::AllocationMismatch)?;
        if let Some(lifetime) = mobile.repeats(now, from, message, name.number) {
            return Ok(self.resumed(key, lifetime));
        }
        if name.number != mobile.ticket {
            return Err(Refusal::AllocationMismatch);
        }
        self.check_new_place(key, allocation, mobile, from)?;
        let relays = concerned(allocation.relays, family)?;
        let lifetime = self.config.lifetimes.grant(asked);
        let lifetime = identity.proof.cut(now.unix, lifetime);
        self.renew_proof(key, identity);
        let expires_at = now.instant + Duration::from_secs(lifetime.into());
        relays
            .into_iter()
            .for_each(|relay| self.prolong(relay, expires_at));
        self.redeem(now, key, from, message.transaction_id(), lifetime);
        Ok(self.resumed(key, lifetime))
    }

    /// RFC 8016 §3.2.2: a ticket is for another five-tuple than the client's last one. Nor may another allocation
    /// have it.
    fn check_new_place(
        &self,
        key: Key,
        allocation: &Allocation,
        mobile: &Mobile,
        from: FiveTuple,
    ) -> Result<(), Refusal> {
        if from == mobile.next().unwrap_or(allocation.five_tuple) {
            return Err(Refusal::BadRequest);
        }
        match self.table.client(from) {
            Some(other) if other != key => Err(Refusal::AllocationMismatch),
            Some(_) | None => Ok(()),
        }
    }

    fn resumed(&self, key: Key, lifetime: u32) -> Done {
        Done::Now(Success::Refreshed {
            lifetime,
            ticket: self.ticket(key),
        })
    }

    /// Notes the new five-tuple beside the old one, in place of any other that was announced, and changes the ticket.
    fn redeem(&mut self, now: Now, key: Key, from: FiveTuple, transaction: TransactionId, lifetime: u32) {
        self.withdraw(key);
        let ticket = self.tickets.next_number();
        let worker = self.config.share.index();
        let Some(allocation) = self.table.allocation_mut(key) else {
            return;
        };
        let returns = allocation.five_tuple == from;
        let Some(mobile) = &mut allocation.mobile else {
            return;
        };
        mobile.redeemed = Some(Redeemed {
            ticket: std::mem::replace(&mut mobile.ticket, ticket),
            by: from,
            transaction,
            lifetime,
            forget_at: now.instant + MEMORY,
        });
        self.counters.allocations_resumed += 1;
        if returns {
            return;
        }
        let five_tuple = from;
        mobile.next = Some(Site { five_tuple, worker });
        let is_away = mobile.is_away;
        self.table.link(from, key);
        self.hold_connection(from, true);
        if is_away {
            self.move_client(key);
        }
    }

    /// Takes that the client sent data from a five-tuple, or asked for something there: if it was only announced,
    /// the client is there now.
    pub(crate) fn client_came(&mut self, key: Key, from: FiveTuple) {
        let mobile = self.table.allocation(key).and_then(|one| one.mobile.as_ref());
        if mobile.is_some_and(|mobile| mobile.next() == Some(from)) {
            self.move_client(key);
        }
    }

    /// Takes that the connection of a mobile client is gone. Its allocation stays until its time is over; `false`
    /// if this one does not.
    pub(crate) fn hold(&mut self, key: Key, client: FiveTuple) -> bool {
        let Some(allocation) = self.table.allocation_mut(key).filter(|one| one.is_ready()) else {
            return false;
        };
        let is_old = allocation.five_tuple == client;
        let Some(mobile) = &mut allocation.mobile else {
            return false;
        };
        match mobile.next {
            Some(_) if is_old => self.move_client(key),
            Some(_) => self.withdraw(key),
            None => mobile.is_away = true,
        }
        true
    }

    /// Puts the announced five-tuple in place of the old one.
    fn move_client(&mut self, key: Key) {
        let Some(allocation) = self.table.allocation_mut(key) else {
            return;
        };
        let Some(mobile) = &mut allocation.mobile else {
            return;
        };
        let Some(next) = mobile.next.take() else {
            return;
        };
        let former = Site {
            five_tuple: std::mem::replace(&mut allocation.five_tuple, next.five_tuple),
            worker: std::mem::replace(&mut mobile.worker, next.worker),
        };
        mobile.is_away = false;
        let relays = allocation.relay_ids();
        self.outputs.push_back(Output::ClientMoved {
            from: former.five_tuple,
            to: next.five_tuple,
            username: allocation.username.clone(),
        });
        // A relay of a ready allocation is open.
        for relay in relays.filter_map(|id| self.table.relay(id)) {
            let family = Family::of(relay.address.local.ip());
            self.counters.relay_closed(former.five_tuple.transport, family);
            self.counters.relay_opened(next.five_tuple.transport, family);
        }
        self.leave(key, former);
    }

    /// Forgets the five-tuple that was announced, if any.
    fn withdraw(&mut self, key: Key) {
        let mobile = self.table.allocation_mut(key).and_then(|one| one.mobile.as_mut());
        if let Some(site) = mobile.and_then(|mobile| mobile.next.take()) {
            self.hold_connection(site.five_tuple, false);
            self.leave(key, site);
        }
    }

    fn leave(&mut self, key: Key, site: Site) {
        self.table.unlink(site.five_tuple, key);
        self.tell_forget(site);
    }

    /// Takes back the ways to an allocation that is gone.
    pub(crate) fn forget_ways(&mut self, allocation: &Allocation) {
        let Some(mobile) = &allocation.mobile else { return };
        let (five_tuple, worker) = (allocation.five_tuple, mobile.worker);
        self.tell_forget(Site { five_tuple, worker });
        if let Some(site) = mobile.next {
            self.hold_connection(site.five_tuple, false);
            self.tell_forget(site);
        }
    }

    /// Tells the shell whether a connection serves an allocation; a datagram's five-tuple is none.
    pub(crate) fn hold_connection(&mut self, client: FiveTuple, held: bool) {
        if client.is_connected() {
            self.outputs.push_back(Output::HoldConnection { client, held });
        }
    }

    fn tell_forget(&mut self, site: Site) {
        if site.worker != self.config.share.index() {
            self.outputs.push_back(Output::Tell {
                worker: site.worker,
                errand: Errand::Forget {
                    client: site.five_tuple,
                },
            });
        }
    }

    /// Notes at which worker the datagrams of a five-tuple arrive.
    pub(crate) fn note_worker(&mut self, key: Key, client: FiveTuple, worker: u16) {
        let Some(allocation) = self.table.allocation_mut(key) else {
            return;
        };
        let is_current = allocation.five_tuple == client;
        let Some(mobile) = &mut allocation.mobile else {
            return;
        };
        match &mut mobile.next {
            _ if is_current => mobile.worker = worker,
            Some(next) if next.five_tuple == client => next.worker = worker,
            Some(_) | None => {}
        }
    }
}

/// The ticket of a Refresh; other requests may carry one to no effect.
pub(crate) fn redeemable<'m>(message: &Message<'m>) -> Option<&'m [u8]> {
    let refreshes = message.class() == Class::Request && message.method() == Method::REFRESH;
    message
        .attribute(AttributeType::MOBILITY_TICKET)
        .filter(|_| refreshes)
}
