//! Peers on the outside: they echo what relays bring and write to relays unasked.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use net_sim::{Datagram, HostId, Internet};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::plan::choose;

pub(crate) const PEERS: [&str; 4] = [
    "92.0.0.1:7000",
    "92.0.0.1:7001",
    "92.0.0.2:7000",
    "[2a01:92::1]:7000",
];

#[derive(Debug)]
pub(crate) struct Peers {
    hosts: Vec<(HostId, SocketAddr)>,
    next_at: Instant,
    pub(crate) received: u64,
}

impl Peers {
    /// `hosts` holds each of [`PEERS`] with the host that owns its address.
    pub(crate) fn new(hosts: Vec<(HostId, SocketAddr)>, now: Instant) -> Self {
        Self {
            hosts,
            next_at: now,
            received: 0,
        }
    }

    pub(crate) fn owns(&self, host: HostId) -> bool {
        self.hosts.iter().any(|(owner, _)| *owner == host)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.hosts.iter().map(|(_, address)| *address)
    }

    pub(crate) fn due(&self) -> Instant {
        self.next_at
    }

    /// Takes a relayed datagram and answers it.
    pub(crate) fn receive(&mut self, net: &mut Internet, host: HostId, datagram: &Datagram) {
        if !self.hosts.contains(&(host, datagram.destination)) {
            return; // a closed port, reached by a forged indication
        }
        self.received += 1;
        let answer = payload("from ", datagram.destination, datagram.payload.len());
        net.send(host, datagram.destination, datagram.source, &answer);
    }

    /// Writes to a relay, perhaps without permission and perhaps one that is gone.
    pub(crate) fn write_unasked(&mut self, net: &mut Internet, rng: &mut StdRng, relays: &[SocketAddr]) {
        self.next_at = net.now() + Duration::from_millis(rng.random_range(200..3000));
        let (host, from) = *choose(rng, &self.hosts);
        let reachable: Vec<_> = relays
            .iter()
            .filter(|to| to.is_ipv4() == from.is_ipv4())
            .collect();
        if !reachable.is_empty() {
            let to = **choose(rng, &reachable);
            net.send(host, from, to, &payload("from ", from, rng.random_range(0..1200)));
        }
    }
}

/// Makes a payload that says where it comes from or goes to, padded to a length.
pub(crate) fn payload(word: &str, address: SocketAddr, len: usize) -> Vec<u8> {
    let mut bytes = format!("{word}{address} ").into_bytes();
    bytes.resize(bytes.len().max(len), b'.');
    bytes
}

/// Reads back what [`payload`] wrote under this word.
pub(crate) fn tag(bytes: &[u8], word: &str) -> Option<SocketAddr> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.strip_prefix(word)?.split(' ').next()?.parse().ok()
}
