//! Prometheus metrics: the workers' figures, summed when someone asks.

use std::{collections::HashMap, sync::Arc};

use prometheus::{
    core::{Collector, Desc},
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};
use stream_io::Ending;
use turn_core::{
    AuthFailure, CountedMethod, Direction, DropReason, Durations, ERROR_CODES, Family, PeerRefusal, Transport,
};

use crate::{
    figures::{Figure, Loss, Published},
    worker::dtls,
};

/// Sums what the workers have published.
pub(crate) struct Metrics {
    workers: Vec<Arc<Published>>,
    families: Vec<MetricDef>,
    descs: Vec<Desc>,
}

/// One metric name with its series.
struct MetricDef {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    kind: MetricType,
    /// Values of the labels, and where the number comes from.
    series: Vec<(Vec<&'static str>, Source)>,
}

/// A metric that another module describes, with at most one label.
pub(crate) struct Shape<T> {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) is_gauge: bool,
    pub(crate) label: Option<&'static [&'static str]>,
    /// The label's value, and the number's name.
    pub(crate) series: Vec<(&'static str, T)>,
}

enum Source {
    Sum(Figure),
    Durations,
    One,
}

impl Metrics {
    pub(crate) fn new(workers: Vec<Arc<Published>>) -> Result<Self, prometheus::Error> {
        let mut families = families();
        families.extend(dtls::Figure::shapes().into_iter().map(MetricDef::of_dtls));
        let descs = families
            .iter()
            .map(|family| {
                let labels = family.labels.iter().map(ToString::to_string).collect();
                Desc::new(family.name.into(), family.help.into(), labels, HashMap::new())
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            workers,
            families,
            descs,
        })
    }

    fn sums(&self) -> Vec<(Figure, u64)> {
        let mut sums: Vec<_> = Figure::all().into_iter().map(|figure| (figure, 0)).collect();
        for worker in &self.workers {
            for ((_, sum), (_, value)) in sums.iter_mut().zip(worker.read()) {
                *sum += value;
            }
        }
        sums
    }
}

impl Collector for Metrics {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let sums = self.sums();
        self.families.iter().map(|family| family.collect(&sums)).collect()
    }
}

impl MetricDef {
    fn of_dtls(shape: Shape<dtls::Figure>) -> Self {
        let series = shape.series.into_iter().map(|(value, figure)| {
            let values = shape.label.map_or_else(Vec::new, |_| vec![value]);
            (values, Source::Sum(Figure::Dtls(figure)))
        });
        Self {
            name: shape.name,
            help: shape.help,
            labels: shape.label.unwrap_or_default(),
            kind: if shape.is_gauge {
                MetricType::GAUGE
            } else {
                MetricType::COUNTER
            },
            series: series.collect(),
        }
    }

    fn collect(&self, sums: &[(Figure, u64)]) -> MetricFamily {
        let metrics = self.series.iter().map(|(values, source)| {
            let mut metric = Metric::from_label(self.label_pairs(values));
            match source {
                Source::Durations => metric.set_histogram(durations(sums)),
                Source::Sum(figure) => self.set(&mut metric, sum_of(sums, *figure)),
                Source::One => self.set(&mut metric, 1),
            }
            metric
        });
        let mut family = MetricFamily::default();
        family.set_name(self.name.into());
        family.set_help(self.help.into());
        family.set_field_type(self.kind);
        family.set_metric(metrics.collect());
        family
    }

    fn label_pairs(&self, values: &[&'static str]) -> Vec<LabelPair> {
        let pair = |(name, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).into());
            pair.set_value((*value).into());
            pair
        };
        let mut pairs: Vec<_> = self.labels.iter().zip(values).map(pair).collect();
        // The order every other exporter of Prometheus' own libraries has.
        pairs.sort_by(|one, other| one.name().cmp(other.name()));
        pairs
    }

    fn set(&self, metric: &mut Metric, value: u64) {
        if self.kind == MetricType::GAUGE {
            let mut gauge = Gauge::default();
            gauge.set_value(value as f64);
            metric.set_gauge(gauge);
        } else {
            let mut counter = Counter::default();
            counter.set_value(value as f64);
            metric.set_counter(counter);
        }
    }
}

fn sum_of(sums: &[(Figure, u64)], figure: Figure) -> u64 {
    sums.iter()
        .find(|(known, _)| *known == figure)
        .map_or(0, |(_, sum)| *sum)
}

fn durations(sums: &[(Figure, u64)]) -> Histogram {
    let mut seen = 0;
    let mut buckets = Vec::new();
    for (index, bound) in Durations::BOUNDS.iter().enumerate() {
        seen += sum_of(sums, Figure::DurationBucket(index));
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound as f64);
        bucket.set_cumulative_count(seen);
        buckets.push(bucket);
    }
    let mut histogram = Histogram::default();
    histogram.set_sample_count(seen + sum_of(sums, Figure::DurationBucket(Durations::BOUNDS.len())));
    histogram.set_sample_sum(sum_of(sums, Figure::DurationMillis) as f64 / 1000.0);
    histogram.set_bucket(buckets);
    histogram
}

