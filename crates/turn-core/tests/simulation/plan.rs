//! What a seed decides about its world, besides chance on the way.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use net_sim::{Behaviour, Link, NatConfig};
use rand::RngExt;
use rand::rngs::StdRng;

/// The public addresses of the server's machine.
pub(crate) const SERVER: [&str; 2] = ["91.0.0.1", "2a01:91::1"];
/// What the machine itself knows as its IPv4 address when it stands behind a 1:1 NAT.
pub(crate) const INSIDE: &str = "10.91.0.1";
pub(crate) const LISTEN_PORT: u16 = 3478;

/// RFC 8656 §9 and §12: of permissions and of channels.
const RFC_LIFETIMES: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(600));
const SHORT_LIFETIMES: (Duration, Duration) = (Duration::from_secs(25), Duration::from_secs(40));

/// The parameters of one world.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How long clients and the hostile sender are busy.
    pub(crate) active: Duration,
    /// How long permissions and channels live: as RFC 8656 says, or short enough to expire often.
    pub(crate) lifetimes: (Duration, Duration),
    pub(crate) workers: u16,
    pub(crate) clients: usize,
    pub(crate) ports: (u16, u16),
    /// IPv4 through a 1:1 NAT: sockets bind [`INSIDE`], the world sees [`SERVER`].
    pub(crate) mapped: bool,
    /// The operator opened the server's own addresses, so that sockets may reach them.
    pub(crate) own_open: bool,
    pub(crate) link: Link,
    /// The longest time the machine takes to open a relay socket.
    pub(crate) opening: Duration,
    /// The probability that another program has the port, or that descriptors ran out.
    pub(crate) opening_fails: f64,
    /// Mean time between hostile datagrams.
    pub(crate) hostile_pause: Duration,
    pub(crate) clock_jumps: bool,
    pub(crate) user_quota: u32,
    /// Whether clients may keep their allocation when they move (RFC 8016).
    pub(crate) mobility: bool,
}

impl Plan {
    pub(crate) fn new(rng: &mut StdRng) -> Self {
        let first = 50_000;
        let pairs = *choose(rng, &[2, 4, 8, 32]);
        Self {
            active: Duration::from_secs(*choose(rng, &[180, 360, 720])),
            lifetimes: *choose(rng, &[RFC_LIFETIMES, SHORT_LIFETIMES]),
            workers: *choose(rng, &[1, 1, 2]),
            clients: rng.random_range(2..=6),
            ports: (first, first + 2 * pairs - 1),
            mapped: rng.random_bool(0.3),
            own_open: rng.random(),
            link: link(rng),
            opening: *choose(rng, &[Duration::ZERO, Duration::from_millis(300)]),
            opening_fails: *choose(rng, &[0.0, 0.2]),
            hostile_pause: *choose(rng, &[Duration::from_millis(500), Duration::from_secs(3)]),
            clock_jumps: rng.random_bool(0.5),
            user_quota: *choose(rng, &[2, 10]),
            mobility: rng.random(),
        }
    }

    /// The form of an address that the machine itself uses.
    pub(crate) fn inside(&self, outside: SocketAddr) -> SocketAddr {
        self.replace(outside, SERVER[0], INSIDE)
    }

    /// The form of an address that the internet sees.
    pub(crate) fn outside(&self, inside: SocketAddr) -> SocketAddr {
        self.replace(inside, INSIDE, SERVER[0])
    }

    fn replace(&self, address: SocketAddr, from: &str, to: &str) -> SocketAddr {
        let applies = self.mapped && address.ip() == ip(from);
        if applies {
            SocketAddr::new(ip(to), address.port())
        } else {
            address
        }
    }

    pub(crate) fn is_relay_port(&self, port: u16) -> bool {
        (self.ports.0..=self.ports.1).contains(&port)
    }
}

/// Any NAT of RFC 4787.
pub(crate) fn nat(rng: &mut StdRng) -> NatConfig {
    use Behaviour::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
    let all = [EndpointIndependent, AddressDependent, AddressAndPortDependent];
    NatConfig {
        port_preservation: rng.random_bool(0.5),
        hairpinning: rng.random_bool(0.5),
        // Short enough that a quiet client loses its five-tuple and comes back with another one.
        mapping_lifetime: Duration::from_secs(rng.random_range(30..300)),
        ..NatConfig::new(*choose(rng, &all), *choose(rng, &all))
    }
}

fn link(rng: &mut StdRng) -> Link {
    let good = Link {
        jitter: Duration::from_millis(5),
        ..Link::with_latency(Duration::from_millis(15))
    };
    *choose(
        rng,
        &[
            good,
            Link {
                loss: 0.01,
                duplication: 0.01,
                reordering: 0.01,
                ..good
            },
            Link::bad(),
        ],
    )
}

pub(crate) fn choose<'a, T>(rng: &mut StdRng, items: &'a [T]) -> &'a T {
    &items[rng.random_range(0..items.len())]
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Whether an address is the server's own, in either form.
pub(crate) fn is_own(address: IpAddr) -> bool {
    SERVER.iter().chain([&INSIDE]).any(|own| address == ip(own))
}
