//! What a STUN server counts.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use stream_io::{Counters, Ending};
use stun_core::Refused;
use telemetry::BindingRequests;

/// The names of [`Refused`] and of the ways a datagram dies between the core and the network.
const REASONS: [&str; 14] = [
    "malformed",
    "fingerprint",
    "not_request",
    "not_binding",
    "source_port",
    "source_address",
    "own_listener",
    "no_room",
    "send_blocked",
    "send_failed",
    "send_too_long",
    "receive_error",
    "socket_closed",
    "client_queue_full",
];

/// Handles on the server's metrics; clones share them.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// Over UDP, TCP and TLS.
    pub(crate) answered: [BindingRequests; 3],
    connections: [IntGauge; 2],
    ended: Vec<(Ending, IntCounter)>,
    dropped: Vec<(&'static str, IntCounter)>,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let dropped = IntCounterVec::new(
            Opts::new(
                "stun_dropped_datagrams_total",
                "Datagrams that died at the STUN server, by reason.",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(dropped.clone()))?;
        let connections = IntGaugeVec::new(
            Opts::new("stun_connections", "Connections of clients now."),
            &["transport"],
        )?;
        registry.register(Box::new(connections.clone()))?;
        let ended = IntCounterVec::new(
            Opts::new(
                "stun_connections_ended_total",
                "Connections that ended or were turned away, by reason.",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(ended.clone()))?;
        let build = IntGaugeVec::new(
            Opts::new("stun_build_info", "Always 1; the labels say what is running."),
            &["version", "revision"],
        )?;
        registry.register(Box::new(build.clone()))?;
        build
            .with_label_values(&[env!("CARGO_PKG_VERSION"), REVISION])
            .set(1);
        Ok(Self {
            answered: [
                BindingRequests::register(registry, "udp")?,
                BindingRequests::register(registry, "tcp")?,
                BindingRequests::register(registry, "tls")?,
            ],
            connections: ["tcp", "tls"].map(|transport| connections.with_label_values(&[transport])),
            ended: Ending::ALL
                .iter()
                .map(|&ending| (ending, ended.with_label_values(&[ending.name()])))
                .collect(),
            dropped: REASONS
                .map(|reason| (reason, dropped.with_label_values(&[reason])))
                .into(),
        })
    }

    pub(crate) fn refused(&self, reason: Refused) {
        self.lost(reason.name(), 1);
    }

    /// Takes what has changed with the connections of one worker.
    pub(crate) fn streams(&self, before: &Counters, now: &Counters) {
        for (gauge, (before, now)) in self.connections.iter().zip(before.open.iter().zip(now.open)) {
            gauge.add(now as i64 - *before as i64);
        }
        for (ending, counter) in &self.ended {
            counter.inc_by(now.ended(*ending) - before.ended(*ending));
        }
        self.lost("socket_closed", now.gone - before.gone);
        self.lost("client_queue_full", now.queue_full - before.queue_full);
    }

    pub(crate) fn lost(&self, reason: &str, datagrams: u64) {
        if let Some((_, counter)) = self.dropped.iter().find(|(known, _)| *known == reason) {
            counter.inc_by(datagrams);
        }
    }
}

/// The commit this was built from, if whoever built it said so.
const REVISION: &str = match option_env!("WATARI_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_counter() {
        use Refused::*;
        let refusals = [
            Malformed(stun_wire::ParseError::TooShort),
            Fingerprint,
            NotRequest,
            NotBinding,
            SourcePort,
            SourceAddress,
            OwnListener,
            NoRoom,
        ];
        assert!(refusals.iter().all(|refused| REASONS.contains(&refused.name())));
    }
}