fn families() -> Vec<MetricDef> {
    use MetricType::{COUNTER, GAUGE, HISTOGRAM};
    let plain = |figure| vec![(vec![], Source::Sum(figure))];
    let methods = || CountedMethod::ALL.iter().copied();
    let transports = || Transport::ALL.into_iter();
    let drops = DropReason::ALL
        .iter()
        .map(|&reason| (vec![reason.name()], Source::Sum(Figure::Dropped(reason))));
    let losses = Loss::ALL
        .iter()
        .map(|&loss| (vec![loss.name()], Source::Sum(Figure::Lost(loss))));
    let dtls_drops = dtls::Figure::drops().into_iter();
    let dtls_drops = dtls_drops.map(|(name, figure)| (vec![name], Source::Sum(Figure::Dtls(figure))));
    let def = |name, help, labels, kind, series| MetricDef {
        name,
        help,
        labels,
        kind,
        series,
    };
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
            plain(Figure::AllocationsCreated),
        ),
        def(
            "turn_allocations_resumed_total",
            "Allocations whose client came with its mobility ticket from another address.",
            &[],
            COUNTER,
            plain(Figure::AllocationsResumed),
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
            "turn_icmp_relayed_total",
            "ICMP errors about relayed datagrams that clients were told of.",
            &[],
            COUNTER,
            plain(Figure::IcmpRelayed),
        ),
        def(
            "turn_dropped_datagrams_total",
            "Datagrams that died, by reason.",
            &["reason"],
            COUNTER,
            drops.chain(losses).chain(dtls_drops).collect(),
        ),
        def(
            "turn_requests_total",
            "Requests and indications, by method.",
            &["method", "transport"],
            COUNTER,
            transports()
                .flat_map(|transport| {
                    methods().map(move |method| {
                        (
                            vec![method.name(), transport.name()],
                            Source::Sum(Figure::Requests(method, transport)),
                        )
                    })
                })
                .collect(),
        ),
        def(
            "turn_errors_total",
            "Error responses, by method and code.",
            &["method", "code"],
            COUNTER,
            methods().flat_map(errors).collect(),
        ),
        def(
            "turn_auth_failures_total",
            "Requests that did not authenticate; missing is the ordinary first one.",
            &["reason"],
            COUNTER,
            each(AuthFailure::ALL, |failure| {
                (vec![failure.name()], Figure::AuthFailures(failure))
            }),
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
            plain(Figure::RelayPortsInUse),
        ),
        def(
            "turn_tcp_peer_connections",
            "Connections between TCP relays and peers, those included that are still being made.",
            &[],
            GAUGE,
            plain(Figure::PeerConnections),
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
            plain(Figure::AcceptFailed),
        ),
        def(
            "turn_build_info",
            "Always 1; the labels say what is running.",
            &["version", "revision"],
            GAUGE,
            vec![(vec![env!("CARGO_PKG_VERSION"), REVISION], Source::One)],
        ),
    ]
}

/// The commit this was built from, if whoever built it said so.
const REVISION: &str = match option_env!("WATARI_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

type Series = (Vec<&'static str>, Source);

fn each<T: Copy>(all: &[T], series: impl Fn(T) -> (Vec<&'static str>, Figure)) -> Vec<Series> {
    all.iter()
        .map(|&one| {
            let (labels, figure) = series(one);
            (labels, Source::Sum(figure))
        })
        .collect()
}

fn errors(method: CountedMethod) -> impl Iterator<Item = Series> {
    let series = move |code| {
        (
            vec![method.name(), code_name(code)],
            Source::Sum(Figure::Errors(method, code)),
        )
    };
    ERROR_CODES.into_iter().map(series)
}

fn code_name(code: u16) -> &'static str {
    match code {
        300 => "300",
        400 => "400",
        401 => "401",
        403 => "403",
        405 => "405",
        420 => "420",
        437 => "437",
        438 => "438",
        440 => "440",
        441 => "441",
        442 => "442",
        443 => "443",
        446 => "446",
        447 => "447",
        486 => "486",
        508 => "508",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder, Registry, TextEncoder};

    use super::*;

    #[test]
    fn every_metric_is_shown_from_the_start() {
        let registry = Registry::new();
        let workers = vec![Arc::new(Published::new()), Arc::new(Published::new())];
        registry
            .register(Box::new(Metrics::new(workers).unwrap()))
            .unwrap();
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "turn_allocations{family=\"ipv4\",transport=\"udp\"} 0",
            "turn_allocations{family=\"ipv6\",transport=\"tls\"} 0",
            "turn_connections{transport=\"tcp\"} 0",
            "turn_connections_ended_total{reason=\"frame_time\"} 0",
            "turn_dropped_datagrams_total{reason=\"client_queue_full\"} 0",
            "turn_allocations_created_total 0",
            "turn_allocations_resumed_total 0",
            "turn_relay_bytes_total{direction=\"to_peer\"} 0",
            "turn_relay_packets_total{direction=\"to_client\"} 0",
            "turn_icmp_relayed_total 0",
            "turn_dropped_datagrams_total{reason=\"no_permission\"} 0",
            "turn_dropped_datagrams_total{reason=\"send_blocked\"} 0",
            "turn_requests_total{method=\"allocate\",transport=\"udp\"} 0",
            "turn_errors_total{code=\"437\",method=\"refresh\"} 0",
            "turn_auth_failures_total{reason=\"stale_nonce\"} 0",
            "turn_allocation_duration_seconds_bucket{le=\"+Inf\"} 0",
            "turn_relay_ports_in_use 0",
            "turn_tcp_peer_connections 0",
            "turn_tcp_peers_refused_total{reason=\"no_permission\"} 0",
            "turn_build_info{revision=\"unknown\",version=",
        ] {
            assert!(
                text.lines().any(|shown| shown.starts_with(line)),
                "{line} is missing in\n{text}"
            );
        }
    }

    #[test]
    fn every_error_code_has_a_label_of_its_own() {
        assert!(
            ERROR_CODES
                .iter()
                .all(|&code| code_name(code) == code.to_string())
        );
    }
}
