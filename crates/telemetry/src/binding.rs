//! The one metric that two servers share: both answer Binding requests.

use std::sync::LazyLock;

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// Its labels do not tell servers apart, so there is one counter for all servers of a process.
static ANSWERED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let opts = Opts::new(
        "stun_binding_requests_total",
        "Binding requests answered by this process.",
    );
    IntCounterVec::new(opts, &["transport", "family"]).expect("name and labels are well-formed")
});

/// Counts answered Binding requests that came over one transport, by address family.
#[derive(Debug, Clone)]
pub struct BindingRequests {
    v4: IntCounter,
    v6: IntCounter,
}

impl BindingRequests {
    /// Shows the counter of `transport` in `registry`; servers that do so share it.
    ///
    /// # Errors
    /// When another metric there has its name.
    pub fn register(registry: &Registry, transport: &'static str) -> Result<Self, prometheus::Error> {
        match registry.register(Box::new(ANSWERED.clone())) {
            Ok(()) | Err(prometheus::Error::AlreadyReg) => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            v4: ANSWERED.with_label_values(&[transport, "ipv4"]),
            v6: ANSWERED.with_label_values(&[transport, "ipv6"]),
        })
    }

    /// Adds what was answered since the last time.
    pub fn add(&self, v4: u64, v6: u64) {
        self.v4.inc_by(v4);
        self.v6.inc_by(v6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_of_a_process_share_one_metric() {
        let registry = Registry::new();
        let turn = BindingRequests::register(&registry, "udp").unwrap();
        let stun = BindingRequests::register(&registry, "udp").unwrap();
        let over_tcp = BindingRequests::register(&registry, "tcp").unwrap();
        turn.add(2, 0);
        stun.add(1, 4);
        over_tcp.add(7, 0);
        let families = registry.gather();
        let [family] = &families[..] else {
            panic!("one metric")
        };
        let values: Vec<_> = family
            .get_metric()
            .iter()
            .map(|metric| metric.get_counter().get_value())
            .collect();
        // By family and then by transport.
        assert_eq!(values, [7.0, 3.0, 0.0, 4.0]);
    }
}
