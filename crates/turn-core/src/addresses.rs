//! Our own addresses: which one a relay gets, and which peers are really ourselves.

use std::net::{IpAddr, SocketAddr};

use rand::{RngExt as _, rngs::StdRng};

use crate::{
    config::{Config, PortRange, RelayAddress, RelayAddresses, Share},
    ports::{Pool, Want},
    types::{Family, RelayedAddress},
};

pub(crate) struct Addresses {
    relay: RelayAddresses,
    range: PortRange,
    share: Share,
    listeners: Vec<SocketAddr>,
    hosts: Vec<IpAddr>,
    /// One per local address that relays were opened on. Few: strangers do not choose our addresses, except
    /// on a machine that answers for a whole prefix, hence [`MAX_POOLS`].
    pools: Vec<(IpAddr, Pool)>,
    /// Where relays of this worker sit on ports of another one's share, once for each.
    borrowed: Vec<IpAddr>,
}

/// Pools of addresses without a relay are dropped beyond this number.
const MAX_POOLS: usize = 256;

/// Says why a relay got no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAddress {
    /// We have none of that family.
    Family,
    /// All ports that would do are taken.
    Port,
}

impl Addresses {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            relay: config.relay.clone(),
            range: config.ports,
            share: config.share,
            listeners: config.listeners.clone(),
            hosts: config.host_addresses.clone(),
            pools: Vec::new(),
            borrowed: Vec::new(),
        }
    }

    /// Replaces what is known of this machine's addresses.
    pub(crate) fn set_hosts(&mut self, hosts: Vec<IpAddr>) {
        self.hosts = hosts;
    }

    /// Takes a port of this worker's share for a client that reached us at `server`.
    pub(crate) fn take(
        &mut self,
        family: Family,
        server: IpAddr,
        want: Want,
        rng: &mut StdRng,
    ) -> Result<RelayedAddress, NoAddress> {
        let configured: Vec<_> = self.relay.configured(family).collect();
        if configured.is_empty() {
            let address = self.unconfigured(family, server).ok_or(NoAddress::Family)?;
            return self.take_on(address, want, rng).ok_or(NoAddress::Port);
        }
        // The address the client reached is the likeliest to work for it; else they share the load.
        let first = configured.iter().position(|address| address.local() == server);
        let first = first.unwrap_or_else(|| rng.random_range(0..configured.len()));
        let mut in_turn = configured.iter().cycle().skip(first).take(configured.len());
        in_turn
            .find_map(|&address| self.take_on(address, want, rng))
            .ok_or(NoAddress::Port)
    }

    /// Makes a port of this worker's share free again, by its local address.
    pub(crate) fn put_back(&mut self, local: SocketAddr) {
        let pool = self.pools.iter_mut().find(|(ip, _)| *ip == local.ip());
        let was_taken = pool.is_some_and(|(_, pool)| pool.put_back(local.port()));
        debug_assert!(was_taken, "a port that was not taken was put back");
    }

    /// Notes a relay whose port came from a reservation, wherever its home is.
    pub(crate) fn borrow(&mut self, ip: IpAddr) {
        self.borrowed.push(ip);
    }

    /// Forgets one of them.
    pub(crate) fn give_back(&mut self, ip: IpAddr) {
        if let Some(at) = self.borrowed.iter().position(|&borrowed| borrowed == ip) {
            self.borrowed.swap_remove(at);
        }
    }

    /// Counts the ports taken on all addresses.
    pub(crate) fn taken(&self) -> u64 {
        self.pools.iter().map(|(_, pool)| u64::from(pool.taken())).sum()
    }

    pub(crate) fn is_taken(&self, local: SocketAddr) -> bool {
        self.pools
            .iter()
            .any(|(ip, pool)| *ip == local.ip() && !pool.is_free(local.port()))
    }

    /// Gives the local form of a peer's address if a relay of ours may be there.
    pub(crate) fn own_relay(&self, peer: SocketAddr) -> Option<SocketAddr> {
        if !self.range.contains(peer.port()) {
            return None;
        }
        Some(SocketAddr::new(self.own_ip(peer.ip())?, peer.port()))
    }

    /// Gives the form under which clients know the sender of a datagram, which may be a relay of ours that
    /// reached us through the kernel.
    pub(crate) fn external_form(&self, from: SocketAddr) -> SocketAddr {
        if !self.range.contains(from.port()) {
            return from;
        }
        let ours = self.relay.known().find(|address| address.local() == from.ip());
        ours.map_or(from, |address| SocketAddr::new(address.external(), from.port()))
    }

    /// Tells whether this is an address we listen on ourselves, in its local or its external form.
    pub(crate) fn is_listener(&self, address: SocketAddr) -> bool {
        let (port, ip) = (address.port(), address.ip());
        self.listeners
            .iter()
            .filter(|listener| listener.port() == port)
            .any(|listener| {
                listener.ip() == ip
                    || listener.ip().is_unspecified() && self.is_host(ip)
                    || self
                        .relay
                        .known()
                        .any(|known| known.external() == ip && known.local() == listener.ip())
            })
    }

    /// Tells whether this is an address of our own machine, in its local or its external form.
    pub(crate) fn is_host(&self, ip: IpAddr) -> bool {
        let is_relay = |address: RelayAddress| address.local() == ip || address.external() == ip;
        ip.is_loopback() || self.hosts.contains(&ip) || self.in_use(ip) || self.relay.known().any(is_relay)
    }

    /// Finds the local form of an address that relays sit on.
    fn own_ip(&self, ip: IpAddr) -> Option<IpAddr> {
        let known = self
            .relay
            .known()
            .find(|address| address.local() == ip || address.external() == ip);
        if let Some(address) = known {
            return Some(address.local());
        }
        let unconfigured = self.relay.configured(Family::of(ip)).next().is_none();
        (unconfigured && (self.hosts.contains(&ip) || self.in_use(ip))).then_some(ip)
    }

    fn in_use(&self, ip: IpAddr) -> bool {
        self.borrowed.contains(&ip)
            || self
                .pools
                .iter()
                .any(|(pool_ip, pool)| *pool_ip == ip && pool.taken() > 0)
    }

    fn unconfigured(&self, family: Family, server: IpAddr) -> Option<RelayAddress> {
        // A relay could not be bound to a link-local address without its interface.
        let is_link_local = matches!(server, IpAddr::V6(ip) if ip.is_unicast_link_local());
        if Family::of(server) == family
            && !is_link_local
            && let Ok(address) = RelayAddress::new(server, server)
        {
            return Some(address);
        }
        self.relay.fallback(family)
    }

    fn take_on(&mut self, address: RelayAddress, want: Want, rng: &mut StdRng) -> Option<RelayedAddress> {
        let port = self.pool(address.local()).take(want, rng)?;
        Some(RelayedAddress {
            local: SocketAddr::new(address.local(), port),
            external: SocketAddr::new(address.external(), port),
        })
    }

    fn pool(&mut self, local: IpAddr) -> &mut Pool {
        let at = self
            .pools
            .iter()
            .position(|(ip, _)| *ip == local)
            .unwrap_or_else(|| {
                if self.pools.len() >= MAX_POOLS {
                    self.pools.retain(|(_, pool)| pool.taken() > 0);
                }
                self.pools.push((local, Pool::new(self.range, self.share)));
                self.pools.len() - 1
            });
        &mut self.pools[at].1
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::config::Realm;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn addresses(configured: &[(&str, &str)], change: impl FnOnce(&mut Config)) -> Addresses {
        let pairs = configured
            .iter()
            .map(|(local, external)| RelayAddress::new(ip(local), ip(external)).unwrap());
        let mut config = Config::new(Realm::new("r").unwrap(), [0; 32]);
        config.relay = RelayAddresses::new(pairs.collect(), None, None).unwrap();
        config.ports = PortRange::new(50_000, 50_001).unwrap();
        change(&mut config);
        Addresses::new(&config)
    }

    fn take(addresses: &mut Addresses, server: &str) -> Result<RelayedAddress, NoAddress> {
        addresses.take(Family::V4, ip(server), Want::Any, &mut StdRng::from_seed([1; 32]))
    }

    #[test]
    fn without_configuration_a_relay_takes_the_address_the_client_reached() {
        let mut addresses = addresses(&[], |_| ());
        let relayed = take(&mut addresses, "10.0.0.7").unwrap();
        assert_eq!(
            (relayed.local.ip(), relayed.external.ip()),
            (ip("10.0.0.7"), ip("10.0.0.7"))
        );
        assert_eq!(take(&mut addresses, "::1"), Err(NoAddress::Family));
        assert_eq!(take(&mut addresses, "0.0.0.0"), Err(NoAddress::Family));
    }

    #[test]
    fn a_client_of_the_other_family_gets_the_fallback() {
        let fallback = RelayAddress::new(ip("10.0.0.9"), ip("10.0.0.9")).unwrap();
        let with_fallback =
            |config: &mut Config| config.relay = RelayAddresses::new(vec![], Some(fallback), None).unwrap();
        assert_eq!(
            take(&mut addresses(&[], with_fallback), "::1")
                .unwrap()
                .local
                .ip(),
            ip("10.0.0.9")
        );
    }

    #[test]
    fn configured_addresses_are_used_until_the_last_port_is_gone() {
        let mut addresses = addresses(&[("10.0.0.1", "192.0.2.1"), ("10.0.0.2", "192.0.2.2")], |_| ());
        let taken: Vec<_> = (0..4)
            .map(|_| take(&mut addresses, "10.0.0.2").unwrap())
            .collect();
        assert!(
            taken[..2]
                .iter()
                .all(|relayed| relayed.external.ip() == ip("192.0.2.2"))
        );
        assert!(
            taken[2..]
                .iter()
                .all(|relayed| relayed.external.ip() == ip("192.0.2.1"))
        );
        assert_eq!(take(&mut addresses, "10.0.0.2"), Err(NoAddress::Port));
        addresses.put_back(taken[0].local);
        assert_eq!(take(&mut addresses, "10.0.0.1"), Ok(taken[0]));
        assert_eq!(addresses.taken(), 4);
    }

    #[test]
    fn our_relays_are_known_by_both_forms_and_by_port_range() {
        let addresses = addresses(&[("10.0.0.1", "192.0.2.1")], |_| ());
        for form in ["10.0.0.1:50000", "192.0.2.1:50000"] {
            assert_eq!(addresses.own_relay(socket(form)), Some(socket("10.0.0.1:50000")));
        }
        assert_eq!(addresses.own_relay(socket("192.0.2.1:49999")), None);
        assert_eq!(addresses.own_relay(socket("192.0.2.9:50000")), None);
        assert_eq!(
            addresses.external_form(socket("10.0.0.1:50001")),
            socket("192.0.2.1:50001")
        );
        assert_eq!(
            addresses.external_form(socket("10.0.0.1:40000")),
            socket("10.0.0.1:40000")
        );
    }

    #[test]
    fn without_configuration_an_address_is_ours_while_a_relay_sits_on_it() {
        let mut addresses = addresses(&[], |config| config.host_addresses = vec![ip("10.0.0.8")]);
        assert_eq!(addresses.own_relay(socket("10.0.0.7:50000")), None);
        let relayed = take(&mut addresses, "10.0.0.7").unwrap();
        assert!(addresses.own_relay(socket("10.0.0.7:50000")).is_some());
        addresses.put_back(relayed.local);
        assert_eq!(addresses.own_relay(socket("10.0.0.7:50000")), None);
        assert!(
            addresses.own_relay(socket("10.0.0.8:50000")).is_some(),
            "the machine's own address"
        );
    }

    #[test]
    fn a_listener_behind_a_nat_is_known_by_its_external_address_too() {
        let listen = |config: &mut Config| config.listeners = vec![socket("10.0.0.1:3478")];
        let addresses = addresses(&[("10.0.0.1", "192.0.2.1"), ("10.0.0.2", "192.0.2.2")], listen);
        assert!(addresses.is_listener(socket("192.0.2.1:3478")));
        assert!(!addresses.is_listener(socket("192.0.2.2:3478")));
    }

    #[test]
    fn a_listener_on_the_unspecified_address_is_reached_by_all_of_ours() {
        let listen =
            |config: &mut Config| config.listeners = vec![socket("0.0.0.0:3478"), socket("192.0.2.5:99")];
        let addresses = addresses(&[("10.0.0.1", "192.0.2.1")], listen);
        for ours in [
            "10.0.0.1:3478",
            "192.0.2.1:3478",
            "127.0.0.1:3478",
            "192.0.2.5:99",
        ] {
            assert!(addresses.is_listener(socket(ours)), "{ours}");
        }
        for other in ["10.0.0.1:3479", "8.8.8.8:3478", "192.0.2.5:3478"] {
            assert!(!addresses.is_listener(socket(other)), "{other}");
        }
    }

    #[test]
    fn the_pools_of_idle_addresses_are_dropped() {
        let mut addresses = addresses(&[], |_| ());
        for low in 0..2000_u16 {
            let server = format!("10.0.{}.{}", low >> 8, low & 255);
            let relayed = take(&mut addresses, &server).unwrap();
            addresses.put_back(relayed.local);
        }
        assert!(addresses.pools.len() <= MAX_POOLS);
    }
}
