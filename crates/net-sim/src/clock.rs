//! Virtual time: a monotonic clock that only goes forward and a calendar clock that may jump.

use std::time::{Duration, Instant};

/// 2026-01-01T00:00:00Z, where every simulation starts.
const UNIX_START: Duration = Duration::from_secs(1_767_225_600);

/// The clocks of one simulated internet; all hosts agree on them.
#[derive(Debug, Clone)]
pub struct Clock {
    base: Instant,
    elapsed: Duration,
    unix_start: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
            elapsed: Duration::ZERO,
            unix_start: UNIX_START,
        }
    }

    /// Tells the monotonic time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.base + self.elapsed
    }

    /// Tells how much virtual time has passed since the start; unlike `now` the same in every run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Tells the calendar time as seconds since 1970, jumps included.
    #[must_use]
    pub fn unix(&self) -> Duration {
        self.unix_start + self.elapsed
    }

    /// Sets the calendar clock forward, as an administrator or NTP would; `now` does not notice.
    pub fn jump_forward(&mut self, by: Duration) {
        self.unix_start += by;
    }

    /// Sets the calendar clock back, at most to 1970.
    pub fn jump_backward(&mut self, by: Duration) {
        self.unix_start = self.unix_start.saturating_sub(by);
    }

    /// Moves forward to an instant; an instant in the past changes nothing.
    pub(crate) fn advance_to(&mut self, at: Instant) {
        self.elapsed = self.elapsed.max(at.saturating_duration_since(self.base));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_jump_leaves_the_monotonic_clock_alone() {
        let mut clock = Clock::new();
        let (now, unix) = (clock.now(), clock.unix());
        clock.jump_forward(Duration::from_secs(3600));
        clock.jump_backward(Duration::from_secs(7200));
        assert_eq!(clock.now(), now);
        assert_eq!(clock.unix() + Duration::from_secs(3600), unix);
    }

    #[test]
    fn time_never_goes_back() {
        let mut clock = Clock::new();
        let start = clock.now();
        clock.advance_to(start + Duration::from_secs(5));
        clock.advance_to(start + Duration::from_secs(2));
        assert_eq!(clock.elapsed(), Duration::from_secs(5));
    }
}
