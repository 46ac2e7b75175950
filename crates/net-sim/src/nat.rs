//! Address and port translation in the words of RFC 4787.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;

use crate::trace::DropReason;

/// How much of the remote endpoint a mapping or a filter depends on (RFC 4787 §4.1, §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// On nothing of it.
    EndpointIndependent,
    /// On its address.
    AddressDependent,
    /// On its address and its port.
    AddressAndPortDependent,
}

/// The behaviour of one NAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatConfig {
    /// When two remote endpoints see the same external port.
    pub mapping: Behaviour,
    /// Which remote endpoints may send to a mapping.
    pub filtering: Behaviour,
    /// Whether the external port is the internal one when that is free (RFC 4787 §4.2.1); random otherwise.
    pub port_preservation: bool,
    /// Whether inside hosts reach each other by external addresses (RFC 4787 §6).
    pub hairpinning: bool,
    /// How long a mapping lives after the last outbound datagram (RFC 4787 §4.3).
    pub mapping_lifetime: Duration,
}

impl NatConfig {
    /// Endpoint-independent mapping and filtering, once called a full cone.
    #[must_use]
    pub const fn full_cone() -> Self {
        Self::new(Behaviour::EndpointIndependent, Behaviour::EndpointIndependent)
    }

    /// Endpoint-independent mapping, address-dependent filtering.
    #[must_use]
    pub const fn restricted_cone() -> Self {
        Self::new(Behaviour::EndpointIndependent, Behaviour::AddressDependent)
    }

    /// Endpoint-independent mapping, address-and-port-dependent filtering: the usual home router.
    #[must_use]
    pub const fn port_restricted_cone() -> Self {
        Self::new(Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent)
    }

    /// Address-and-port-dependent mapping and filtering: the NAT that needs a relay.
    #[must_use]
    pub const fn symmetric() -> Self {
        Self::new(
            Behaviour::AddressAndPortDependent,
            Behaviour::AddressAndPortDependent,
        )
    }

    /// A NAT with random ports, no hairpinning and the two minutes of RFC 4787 REQ-5.
    #[must_use]
    pub const fn new(mapping: Behaviour, filtering: Behaviour) -> Self {
        let mapping_lifetime = Duration::from_secs(120);
        Self {
            mapping,
            filtering,
            port_preservation: false,
            hairpinning: false,
            mapping_lifetime,
        }
    }
}

/// The tables of one NAT.
#[derive(Debug)]
pub(crate) struct Nat {
    config: NatConfig,
    external: Vec<IpAddr>,
    mappings: BTreeMap<Key, Mapping>,
    by_external: BTreeMap<SocketAddr, Key>,
}

/// An internal endpoint and, unless mapping is endpoint-independent, the remote part it depends on.
type Key = (SocketAddr, Option<IpAddr>, Option<u16>);

#[derive(Debug)]
struct Mapping {
    external: SocketAddr,
    expires_at: Instant,
    contacted: BTreeSet<SocketAddr>,
}

impl Nat {
    pub(crate) fn new(config: NatConfig, external: &[IpAddr]) -> Self {
        Self {
            config,
            external: external.to_vec(),
            mappings: BTreeMap::new(),
            by_external: BTreeMap::new(),
        }
    }

    pub(crate) fn hairpins(&self) -> bool {
        self.config.hairpinning
    }

    pub(crate) fn owns(&self, address: IpAddr) -> bool {
        self.external.contains(&address)
    }

    /// Translates an outbound source address, making or refreshing its mapping.
    pub(crate) fn translate_outbound(
        &mut self,
        now: Instant,
        internal: SocketAddr,
        remote: SocketAddr,
        rng: &mut StdRng,
    ) -> Result<SocketAddr, DropReason> {
        self.forget_expired(now);
        let key = self.key(internal, remote);
        let external = match self.mappings.get(&key) {
            Some(mapping) => mapping.external,
            None => self
                .free_endpoint(internal, rng)
                .ok_or(DropReason::NoExternalAddress)?,
        };
        self.by_external.insert(external, key);
        let expires_at = now + self.config.mapping_lifetime;
        let mapping = self.mappings.entry(key).or_insert_with(|| Mapping {
            external,
            expires_at,
            contacted: BTreeSet::new(),
        });
        mapping.expires_at = expires_at;
        mapping.contacted.insert(remote);
        Ok(external)
    }

    /// Translates an inbound destination address if the filter lets the remote endpoint in.
    pub(crate) fn translate_inbound(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        external: SocketAddr,
    ) -> Result<SocketAddr, DropReason> {
        self.forget_expired(now);
        let key = self.by_external.get(&external).ok_or(DropReason::NoMapping)?;
        let contacted = &self.mappings[key].contacted;
        let admitted = match self.config.filtering {
            Behaviour::EndpointIndependent => true,
            Behaviour::AddressDependent => contacted.iter().any(|seen| seen.ip() == remote.ip()),
            Behaviour::AddressAndPortDependent => contacted.contains(&remote),
        };
        if admitted {
            Ok(key.0)
        } else {
            Err(DropReason::Filtered)
        }
    }

    fn key(&self, internal: SocketAddr, remote: SocketAddr) -> Key {
        match self.config.mapping {
            Behaviour::EndpointIndependent => (internal, None, None),
            Behaviour::AddressDependent => (internal, Some(remote.ip()), None),
            Behaviour::AddressAndPortDependent => (internal, Some(remote.ip()), Some(remote.port())),
        }
    }

    fn free_endpoint(&self, internal: SocketAddr, rng: &mut StdRng) -> Option<SocketAddr> {
        let ip = *self
            .external
            .iter()
            .find(|ip| ip.is_ipv4() == internal.is_ipv4())?;
        let free = |port| Some(SocketAddr::new(ip, port)).filter(|at| !self.by_external.contains_key(at));
        let preserved = self
            .config
            .port_preservation
            .then(|| free(internal.port()))
            .flatten();
        // 64 draws fail together only when the ports are nearly used up.
        preserved.or_else(|| (0..64).find_map(|_| free(rng.random_range(1024..=u16::MAX))))
    }

    fn forget_expired(&mut self, now: Instant) {
        self.mappings.retain(|_, mapping| mapping.expires_at > now);
        let mappings = &self.mappings;
        self.by_external.retain(|_, key| mappings.contains_key(key));
    }
}
