//! A token bucket told the time by its caller.

use std::time::{Duration, Instant};

/// How much a bucket holds and how fast it fills.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Tokens a second.
    pub(crate) per_second: u32,
    /// Tokens a full bucket holds.
    pub(crate) burst: u32,
}

/// Holds tokens; one buys one message or request.
#[derive(Debug, Clone)]
pub(crate) struct TokenBucket {
    tokens: f64,
    updated: Instant,
}

impl TokenBucket {
    pub(crate) fn full(rate: Rate, now: Instant) -> Self {
        Self {
            tokens: f64::from(rate.burst),
            updated: now,
        }
    }

    /// Takes `count` tokens, but never more than a full bucket holds; or tells how long until they are there.
    pub(crate) fn take(&mut self, count: u32, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.fill(rate, now);
        let count = f64::from(count.min(rate.burst));
        if self.tokens >= count {
            self.tokens -= count;
            return Ok(());
        }
        let missing = count - self.tokens;
        Err(Duration::from_secs_f64(
            missing / f64::from(rate.per_second.max(1)),
        ))
    }

    /// Tells whether forgetting the bucket would change nothing.
    pub(crate) fn is_full(&mut self, rate: Rate, now: Instant) -> bool {
        self.fill(rate, now);
        self.tokens >= f64::from(rate.burst)
    }

    fn fill(&mut self, rate: Rate, now: Instant) {
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        let filled = self.tokens + elapsed * f64::from(rate.per_second);
        self.tokens = filled.min(f64::from(rate.burst));
        self.updated = self.updated.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 2,
        burst: 3,
    };

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(RATE, start);
        for _ in 0..3 {
            assert_eq!(bucket.take(1, RATE, start), Ok(()));
        }
        assert_eq!(bucket.take(1, RATE, start), Err(Duration::from_millis(500)));
        let later = start + Duration::from_millis(500);
        assert_eq!(bucket.take(1, RATE, later), Ok(()));
        assert!(bucket.take(1, RATE, later).is_err());
    }

    #[test]
    fn what_costs_more_than_a_full_bucket_takes_all_of_it() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(RATE, start);
        assert_eq!(bucket.take(9, RATE, start), Ok(()));
        assert_eq!(bucket.take(9, RATE, start), Err(Duration::from_millis(1500)));
    }

    #[test]
    fn a_long_pause_fills_no_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(RATE, start);
        let later = start + Duration::from_secs(3600);
        for _ in 0..3 {
            assert_eq!(bucket.take(1, RATE, later), Ok(()));
        }
        assert!(bucket.take(1, RATE, later).is_err());
    }

    #[test]
    fn time_that_runs_backwards_gives_no_tokens() {
        let start = Instant::now() + Duration::from_secs(60);
        let mut bucket = TokenBucket::full(RATE, start);
        for _ in 0..3 {
            bucket.take(1, RATE, start).unwrap();
        }
        assert!(bucket.take(1, RATE, start - Duration::from_secs(50)).is_err());
        assert!(bucket.take(1, RATE, start).is_err());
    }
}
