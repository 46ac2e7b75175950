//! Prometheus metrics: the workers' figures, summed when someone asks.

mod connections;
mod relaying;
mod requests;
mod series;

use std::{collections::HashMap, sync::Arc};

use prometheus::{
    core::{Collector, Desc},
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};
use turn_core::Durations;

use self::series::{Series, def};
use crate::{
    figures::{Figure, Published},
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
    series: Vec<Series>,
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
        let mut families = relaying::families();
        families.extend(requests::families());
        families.extend(connections::families());
        families.push(build_info());
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

fn build_info() -> MetricDef {
    def(
        "turn_build_info",
        "Always 1; the labels say what is running.",
        &["version", "revision"],
        MetricType::GAUGE,
        vec![(vec![env!("CARGO_PKG_VERSION"), REVISION], Source::One)],
    )
}

/// The commit this was built from, if whoever built it said so.
const REVISION: &str = match option_env!("WATARI_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

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
            "turn_datagram_runs_total{outcome=\"sent\"} 0",
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
}
