use std::net::{IpAddr, SocketAddr};

use stun_wire::{AddressFamily, ChangeRequest};
use thiserror::Error;

/// An address as the machine has it and as the world sees it; the same unless a 1:1 NAT stands in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappedAddress {
    /// What sockets are bound to.
    pub local: IpAddr,
    /// What clients are told.
    pub external: IpAddr,
}

impl From<IpAddr> for MappedAddress {
    fn from(ip: IpAddr) -> Self {
        Self {
            local: ip,
            external: ip,
        }
    }
}

/// Two addresses and two ports, four listeners: what it takes to discover how a NAT behaves (RFC 5780 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    addresses: [MappedAddress; 2],
    ports: [u16; 2],
}

/// Why two addresses and two ports do not serve RFC 5780.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BehaviourError {
    /// Both addresses are the same, locally or as the world sees them.
    #[error("the two addresses are the same")]
    SameAddress,
    /// One address is IPv4, the other IPv6.
    #[error("the two addresses are of different families")]
    Families,
    /// An unspecified address: the reply could not be sent from a chosen one.
    #[error("an address is unspecified")]
    Unspecified,
    /// Both ports are the same.
    #[error("the two ports are the same")]
    SamePort,
    /// A port is 0.
    #[error("a port is 0")]
    ZeroPort,
}

impl Behaviour {
    /// Takes two different addresses of one family and two different ports.
    pub fn new(addresses: [MappedAddress; 2], ports: [u16; 2]) -> Result<Self, BehaviourError> {
        let [a, b] = addresses;
        let families = [a.local, a.external, b.local, b.external].map(AddressFamily::of);
        if families.iter().any(|family| *family != families[0]) {
            return Err(BehaviourError::Families);
        }
        if [a, b]
            .iter()
            .any(|address| address.local.is_unspecified() || address.external.is_unspecified())
        {
            return Err(BehaviourError::Unspecified);
        }
        if a.local == b.local || a.external == b.external {
            return Err(BehaviourError::SameAddress);
        }
        match ports {
            [0, _] | [_, 0] => Err(BehaviourError::ZeroPort),
            [p, q] if p == q => Err(BehaviourError::SamePort),
            _ => Ok(Self { addresses, ports }),
        }
    }

    /// Returns the four local addresses to listen on.
    pub fn listeners(&self) -> [SocketAddr; 4] {
        Place::ALL.map(|place| self.local(place))
    }

    pub(crate) fn has(&self, address: SocketAddr) -> bool {
        Place::ALL
            .iter()
            .any(|&place| self.local(place) == address || self.external(place) == address)
    }

    /// Finds which of the four listeners has this local address.
    pub(crate) fn place(&self, local: SocketAddr) -> Option<Place> {
        Place::ALL.into_iter().find(|&place| self.local(place) == local)
    }

    pub(crate) fn local(&self, place: Place) -> SocketAddr {
        SocketAddr::new(self.addresses[place.address].local, self.ports[place.port])
    }

    pub(crate) fn external(&self, place: Place) -> SocketAddr {
        SocketAddr::new(self.addresses[place.address].external, self.ports[place.port])
    }
}

/// One of the four listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    address: usize,
    port: usize,
}

impl Place {
    const ALL: [Self; 4] = [
        Self { address: 0, port: 0 },
        Self { address: 0, port: 1 },
        Self { address: 1, port: 0 },
        Self { address: 1, port: 1 },
    ];

    /// The listener with both the other address and the other port: OTHER-ADDRESS.
    pub(crate) fn other(self) -> Self {
        self.changed(ChangeRequest { ip: true, port: true })
    }

    /// The listener that a reply is sent from when this one was asked (RFC 5780 §6.1, table 1).
    pub(crate) fn changed(self, change: ChangeRequest) -> Self {
        Self {
            address: self.address ^ usize::from(change.ip),
            port: self.port ^ usize::from(change.port),
        }
    }
}
