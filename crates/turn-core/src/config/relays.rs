//! Where relays sit: addresses, ports, and whose ports they are.

use std::{net::IpAddr, ops::RangeInclusive};

use super::ConfigError;
use crate::types::{ConnectionNumber, Family};

/// Pairs the address a relay socket binds with the one the world sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayAddress {
    local: IpAddr,
    external: IpAddr,
}

impl RelayAddress {
    /// Takes both forms; they are equal unless a 1:1 NAT stands between.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotUnicast`] or [`ConfigError::MixedFamilies`].
    pub fn new(local: IpAddr, external: IpAddr) -> Result<Self, ConfigError> {
        for ip in [local, external] {
            if ip.is_unspecified() || ip.is_multicast() {
                return Err(ConfigError::NotUnicast(ip));
            }
        }
        if Family::of(local) != Family::of(external) {
            return Err(ConfigError::MixedFamilies(local, external));
        }
        Ok(Self { local, external })
    }

    /// The address relay sockets bind.
    pub fn local(self) -> IpAddr {
        self.local
    }

    /// The address clients and peers are told.
    pub fn external(self) -> IpAddr {
        self.external
    }

    /// The family of both.
    pub fn family(self) -> Family {
        Family::of(self.local)
    }
}

/// Lists where relays are. A family without a configured address relays at the address its client reached;
/// a client that came by the other family gets that family's fallback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayAddresses {
    configured: Vec<RelayAddress>,
    fallbacks: Vec<RelayAddress>,
}

impl RelayAddresses {
    /// Takes the configured addresses and, per family, what to use when there is none.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Duplicate`] when one address would stand for two relay addresses.
    pub fn new(
        configured: Vec<RelayAddress>,
        fallback_v4: Option<RelayAddress>,
        fallback_v6: Option<RelayAddress>,
    ) -> Result<Self, ConfigError> {
        for (at, one) in configured.iter().enumerate() {
            for ip in [one.local, one.external] {
                if configured[..at]
                    .iter()
                    .any(|other| other.local == ip || other.external == ip)
                {
                    return Err(ConfigError::Duplicate(ip));
                }
            }
        }
        let unconfigured = |fallback: &RelayAddress| {
            configured
                .iter()
                .all(|address| address.family() != fallback.family())
        };
        let fallbacks = [fallback_v4, fallback_v6]
            .into_iter()
            .flatten()
            .filter(unconfigured)
            .collect();
        Ok(Self {
            configured,
            fallbacks,
        })
    }

    /// The configured addresses of a family.
    pub(crate) fn configured(&self, family: Family) -> impl Iterator<Item = RelayAddress> {
        self.configured
            .iter()
            .copied()
            .filter(move |one| one.family() == family)
    }

    /// What a family without a configured address falls back to.
    pub(crate) fn fallback(&self, family: Family) -> Option<RelayAddress> {
        self.fallbacks.iter().copied().find(|one| one.family() == family)
    }

    /// Every pair whose two forms may be mapped to each other.
    pub(crate) fn known(&self) -> impl Iterator<Item = RelayAddress> {
        self.configured.iter().chain(&self.fallbacks).copied()
    }
}

/// Holds the ports relay sockets may take; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    min: u16,
    max: u16,
}

impl PortRange {
    /// Takes the first and the last port.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PortRange`] when there is none between them, or the first is 0.
    pub fn new(min: u16, max: u16) -> Result<Self, ConfigError> {
        if min == 0 || min > max {
            return Err(ConfigError::PortRange);
        }
        Ok(Self { min, max })
    }

    /// Shows first and last port.
    pub fn bounds(self) -> RangeInclusive<u16> {
        self.min..=self.max
    }

    /// Tells whether a port lies in the range.
    pub fn contains(self, port: u16) -> bool {
        (self.min..=self.max).contains(&port)
    }

    /// The even port that the first pair begins with; it may lie just below the range.
    pub(crate) fn first_pair(self) -> u16 {
        self.min & !1
    }
}

impl Default for PortRange {
    /// The dynamic ports of RFC 6335, as RFC 8656 §7.2 recommends.
    fn default() -> Self {
        Self {
            min: 49152,
            max: 65535,
        }
    }
}

/// Names one worker's share of the ports. Pairs of an even and the next odd port stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    index: u16,
    of: u16,
}

impl Share {
    /// Takes the worker's number, counted from 0, and the number of workers.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Share`] unless `index` is below `of`.
    pub fn new(index: u16, of: u16) -> Result<Self, ConfigError> {
        if index < of {
            Ok(Self { index, of })
        } else {
            Err(ConfigError::Share)
        }
    }

    /// This worker's number.
    pub fn index(self) -> u16 {
        self.index
    }

    /// The number of workers.
    pub fn of(self) -> u16 {
        self.of
    }

    /// Tells which worker named a connection to a peer so.
    pub fn owner_of_connection(self, number: ConnectionNumber) -> u16 {
        (number.0 % u32::from(self.of)) as u16
    }

    /// Tells which worker owns a port of the range.
    pub fn owner(self, range: PortRange, port: u16) -> u16 {
        (port.saturating_sub(range.first_pair()) / 2) % self.of
    }
}

impl Default for Share {
    /// The only worker.
    fn default() -> Self {
        Self { index: 0, of: 1 }
    }
}
