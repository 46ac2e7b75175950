//! How many connections there are, in all and from each network. Workers share it; it is touched when one is
//! accepted and when one ends.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Ending, Limits};

/// Counts the connections of all workers of a server.
#[derive(Clone, Debug)]
pub struct Census(Arc<Mutex<Counts>>);

/// A counted connection; dropped, it is counted no more.
#[derive(Debug)]
pub struct Member {
    census: Census,
    network: Option<Network>,
}

/// An IPv4 address, or an IPv6 /64: what one subscriber has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4([u8; 4]),
    V6([u8; 8]),
}

#[derive(Debug)]
struct Counts {
    limit: u32,
    per_network: u32,
    all: u32,
    /// Strangers choose the keys: the standard hasher is seeded at random.
    by_network: HashMap<Network, u32>,
}

impl Census {
    /// Starts without any.
    pub fn new(limits: &Limits) -> Self {
        Self(Arc::new(Mutex::new(Counts {
            limit: limits.connections,
            per_network: limits.per_network,
            all: 0,
            by_network: HashMap::new(),
        })))
    }

    /// Admits one connection, not yet said to be of any network.
    pub(crate) fn enter(&self) -> Result<Member, Ending> {
        let mut counts = self.counts();
        if counts.all >= counts.limit {
            return Err(Ending::TooMany);
        }
        counts.all += 1;
        Ok(Member {
            census: self.clone(),
            network: None,
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // A worker that panicked ends the process soon; until then the others go on counting.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Counts it for `network`, once.
    pub(crate) fn join(&mut self, network: Network) -> Result<(), Ending> {
        let mut counts = self.census.counts();
        let most = counts.per_network;
        let count = counts.by_network.entry(network).or_insert(0);
        if *count >= most {
            return Err(Ending::TooManyFromNetwork);
        }
        *count += 1;
        self.network = Some(network);
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.all -= 1;
        let Some(network) = self.network else { return };
        if let Some(count) = counts.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.by_network.remove(&network);
            }
        }
    }
}

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn census(connections: u32, per_network: u32) -> Census {
        Census::new(&Limits {
            connections,
            per_network,
            handshake: Duration::ZERO,
            frame: Duration::ZERO,
            idle: Duration::ZERO,
            send_queue: 0,
        })
    }

    fn network(ip: &str) -> Network {
        Network::of(ip.parse().unwrap())
    }

    #[test]
    fn an_address_and_everybody_are_bounded_and_places_come_back() {
        let census = census(3, 2);
        let one = network("192.0.2.1");
        let enter = |network| {
            let mut member = census.enter()?;
            member.join(network).map(|()| member)
        };
        let first = enter(one).unwrap();
        let second = enter(one).unwrap();
        assert_eq!(enter(one).unwrap_err(), Ending::TooManyFromNetwork);
        let other = enter(network("192.0.2.2")).unwrap();
        assert_eq!(census.enter().unwrap_err(), Ending::TooMany);
        drop(first);
        let again = enter(one).unwrap();
        drop([second, other, again]);
        assert!(census.counts().by_network.is_empty() && census.counts().all == 0);
    }

    #[test]
    fn a_subscriber_of_ipv6_is_a_64_and_a_mapped_address_is_an_ipv4_address() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1:2:3"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
