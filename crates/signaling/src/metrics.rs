//! What the server counts; labels are drawn from fixed sets, never from what strangers send.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::problem::Problem;

/// Seconds from a link within a house to one by satellite and a train in a tunnel.
const ROUND_TRIPS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The server's metrics, registered once.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) connections: IntGauge,
    pub(crate) rooms: IntGauge,
    pub(crate) credentials: IntCounter,
    pub(crate) cluster_connected: IntGauge,
    pub(crate) round_trip: Histogram,
    messages: IntCounterVec,
    drops: IntCounterVec,
    resumes: IntCounterVec,
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
            round_trip: Histogram::with_opts(
                HistogramOpts::new(
                    "signaling_round_trip_seconds",
                    "From a WebSocket ping to the client's pong; without Socket.IO.",
                )
                .buckets(ROUND_TRIPS.into()),
            )?,
            resumes: IntCounterVec::new(
                Opts::new(
                    "signaling_resumes_total",
                    "Attempts to come back as a member whose connection was lost.",
                ),
                &["result"],
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
        registry.register(Box::new(metrics.round_trip.clone()))?;
        registry.register(Box::new(metrics.resumes.clone()))?;
        registry.register(Box::new(metrics.messages.clone()))?;
        registry.register(Box::new(metrics.drops.clone()))?;
        Ok(metrics)
    }

    /// Shows what only nodes of a cluster have.
    pub(crate) fn register_cluster(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.cluster_connected.clone()))
    }

    /// Counts somebody who came back, or could not.
    pub(crate) fn resume(&self, refused: Option<Problem>) {
        let result = refused.map_or("resumed", Problem::code);
        self.resumes.with_label_values(&[result]).inc();
    }

    pub(crate) fn message(&self, event: &'static str) {
        self.messages.with_label_values(&[event]).inc();
    }

    pub(crate) fn drop(&self, reason: &'static str) {
        self.drops.with_label_values(&[reason]).inc();
    }
}
