//! The way of a datagram from link to link and through NATs.

use crate::internet::{Datagram, Internet};
use crate::link::Link;
use crate::topology::{NatId, Realm};
use crate::trace::{DropReason, Event, TraceEntry};

impl Internet {
    /// Carries a datagram over the sender's link and then that of the next hop.
    pub(crate) fn forward(&mut self, realm: Realm, link: Link, datagram: Datagram) {
        let Some(hop) = self.topology.next_hop(realm, datagram.destination.ip()) else {
            return self.record(Event::Dropped(DropReason::NoRoute), &datagram);
        };
        let last = self.topology.link(hop);
        let mut copies = 0;
        for first_delay in link.cross(&mut self.rng) {
            for last_delay in last.cross(&mut self.rng) {
                self.queue.push(
                    self.clock.now() + first_delay + last_delay,
                    (hop, datagram.clone()),
                );
                copies += 1;
            }
        }
        if copies == 0 {
            self.record(Event::Dropped(DropReason::Lost), &datagram);
        }
    }

    /// Goes out through a NAT, or by hairpin straight back in.
    pub(crate) fn leave(&mut self, id: NatId, mut datagram: Datagram) {
        let gateway = &mut self.topology.gateways[id.0];
        let (realm, link) = (gateway.realm, gateway.link);
        let hairpin = gateway.nat.owns(datagram.destination.ip());
        if hairpin && !gateway.nat.hairpins() {
            return self.record(Event::Dropped(DropReason::NoHairpinning), &datagram);
        }
        let now = self.clock.now();
        match gateway
            .nat
            .translate_outbound(now, datagram.source, datagram.destination, &mut self.rng)
        {
            Err(reason) => self.record(Event::Dropped(reason), &datagram),
            Ok(source) => {
                datagram.source = source;
                if hairpin {
                    self.enter(id, datagram)
                } else {
                    self.forward(realm, link, datagram)
                }
            }
        }
    }

    /// Comes in through a NAT.
    pub(crate) fn enter(&mut self, id: NatId, mut datagram: Datagram) {
        let nat = &mut self.topology.gateways[id.0].nat;
        match nat.translate_inbound(self.clock.now(), datagram.source, datagram.destination) {
            Err(reason) => self.record(Event::Dropped(reason), &datagram),
            Ok(destination) => {
                datagram.destination = destination;
                self.forward(Realm::Behind(id), Link::perfect(), datagram);
            }
        }
    }

    pub(crate) fn record(&mut self, event: Event, datagram: &Datagram) {
        let Datagram {
            source,
            destination,
            ref payload,
        } = *datagram;
        let at = self.clock.elapsed();
        self.trace.record(TraceEntry {
            at,
            event,
            source,
            destination,
            len: payload.len(),
        });
    }
}
