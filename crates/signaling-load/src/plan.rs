//! What is to be done.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::Dialect;

/// One measurement.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the server listens.
    pub server: SocketAddr,
    /// What the clients call it.
    pub host: String,
    /// Where its WebSockets are.
    pub path: String,
    /// What is spoken there.
    pub dialect: Dialect,
    /// How many clients, two in each room.
    pub connections: u32,
    /// How many rooms are entered at a time.
    pub at_once: u32,
    /// How many rooms a second begin to exchange signals.
    pub rate: f64,
    /// How many candidates each member sends.
    pub candidates: u32,
    /// Among how many addresses of 127.0.0.0/8 the clients are dealt out; 0 leaves it to the system.
    pub sources: u32,
    /// The server's process, on this machine.
    pub pid: Option<u32>,
    /// Threads that make the load.
    pub threads: usize,
    /// How long everybody is idle before memory is read.
    pub settle: Duration,
    /// How long an answer may take.
    pub patience: Duration,
}

impl Plan {
    /// How many rooms there are.
    pub fn rooms(&self) -> u32 {
        self.connections / 2
    }

    /// The address from which a client comes, if it matters.
    pub(crate) fn source(&self, client: u32) -> Option<IpAddr> {
        let index = client.checked_rem(self.sources)?;
        // .0 and .255 are left out: they look like a network's own.
        let [.., second, third] = (index / 254).to_be_bytes();
        let last = u8::try_from(index % 254 + 1).ok()?;
        Some(Ipv4Addr::new(127, second, third, last).into())
    }

    /// When a room begins, counted from when the first one does.
    pub(crate) fn due(&self, room: u32) -> Duration {
        Duration::from_secs_f64(f64::from(room) / self.rate)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan() -> Plan {
        Plan {
            server: SocketAddr::from(([127, 0, 0, 1], 9)),
            host: "localhost".to_owned(),
            path: "/ws".to_owned(),
            dialect: Dialect::Plain,
            connections: 4,
            at_once: 2,
            rate: 100.0,
            candidates: 2,
            sources: 0,
            pid: None,
            threads: 1,
            settle: Duration::ZERO,
            patience: Duration::from_secs(10),
        }
    }

    #[test]
    fn clients_are_dealt_out_among_loopback_addresses() {
        let plan = Plan {
            sources: 600,
            ..plan()
        };
        let source = |client| plan.source(client).unwrap().to_string();
        assert_eq!(source(0), "127.0.0.1");
        assert_eq!(source(253), "127.0.0.254");
        assert_eq!(source(254), "127.0.1.1");
        assert_eq!(source(599), "127.0.2.92");
        assert_eq!(source(600), "127.0.0.1");
        assert_eq!(Plan { sources: 0, ..plan }.source(7), None);
    }
}
