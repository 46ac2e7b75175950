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
        self.read_at(Instant::now(), unix)
    }

    fn read_at(&mut self, instant: Instant, unix: impl FnOnce() -> Duration) -> Now {
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

    /// Someone sets the clock back by an hour; the monotonic one goes on.
    #[test]
    fn a_wall_clock_that_is_set_is_believed_a_second_later_and_not_looked_at_before() {
        let (begin, noon) = (Instant::now(), Duration::from_secs(43_200));
        let mut clock = Clock {
            instant: begin,
            unix: noon,
        };
        let eleven = noon - Duration::from_secs(3600);
        for (millis, unix) in [
            (0, noon),
            (999, noon + Duration::from_millis(999)),
            (1000, eleven),
            (1500, eleven + Duration::from_millis(500)),
        ] {
            let instant = begin + Duration::from_millis(millis);
            let now = clock.read_at(instant, || eleven);
            assert_eq!((now.instant, now.unix), (instant, unix), "after {millis} ms");
        }
    }
}
