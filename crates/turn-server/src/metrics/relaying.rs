//! Metrics of allocations and of what they relay.

use prometheus::proto::MetricType::{COUNTER, GAUGE, HISTOGRAM};
use turn_core::{Direction, DropReason, Family, Transport};

use super::{
    MetricDef, Source,
    series::{def, each, one},
};
use crate::{
    figures::{Figure, Loss, Runs},
    worker::dtls,
};

pub(super) fn families() -> Vec<MetricDef> {
    let transports = || Transport::ALL.into_iter();
    let drops = DropReason::ALL
        .iter()
        .map(|&reason| (vec![reason.name()], Source::Sum(Figure::Dropped(reason))));
    let losses = Loss::ALL
        .iter()
        .map(|&loss| (vec![loss.name()], Source::Sum(Figure::Lost(loss))));
    let dtls_drops = dtls::Figure::drops().into_iter();
    let dtls_drops = dtls_drops.map(|(name, figure)| (vec![name], Source::Sum(Figure::Dtls(figure))));
    vec![
        def(
            "turn_allocations",
            "Allocations now, by the client's transport and the relay's address family.",
            &["transport", "family"],
            GAUGE,
            transports()
                .flat_map(|transport| {
                    Family::ALL.map(|family| {
                        (
                            vec![transport.name(), family.name()],
                            Source::Sum(Figure::Allocations(transport, family)),
                        )
                    })
                })
                .collect(),
        ),
        def(
            "turn_allocations_created_total",
            "Allocations made.",
            &[],
            COUNTER,
            one(Figure::AllocationsCreated),
        ),
        def(
            "turn_allocations_resumed_total",
            "Allocations whose client came with its mobility ticket from another address.",
            &[],
            COUNTER,
            one(Figure::AllocationsResumed),
        ),
        def(
            "turn_allocation_duration_seconds",
            "How long allocations lived.",
            &[],
            HISTOGRAM,
            vec![(vec![], Source::Durations)],
        ),
        def(
            "turn_relay_ports_in_use",
            "Relay ports taken or reserved.",
            &[],
            GAUGE,
            one(Figure::RelayPortsInUse),
        ),
        def(
            "turn_relay_bytes_total",
            "Bytes of application data relayed.",
            &["direction"],
            COUNTER,
            each(Direction::ALL, |direction| {
                (vec![direction.name()], Figure::RelayBytes(direction))
            }),
        ),
        def(
            "turn_relay_packets_total",
            "Datagrams relayed.",
            &["direction"],
            COUNTER,
            each(Direction::ALL, |direction| {
                (vec![direction.name()], Figure::RelayPackets(direction))
            }),
        ),
        def(
            "turn_datagram_runs_total",
            "Runs of datagrams of one flow that the kernel gave or took in one piece, or refused to take.",
            &["outcome"],
            COUNTER,
            each(&Runs::ALL, |runs| (vec![runs.name()], Figure::Runs(runs))),
        ),
        def(
            "turn_icmp_relayed_total",
            "ICMP errors about relayed datagrams that clients were told of.",
            &[],
            COUNTER,
            one(Figure::IcmpRelayed),
        ),
        def(
            "turn_dropped_datagrams_total",
            "Datagrams that died, by reason.",
            &["reason"],
            COUNTER,
            drops.chain(losses).chain(dtls_drops).collect(),
        ),
    ]
}
