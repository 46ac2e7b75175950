//! What the metrics page tells about certificates.

use std::collections::{BTreeMap, HashMap};

use prometheus::{
    Registry,
    core::{Collector, Desc},
    proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

use crate::{Certificates, Pair};

/// A name is cut here in labels; DNS allows 253.
const MAX_LABEL: usize = 64;

impl Certificates {
    /// Adds from when until when certificates are valid, and the counters of reloads, to a registry.
    ///
    /// # Errors
    /// When the names are taken.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        self.register_as("turn", registry)
    }

    /// The same with another first word, for servers that have another prefix.
    ///
    /// # Errors
    /// When the names are taken.
    pub fn register_as(&self, prefix: &str, registry: &Registry) -> prometheus::Result<()> {
        let desc = |name: &str, help: &str, labels: Vec<String>| {
            Desc::new(
                format!("{prefix}_certificate_{name}"),
                help.to_owned(),
                labels,
                HashMap::new(),
            )
        };
        registry.register(Box::new(Metrics {
            certificates: self.clone(),
            descs: [
                desc(
                    "start_timestamp_seconds",
                    "From when each certificate is valid, by its first name.",
                    vec!["certificate".to_owned()],
                )?,
                desc(
                    "expiry_timestamp_seconds",
                    "When each certificate expires, by its first name.",
                    vec!["certificate".to_owned()],
                )?,
                desc(
                    "reloads_total",
                    "Changed certificates that were taken into use.",
                    Vec::new(),
                )?,
                desc(
                    "reload_failures_total",
                    "Changed certificates that were refused, the old ones being kept.",
                    Vec::new(),
                )?,
                desc(
                    "renewal_failures_total",
                    "Attempts to get a new certificate from an ACME directory that failed.",
                    Vec::new(),
                )?,
            ],
        }))
    }
}

struct Metrics {
    certificates: Certificates,
    descs: [Desc; 5],
}

impl Collector for Metrics {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let [start, expiry, reloads, failures, renewals] = &self.descs;
        let pairs = self.certificates.pairs();
        let mut families = vec![
            count(reloads, self.certificates.generation()),
            count(failures, self.certificates.reload_failures()),
            count(renewals, self.certificates.renewal_failures()),
        ];
        // Without certificates there is nothing to tell, and a family without series is an error.
        if !pairs.is_empty() {
            families.push(times(start, &pairs, |pair| pair.not_before));
            families.push(times(expiry, &pairs, |pair| pair.not_after));
        }
        families
    }
}

fn times(desc: &Desc, pairs: &[Pair], of: fn(&Pair) -> i64) -> MetricFamily {
    let times = labels(pairs)
        .zip(pairs)
        .map(|(label, pair)| time(label, of(pair)));
    let mut family = family(desc, MetricType::GAUGE);
    family.set_metric(times.collect());
    family
}

fn time(label: String, seconds: i64) -> Metric {
    let mut named = LabelPair::default();
    named.set_name("certificate".to_owned());
    named.set_value(label);
    let mut gauge = Gauge::default();
    #[expect(clippy::cast_precision_loss, reason = "a time in seconds fits")]
    gauge.set_value(seconds as f64);
    let mut metric = Metric::from_label(vec![named]);
    metric.set_gauge(gauge);
    metric
}

/// The first name of each, numbered where several have the same: there are as many labels as pairs.
fn labels(pairs: &[Pair]) -> impl Iterator<Item = String> {
    let mut seen = BTreeMap::<String, u32>::new();
    pairs.iter().map(move |pair| {
        let name: String = pair
            .names
            .first()
            .map_or("", String::as_str)
            .chars()
            .take(MAX_LABEL)
            .collect();
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 {
            name
        } else {
            format!("{name} ({count})")
        }
    })
}

fn count(desc: &Desc, value: u64) -> MetricFamily {
    let mut counter = Counter::default();
    #[expect(clippy::cast_precision_loss, reason = "nobody reloads so often")]
    counter.set_value(value as f64);
    let mut metric = Metric::from_label(Vec::new());
    metric.set_counter(counter);
    let mut family = family(desc, MetricType::COUNTER);
    family.set_metric(vec![metric]);
    family
}

fn family(desc: &Desc, kind: MetricType) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(desc.fq_name.clone());
    family.set_help(desc.help.clone());
    family.set_field_type(kind);
    family
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;
    use crate::testing;

    fn page(certificates: &Certificates) -> String {
        let registry = Registry::new();
        certificates.register(&registry).unwrap();
        TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    #[test]
    fn times_follow_the_live_set_and_labels_are_as_many_as_pairs() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("{}.{}.example", "a".repeat(60), "b".repeat(60));
        let certificates = Certificates::load(&[
            testing::write(folder.path(), "a", &["a.example", "also.example"]),
            testing::write_as(folder.path(), "b", &["a.example"], &rcgen::PKCS_ED25519),
            testing::write(folder.path(), "c", &[&long]),
        ])
        .unwrap();
        let page = page(&certificates);
        let expiry = "turn_certificate_expiry_timestamp_seconds{certificate=";
        let at = certificates.pairs()[0].not_after;
        let since = certificates.pairs()[0].not_before;
        let start =
            format!("turn_certificate_start_timestamp_seconds{{certificate=\"a.example\"}} {since}\n");
        assert!(page.contains(&start), "{page}");
        assert!(
            page.contains(&format!("{expiry}\"a.example\"}} {at}\n")),
            "{page}"
        );
        assert!(page.contains(&format!("{expiry}\"a.example (2)\"}}")), "{page}");
        assert!(page.contains(&format!("{expiry}\"{}\"}}", &long[..64])), "{page}");
        assert_eq!(page.matches(expiry).count(), 3);
    }

    #[test]
    fn reloads_and_failures_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::load(&[testing::write(folder.path(), "a", &["a.example"])]).unwrap();
        testing::write(folder.path(), "a", &["a.example"]);
        certificates.reload().unwrap();
        testing::put(folder.path(), "a.key", "");
        certificates.reload().unwrap_err();
        let page = page(&certificates);
        assert!(page.contains("turn_certificate_reloads_total 1\n"), "{page}");
        assert!(
            page.contains("turn_certificate_reload_failures_total 1\n"),
            "{page}"
        );
    }

    #[test]
    fn a_server_without_certificates_has_a_page_all_the_same() {
        assert!(page(&Certificates::default()).contains("turn_certificate_reloads_total 0"));
    }
}
