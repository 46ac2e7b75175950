//! How long a client takes to answer a ping.

use axum::body::Bytes;
use prometheus::Histogram;
use tokio::time::Instant;

/// Numbers pings, as clients may send pongs that nobody asked for (RFC 6455 §5.5.3).
pub(super) struct Echo {
    round_trip: Histogram,
    number: u32,
    called: Option<Instant>,
}

impl Echo {
    pub(super) fn new(round_trip: Histogram) -> Self {
        Self {
            round_trip,
            number: 0,
            called: None,
        }
    }

    /// The payload of the next ping.
    pub(super) fn call(&mut self, now: Instant) -> Bytes {
        self.number = self.number.wrapping_add(1);
        self.called = Some(now);
        Bytes::copy_from_slice(&self.number.to_be_bytes())
    }

    /// Takes a pong, which counts if it answers the last ping.
    pub(super) fn hear(&mut self, payload: &[u8], now: Instant) {
        if payload != self.number.to_be_bytes() {
            return;
        }
        if let Some(called) = self.called.take() {
            let took = now.duration_since(called);
            self.round_trip.observe(took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus::HistogramOpts;

    use super::*;

    #[test]
    fn only_the_first_answer_to_the_last_ping_is_measured() {
        let round_trip = Histogram::with_opts(HistogramOpts::new("a", "b")).unwrap();
        let mut echo = Echo::new(round_trip.clone());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        echo.hear(&0_u32.to_be_bytes(), at(0));
        let first = echo.call(at(0));
        let second = echo.call(at(1000));
        for unasked in [&first[..], b"", b"12345"] {
            echo.hear(unasked, at(1100));
        }
        assert_eq!(round_trip.get_sample_count(), 0);
        echo.hear(&second, at(1250));
        echo.hear(&second, at(1500));
        assert_eq!(round_trip.get_sample_count(), 1);
        assert!((round_trip.get_sample_sum() - 0.25).abs() < 1e-9);
    }
}
