//! What the server counts; labels are drawn from fixed sets, never from what strangers send.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The server's metrics, registered once.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) connections: IntGauge,
    pub(crate) rooms: IntGauge,
    pub(crate) credentials: IntCounter,
    pub(crate) cluster_connected: IntGauge,
    messages: IntCounterVec,
    drops: IntCounterVec,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            connections: IntGauge::new(
                "signaling_connections",
                "Connections that can send messages, of every dialect.",
            )?,
            rooms: IntGauge::new("signaling_rooms", "Rooms with at least one member.")?,
            credentials: IntCounter::new(
                "signaling_credentials_total",
                "TURN credentials handed out, by joins, renewals and the endpoints.",
            )?,
            cluster_connected: IntGauge::new(
                "signaling_cluster_connected",
                "1 while this node follows its rooms in Redis.",
            )?,
            messages: IntCounterVec::new(
                Opts::new(
                    "signaling_messages_total",
                    "Messages from clients that took effect.",
                ),
                &["event"],
            )?,
            drops: IntCounterVec::new(
                Opts::new(
                    "signaling_drops_total",
                    "Messages, connections and requests refused or ended by the server.",
                ),
                &["reason"],
            )?,
        };
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.rooms.clone()))?;
        registry.register(Box::new(metrics.credentials.clone()))?;
        registry.register(Box::new(metrics.messages.clone()))?;
        registry.register(Box::new(metrics.drops.clone()))?;
        Ok(metrics)
    }

    /// Shows what only nodes of a cluster have.
    pub(crate) fn register_cluster(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.cluster_connected.clone()))
    }

    pub(crate) fn message(&self, event: &'static str) {
        self.messages.with_label_values(&[event]).inc();
    }

    pub(crate) fn drop(&self, reason: &'static str) {
        self.drops.with_label_values(&[reason]).inc();
    }
}
