//! When to renew, and when to try again. Times are seconds since 1970.

use std::time::Duration;

/// From when until when a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: i64,
    pub(super) until: i64,
}

/// When the directory would like the renewal (RFC 9773 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) end: i64,
}

/// The directory is asked again after this time at the latest: a window may move when certificates are to be revoked.
const LOOK_AGAIN: i64 = 6 * 3600;
/// And not sooner than this.
const LOOK_AT_LEAST: i64 = 60;

/// Five failed proofs of a name within an hour are what Let's Encrypt bears.
const FIRST_WAIT: Duration = Duration::from_secs(300);
const LONGEST_WAIT: Duration = Duration::from_secs(12 * 3600);

/// When to renew: at a random time within the directory's window, so that not all of its clients come at once; without
/// one, when a third of the lifetime is left.
pub(super) fn due(validity: Validity, window: Option<Window>, fraction: f64) -> i64 {
    let lifetime = (validity.until - validity.from).max(0);
    let Some(window) = window else {
        return validity.until - lifetime / 3;
    };
    let length = (window.end - window.start).max(0);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a part of some days"
    )]
    let into = (length as f64 * fraction) as i64;
    // A window that lies behind the end would leave clients without a valid certificate.
    (window.start + into).min(validity.until - lifetime / 20)
}

/// How long to do nothing when the renewal is due at `due`.
pub(super) fn pause(now: i64, due: i64) -> Duration {
    let seconds = (due - now).clamp(LOOK_AT_LEAST, LOOK_AGAIN);
    Duration::from_secs(seconds.unsigned_abs())
}

/// Ever longer waits after failures.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait: 5, 10, 20, … minutes up to half a day, and up to a tenth more.
    pub(super) fn next(&mut self, fraction: f64) -> Duration {
        let wait = FIRST_WAIT.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures += 1;
        let wait = wait.min(LONGEST_WAIT);
        wait + wait.mul_f64(fraction / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const NINETY_DAYS: Validity = Validity {
        from: 0,
        until: 90 * DAY,
    };

    #[test]
    fn without_a_window_a_third_of_the_lifetime_is_left() {
        assert_eq!(due(NINETY_DAYS, None, 0.9), 60 * DAY);
        let six_days = Validity {
            from: 0,
            until: 6 * DAY,
        };
        assert_eq!(due(six_days, None, 0.0), 4 * DAY);
    }

    #[test]
    fn within_a_window_the_time_is_random() {
        let window = Some(Window {
            start: 60 * DAY,
            end: 62 * DAY,
        });
        assert_eq!(due(NINETY_DAYS, window, 0.0), 60 * DAY);
        assert_eq!(due(NINETY_DAYS, window, 0.5), 61 * DAY);
    }

    #[test]
    fn a_window_in_the_past_means_now_and_one_after_the_end_is_not_waited_for() {
        let revoked = Some(Window { start: -2, end: -1 });
        assert!(due(NINETY_DAYS, revoked, 0.9) < 0);
        let late = Some(Window {
            start: 95 * DAY,
            end: 99 * DAY,
        });
        assert!(due(NINETY_DAYS, late, 0.5) < 90 * DAY);
        let upside_down = Some(Window {
            start: 62 * DAY,
            end: 60 * DAY,
        });
        assert_eq!(due(NINETY_DAYS, upside_down, 0.5), 62 * DAY);
    }

    #[test]
    fn pauses_are_neither_endless_nor_none() {
        assert_eq!(pause(0, 60 * DAY), Duration::from_secs(6 * 3600));
        assert_eq!(pause(0, 600), Duration::from_secs(600));
        assert_eq!(pause(100, 0), Duration::from_secs(60));
    }

    #[test]
    fn waits_double_up_to_half_a_day_and_stay_within_what_directories_bear() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.next(0.0).as_secs() / 60).collect();
        assert_eq!(waits[..4], [5, 10, 20, 40]);
        assert_eq!(waits[39], 720);
        let within_an_hour = waits.iter().scan(0, |at, wait| {
            *at += wait;
            Some(*at)
        });
        assert!(within_an_hour.take_while(|at| *at <= 60).count() < 5);
        assert_eq!(Backoff::default().next(1.0).as_secs(), 330);
    }
}
