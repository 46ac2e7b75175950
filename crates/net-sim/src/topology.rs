//! Who is connected to which network.
//!
//! A realm is a network with its own address space: the internet itself, or the inside of a NAT. Hosts and
//! the outsides of NATs are attached to realms; a NAT may stand behind another one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::link::Link;
use crate::nat::Nat;

/// A host of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(pub(crate) usize);

/// A NAT of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NatId(pub(crate) usize);

/// A network with its own addresses: the root, or the inside of a NAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Realm {
    Internet,
    Behind(NatId),
}

/// What an address belongs to within its realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Host(HostId),
    Nat(NatId),
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) realm: Realm,
    pub(crate) link: Link,
}

#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) realm: Realm,
    pub(crate) link: Link,
    pub(crate) nat: Nat,
}

#[derive(Debug, Default)]
pub(crate) struct Topology {
    pub(crate) hosts: Vec<Host>,
    pub(crate) gateways: Vec<Gateway>,
    addresses: BTreeMap<(Realm, IpAddr), Node>,
}

impl Topology {
    pub(crate) fn add_host(&mut self, realm: Realm, addresses: &[IpAddr], link: Link) -> HostId {
        let id = HostId(self.hosts.len());
        self.attach(realm, addresses, Node::Host(id));
        self.hosts.push(Host { realm, link });
        id
    }

    pub(crate) fn add_gateway(&mut self, realm: Realm, addresses: &[IpAddr], link: Link, nat: Nat) -> NatId {
        let id = NatId(self.gateways.len());
        self.attach(realm, addresses, Node::Nat(id));
        self.gateways.push(Gateway { realm, link, nat });
        id
    }

    fn attach(&mut self, realm: Realm, addresses: &[IpAddr], node: Node) {
        for &address in addresses {
            let before = self.addresses.insert((realm, address), node);
            assert!(before.is_none(), "{address} is already taken in {realm:?}");
        }
    }

    pub(crate) fn owner(&self, realm: Realm, address: IpAddr) -> Option<Node> {
        self.addresses.get(&(realm, address)).copied()
    }

    /// Finds where a datagram inside `realm` goes next: to the owner of the address, else out by the gateway.
    pub(crate) fn next_hop(&self, realm: Realm, destination: IpAddr) -> Option<Hop> {
        match (self.owner(realm, destination), realm) {
            (Some(Node::Host(host)), _) => Some(Hop::Host(host)),
            (Some(Node::Nat(nat)), _) => Some(Hop::Inbound(nat)),
            (None, Realm::Behind(nat)) => Some(Hop::Outbound(nat)),
            (None, Realm::Internet) => None,
        }
    }

    /// Tells the line a datagram crosses at the end of a hop; a gateway's inside is a perfect switch.
    pub(crate) fn link(&self, hop: Hop) -> Link {
        match hop {
            Hop::Host(host) => self.hosts[host.0].link,
            Hop::Inbound(nat) => self.gateways[nat.0].link,
            Hop::Outbound(_) => Link::perfect(),
        }
    }
}

/// The end of one stretch of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hop {
    Host(HostId),
    /// At a NAT, from its outside.
    Inbound(NatId),
    /// At a NAT, from its inside.
    Outbound(NatId),
}
