//! A laptop behind one NAT and two servers with two ports each on the outside.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::{Delivery, HostId, Internet, Link, NatConfig, NatId};

pub(crate) const LAPTOP: &str = "192.168.1.2:4000";
pub(crate) const ONE: &str = "203.0.113.1:3478";
pub(crate) const ONE_OTHER_PORT: &str = "203.0.113.1:3479";
pub(crate) const TWO: &str = "203.0.113.2:3478";
pub(crate) const EXTERNAL: &str = "198.51.100.1";

pub(crate) struct Home {
    pub(crate) net: Internet,
    pub(crate) nat: NatId,
    pub(crate) laptop: HostId,
    pub(crate) one: HostId,
    pub(crate) two: HostId,
}

impl Home {
    pub(crate) fn behind(config: NatConfig) -> Self {
        let mut net = Internet::new(1);
        let one = net.add_host(&[at(ONE).ip()], Link::perfect());
        let two = net.add_host(&[at(TWO).ip()], Link::perfect());
        let nat = net.add_nat(config, &[EXTERNAL.parse().unwrap()], Link::perfect());
        let laptop = net.add_host_behind(nat, &[at(LAPTOP).ip()], Link::perfect());
        Self {
            net,
            nat,
            laptop,
            one,
            two,
        }
    }

    /// Sends from the laptop and tells which source address the server sees.
    pub(crate) fn reflexive(&mut self, server: &str) -> SocketAddr {
        self.net.send(self.laptop, at(LAPTOP), at(server), b"out");
        self.arrival().expect("outbound datagrams pass").datagram.source
    }

    /// Sends from a server to an outside address and tells whether the laptop gets it.
    pub(crate) fn reaches_laptop(&mut self, server: &str, external: SocketAddr) -> bool {
        let host = if at(server).ip() == at(ONE).ip() {
            self.one
        } else {
            self.two
        };
        self.net.send(host, at(server), external, b"in");
        self.arrival().is_some_and(|delivery| {
            delivery.host == self.laptop && delivery.datagram.destination == at(LAPTOP)
        })
    }

    pub(crate) fn arrival(&mut self) -> Option<Delivery> {
        self.net.advance(self.net.now() + Duration::from_millis(1))
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        assert_eq!(self.net.advance(self.net.now() + time), None);
    }
}

pub(crate) fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}
