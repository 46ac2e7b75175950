//! The internet itself: carries datagrams between hosts through links and NATs.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::clock::Clock;
use crate::link::Link;
use crate::nat::{Nat, NatConfig};
use crate::queue::Queue;
use crate::topology::{Hop, HostId, NatId, Node, Realm, Topology};
use crate::trace::{DropReason, Event, Trace, TraceEntry};

/// A UDP datagram with the addresses it bears at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it, as seen from where it is.
    pub source: SocketAddr,
    /// Whom it is for, as seen from where it is.
    pub destination: SocketAddr,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

/// A datagram that arrived at a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The host that got it.
    pub host: HostId,
    /// The datagram, its destination being an address of that host.
    pub datagram: Datagram,
}

/// A simulated internet with its hosts, NATs and clock.
#[derive(Debug)]
pub struct Internet {
    pub(crate) clock: Clock,
    pub(crate) rng: StdRng,
    pub(crate) topology: Topology,
    pub(crate) queue: Queue<(Hop, Datagram)>,
    pub(crate) trace: Trace,
}

impl Internet {
    /// Makes an empty internet whose every chance derives from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            clock: Clock::new(),
            rng: StdRng::seed_from_u64(seed),
            topology: Topology::default(),
            queue: Queue::new(),
            trace: Trace::default(),
        }
    }

    /// Attaches a host with public addresses.
    ///
    /// # Panics
    /// Panics, as the other `add_*` do, when an address is already taken in the same network.
    pub fn add_host(&mut self, addresses: &[IpAddr], link: Link) -> HostId {
        self.topology.add_host(Realm::Internet, addresses, link)
    }

    /// Attaches a host to the inside of a NAT; addresses need to be unique only there.
    pub fn add_host_behind(&mut self, nat: NatId, addresses: &[IpAddr], link: Link) -> HostId {
        self.topology.add_host(Realm::Behind(nat), addresses, link)
    }

    /// Attaches a NAT with one external address per family.
    pub fn add_nat(&mut self, config: NatConfig, external: &[IpAddr], link: Link) -> NatId {
        self.topology
            .add_gateway(Realm::Internet, external, link, Nat::new(config, external))
    }

    /// Attaches a NAT behind another one, as carriers do.
    pub fn add_nat_behind(
        &mut self,
        outer: NatId,
        config: NatConfig,
        external: &[IpAddr],
        link: Link,
    ) -> NatId {
        self.topology
            .add_gateway(Realm::Behind(outer), external, link, Nat::new(config, external))
    }

    /// Sends a datagram now; it arrives by [`Self::advance`], unless it is lost, filtered or unroutable.
    pub fn send(&mut self, from: HostId, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
        let realm = self.topology.hosts[from.0].realm;
        let datagram = Datagram {
            source,
            destination,
            payload: payload.to_vec(),
        };
        self.record(Event::Sent, &datagram);
        if self.topology.owner(realm, source.ip()) == Some(Node::Host(from)) {
            self.forward(realm, self.topology.hosts[from.0].link, datagram);
        } else {
            self.record(Event::Dropped(DropReason::ForeignSource), &datagram);
        }
    }

    /// Sends a datagram from any public source address, as a network without ingress filtering permits.
    pub fn send_spoofed(&mut self, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
        let datagram = Datagram {
            source,
            destination,
            payload: payload.to_vec(),
        };
        self.record(Event::Sent, &datagram);
        self.forward(Realm::Internet, Link::perfect(), datagram);
    }

    /// Moves time to the next delivery at `until` or before and returns it; else moves time to `until`.
    pub fn advance(&mut self, until: Instant) -> Option<Delivery> {
        while let Some((at, (hop, datagram))) = self.queue.pop_until(until) {
            self.clock.advance_to(at);
            match hop {
                Hop::Host(host) => {
                    self.record(Event::Delivered, &datagram);
                    return Some(Delivery { host, datagram });
                }
                Hop::Inbound(nat) => self.enter(nat, datagram),
                Hop::Outbound(nat) => self.leave(nat, datagram),
            }
        }
        self.clock.advance_to(until);
        None
    }

    /// Tells when the next datagram on its way reaches a host or a NAT.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    /// Tells the virtual monotonic time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Tells the virtual calendar time as time since 1970.
    #[must_use]
    pub fn unix(&self) -> Duration {
        self.clock.unix()
    }

    /// Gives access to the clock, for jumps of the calendar.
    pub fn clock_mut(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// Keeps every event from now on for [`Self::trace`].
    pub fn keep_trace(&mut self) {
        self.trace.keep_entries();
    }

    /// Lists the events since [`Self::keep_trace`].
    #[must_use]
    pub fn trace(&self) -> &[TraceEntry] {
        self.trace.entries()
    }

    /// Counts the datagrams that ended for a reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.trace.dropped(reason)
    }
}
