//! What happens to a datagram between a node and its network.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

/// One access line, the same in both directions.
///
/// Probabilities are between 0.0 (never) and 1.0 (always) and are rolled once per datagram and line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// The least time a datagram takes.
    pub latency: Duration,
    /// Added time, uniform between nothing and this; datagrams sent closer together than it may overtake.
    pub jitter: Duration,
    /// The probability that a datagram vanishes.
    pub loss: f64,
    /// The probability that a datagram arrives twice.
    pub duplication: f64,
    /// The probability that a datagram is held back by four times the latency, so that later ones overtake it.
    pub reordering: f64,
}

impl Link {
    /// A line without delay or fault.
    #[must_use]
    pub const fn perfect() -> Self {
        Self {
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
        }
    }

    /// A line that only delays.
    #[must_use]
    pub const fn with_latency(latency: Duration) -> Self {
        Self {
            latency,
            ..Self::perfect()
        }
    }

    /// A bad radio link: 20–60 ms, a tenth lost, some doubled and reordered.
    #[must_use]
    pub const fn bad() -> Self {
        Self {
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(40),
            loss: 0.1,
            duplication: 0.03,
            reordering: 0.05,
        }
    }

    /// Rolls the delay of each copy that arrives: none when lost, two when doubled.
    pub(crate) fn cross(&self, rng: &mut StdRng) -> impl Iterator<Item = Duration> + use<> {
        let lost = rng.random_bool(self.loss);
        let doubled = rng.random_bool(self.duplication);
        let copies = [
            (!lost).then(|| self.delay(rng)),
            (!lost && doubled).then(|| self.delay(rng)),
        ];
        copies.into_iter().flatten()
    }

    fn delay(&self, rng: &mut StdRng) -> Duration {
        let held = if rng.random_bool(self.reordering) {
            self.latency * 4
        } else {
            Duration::ZERO
        };
        self.latency + held + self.jitter.mul_f64(rng.random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn arrivals(link: Link, sent: usize) -> Vec<Duration> {
        let mut rng = StdRng::seed_from_u64(1);
        (0..sent)
            .flat_map(|_| link.cross(&mut rng).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn a_perfect_link_delivers_each_datagram_once_and_at_once() {
        assert_eq!(arrivals(Link::perfect(), 100), vec![Duration::ZERO; 100]);
    }

    #[test]
    fn loss_and_duplication_come_near_their_probabilities() {
        let lossy = arrivals(
            Link {
                loss: 0.25,
                ..Link::perfect()
            },
            10_000,
        )
        .len();
        let doubling = arrivals(
            Link {
                duplication: 0.25,
                ..Link::perfect()
            },
            10_000,
        )
        .len();
        assert!((7_200..7_800).contains(&lossy), "{lossy} of 10000 arrived");
        assert!(
            (12_200..12_800).contains(&doubling),
            "{doubling} of 10000 arrived"
        );
    }

    #[test]
    fn jitter_stays_between_its_bounds() {
        let latency = Duration::from_millis(10);
        let all = arrivals(
            Link {
                jitter: Duration::from_millis(5),
                ..Link::with_latency(latency)
            },
            1_000,
        );
        assert!(
            all.iter()
                .all(|delay| (latency..latency + Duration::from_millis(5)).contains(delay))
        );
        assert!(
            all.iter()
                .any(|delay| *delay > latency + Duration::from_millis(4))
        );
    }

    #[test]
    fn a_reordered_datagram_takes_five_times_the_latency() {
        let link = Link {
            reordering: 1.0,
            ..Link::with_latency(Duration::from_millis(10))
        };
        assert_eq!(arrivals(link, 1), [Duration::from_millis(50)]);
    }
}
