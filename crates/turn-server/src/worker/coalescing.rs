//! Waiting a little on purpose: what has come meanwhile is served in one waking, which is most of what a datagram costs.

use std::time::{Duration, Instant};

use crate::config::Coalesce;

/// Half of a worker's wakings go at 20,000 datagrams a second, and speech does not notice.
const PAUSE: Duration = Duration::from_micros(300);
/// A pause that is to bring less is none.
const WORTH_A_PAUSE: u32 = 4;
/// How long a rate is measured before it is believed.
const WINDOW: Duration = Duration::from_millis(10);

/// Decides after each round of a worker whether it pauses before the next one.
pub(super) struct Coalescing {
    pause: Option<Duration>,
    /// Whether the rate decides; if not, any datagram does.
    by_rate: bool,
    /// Datagrams since `since`.
    datagrams: u32,
    since: Instant,
    /// Whether the last window's rate was worth it.
    is_busy: bool,
    /// Whether the round that ends brought anything.
    has_come: bool,
}

impl Coalescing {
    pub(super) fn new(coalesce: Coalesce, now: Instant) -> Self {
        Self {
            pause: match coalesce {
                Coalesce::Off => None,
                Coalesce::Auto => Some(PAUSE),
                Coalesce::Pause(pause) => Some(pause),
            },
            by_rate: coalesce == Coalesce::Auto,
            datagrams: 0,
            since: now,
            is_busy: false,
            has_come: false,
        }
    }

    /// Notes datagrams of this round.
    pub(super) fn note(&mut self, datagrams: usize) {
        self.datagrams = self.datagrams.saturating_add(datagrams as u32);
        self.has_come |= datagrams > 0;
    }

    /// How long to wait now that a round is over which began at `now`.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        let pause = self.pause?;
        let passed = now.saturating_duration_since(self.since);
        if passed >= WINDOW {
            self.is_busy = pause * self.datagrams >= passed * WORTH_A_PAUSE;
            (self.datagrams, self.since) = (0, now);
        }
        let has_come = std::mem::take(&mut self.has_come);
        (has_come && (self.is_busy || !self.by_rate)).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of one datagram each, `apart` from each other; tells what the last one's pause was.
    fn after_rounds(
        coalescing: &mut Coalescing,
        from: Instant,
        apart: Duration,
    ) -> (Instant, Option<Duration>) {
        let mut now = from;
        let mut paused = None;
        for _ in 0..1000 {
            now += apart;
            coalescing.note(1);
            paused = coalescing.pause(now);
        }
        (now, paused)
    }

    #[test]
    fn switched_off_it_never_pauses() {
        let now = Instant::now();
        let mut coalescing = Coalescing::new(Coalesce::Off, now);
        assert_eq!(
            after_rounds(&mut coalescing, now, Duration::from_micros(5)).1,
            None
        );
    }

    #[test]
    fn by_rate_it_pauses_where_several_come_in_a_pause_and_stops_when_they_do_not() {
        let now = Instant::now();
        let mut coalescing = Coalescing::new(Coalesce::Auto, now);
        let (now, paused) = after_rounds(&mut coalescing, now, Duration::from_micros(100));
        assert_eq!(paused, None, "10,000 a second are three in a pause");
        let (now, paused) = after_rounds(&mut coalescing, now, Duration::from_micros(50));
        assert_eq!(paused, Some(PAUSE), "20,000 a second are six");
        let (now, paused) = after_rounds(&mut coalescing, now, Duration::from_millis(20));
        assert_eq!(paused, None, "fifty a second are a call");
        let first_after_silence = now + Duration::from_secs(60);
        coalescing.note(200);
        assert_eq!(coalescing.pause(first_after_silence), None);
    }

    #[test]
    fn a_set_pause_follows_datagrams_and_nothing_else() {
        let pause = Duration::from_millis(1);
        let now = Instant::now();
        let mut coalescing = Coalescing::new(Coalesce::Pause(pause), now);
        assert_eq!(coalescing.pause(now), None, "a deadline woke the worker");
        coalescing.note(1);
        assert_eq!(coalescing.pause(now), Some(pause));
        assert_eq!(coalescing.pause(now), None);
    }
}
