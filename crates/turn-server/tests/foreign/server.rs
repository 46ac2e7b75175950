//! A running server with one user and loopback peers.

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use lifecycle::Shutdown;
use telemetry::{Health, prometheus::Registry};
use turn_server::{Config, Peers, Running, start};

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "wonderland";

pub(crate) struct Server {
    running: Running,
    registry: Registry,
    _shutdown: Shutdown,
}

pub(crate) fn config() -> Config {
    Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        users: [(USER.to_owned(), PASSWORD.into())].into(),
        peers: Peers {
            allow: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
            deny: Vec::new(),
        },
        workers: 1,
        ..Config::default()
    }
}

impl Server {
    pub(crate) fn start(config: &Config) -> Self {
        let (registry, shutdown) = (Registry::new(), Shutdown::new());
        let running = start(config, &registry, &Health::new(), shutdown.clone()).unwrap();
        Self {
            running,
            registry,
            _shutdown: shutdown,
        }
    }

    /// Where it listens for datagrams.
    pub(crate) fn udp(&self) -> SocketAddr {
        self.running.listeners()[0]
    }

    /// Waits until so many allocations live; figures are published a moment after what they count.
    pub(crate) fn has_allocations(&self, expected: f64) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let families = self.registry.gather();
            let allocations = families
                .iter()
                .filter(|family| family.name() == "turn_allocations");
            let samples = allocations.flat_map(|family| family.get_metric());
            let count: f64 = samples.map(|sample| sample.get_gauge().get_value()).sum();
            if count == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{count} allocations, not {expected}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A peer on loopback.
pub(crate) fn peer(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}
