//! Metrics of connections, of clients and of peers.

use prometheus::proto::MetricType::{COUNTER, GAUGE};
use stream_io::Ending;
use turn_core::{PeerRefusal, Transport};

use super::{
    MetricDef,
    series::{def, each, one},
};
use crate::figures::Figure;

pub(super) fn families() -> Vec<MetricDef> {
    vec![
        def(
            "turn_connections",
            "Connections of clients now.",
            &["transport"],
            GAUGE,
            each(
                &[(Transport::Tcp, false), (Transport::Tls, true)],
                |(transport, secure)| (vec![transport.name()], Figure::Connections { secure }),
            ),
        ),
        def(
            "turn_connections_ended_total",
            "Connections that ended or were turned away, by reason.",
            &["reason"],
            COUNTER,
            each(Ending::ALL, |ending| {
                (vec![ending.name()], Figure::ConnectionsEnded(ending))
            }),
        ),
        def(
            "turn_accept_failures_total",
            "Times that the system had no descriptor or memory for a connection, which then waited.",
            &[],
            COUNTER,
            one(Figure::AcceptFailed),
        ),
        def(
            "turn_tcp_peer_connections",
            "Connections between TCP relays and peers, those included that are still being made.",
            &[],
            GAUGE,
            one(Figure::PeerConnections),
        ),
        def(
            "turn_tcp_peers_refused_total",
            "Connections of peers to TCP relays that were closed at once, by reason.",
            &["reason"],
            COUNTER,
            each(PeerRefusal::ALL, |refusal| {
                (vec![refusal.name()], Figure::PeersRefused(refusal))
            }),
        ),
    ]
}
