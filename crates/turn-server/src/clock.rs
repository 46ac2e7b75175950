//! Both clocks for the price of one.

use std::time::{Duration, Instant, SystemTime};

use turn_core::Now;

/// How old the reading of the wall clock may get; it steps when someone sets it.
const REREAD: Duration = Duration::from_secs(1);

/// Reads the monotonic clock and infers the wall clock from its last reading.
pub(crate) struct Clock {
    instant: Instant,
    unix: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            instant: Instant::now(),
            unix: unix(),
        }
    }

    /// One reading for a batch of datagrams.
    pub(crate) fn read(&mut self) -> Now {
        let instant = Instant::now();
        let passed = instant.duration_since(self.instant);
        if passed < REREAD {
            return Now {
                instant,
                unix: self.unix + passed,
            };
        }
        *self = Self {
            instant,
            unix: unix(),
        };
        Now {
            instant,
            unix: self.unix,
        }
    }
}

fn unix() -> Duration {
    // A clock before 1970 lets no time-limited credential expire; everything else works.
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inferred_time_follows_the_wall_clock() {
        let mut clock = Clock::new();
        for pause in [0, 5, 1100] {
            std::thread::sleep(Duration::from_millis(pause));
            let now = clock.read();
            assert!(unix().abs_diff(now.unix) < Duration::from_millis(500), "{now:?}");
        }
    }
}
