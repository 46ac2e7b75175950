//! A running server of a test, and what it counts.

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use lifecycle::Shutdown;
use telemetry::{Health, prometheus::Registry};
use turn_server::{Config, Peers, Running, Surroundings, start};

use crate::client::{PASSWORD, USER};

pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) registry: Registry,
    pub(crate) shutdown: Shutdown,
}

pub(crate) fn config(listen: &str, workers: u16) -> Config {
    Config {
        listen: vec![listen.parse().unwrap()],
        users: [(USER.to_owned(), PASSWORD.into())].into(),
        peers: Peers {
            allow: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
            deny: Vec::new(),
        },
        workers,
        ..Config::default()
    }
}

impl Server {
    pub(crate) fn start(config: &Config) -> Self {
        Self::start_with(config, |surroundings| surroundings)
    }

    /// Starts among more than every test needs.
    pub(crate) fn start_with(
        config: &Config,
        furnish: impl FnOnce(Surroundings<'_>) -> Surroundings<'_>,
    ) -> Self {
        let (registry, shutdown) = (Registry::new(), Shutdown::new());
        let health = Health::new();
        let surroundings = Surroundings::new(&registry, &health, shutdown.clone());
        let running = start(config, furnish(surroundings)).unwrap();
        Self {
            running,
            registry,
            shutdown,
        }
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.running.listeners()[0]
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.running.tcp_listeners()[0]
    }

    /// The sum of a metric's samples that have this label value.
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let samples = families
            .iter()
            .filter(|family| family.name() == name)
            .flat_map(|family| family.get_metric());
        samples
            .filter(|sample| label.is_empty() || sample.get_label().iter().any(|pair| pair.value() == label))
            .map(|sample| sample.get_counter().get_value() + sample.get_gauge().get_value())
            .sum()
    }

    /// Figures are published a moment after what they count.
    pub(crate) fn wait_for(&self, name: &str, label: &str, value: f64) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.metric(name, label) != value {
            assert!(
                Instant::now() < deadline,
                "{name} {label} is {} not {value}",
                self.metric(name, label)
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(crate) fn peer(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}
