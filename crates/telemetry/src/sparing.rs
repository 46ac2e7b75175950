//! Warnings that a stranger can cause, kept to one a minute.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Lets one through a minute and counts the rest; const, so that it fits into a `static`.
#[derive(Debug)]
pub struct OncePerMinute {
    /// Milliseconds since the first use in this process, plus one; 0 is never.
    last: AtomicU64,
    unsaid: AtomicU64,
}

impl OncePerMinute {
    /// Lets the first one through.
    pub const fn new() -> Self {
        Self {
            last: AtomicU64::new(0),
            unsaid: AtomicU64::new(0),
        }
    }

    /// `Some(unsaid)` when it is time to speak, with how many were kept back since the last time.
    pub fn permit(&self) -> Option<u64> {
        static START: OnceLock<Instant> = OnceLock::new();
        self.permit_at(START.get_or_init(Instant::now).elapsed())
    }

    fn permit_at(&self, now: Duration) -> Option<u64> {
        let now = u64::try_from(now.as_millis())
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let last = self.last.load(Relaxed);
        let due = last == 0 || now.saturating_sub(last) >= MINUTE.as_millis() as u64;
        if due && self.last.compare_exchange(last, now, Relaxed, Relaxed).is_ok() {
            return Some(self.unsaid.swap(0, Relaxed));
        }
        self.unsaid.fetch_add(1, Relaxed);
        None
    }
}

impl Default for OncePerMinute {
    fn default() -> Self {
        Self::new()
    }
}

/// `tracing::warn!` that speaks at most once a minute for each place it stands in the code.
///
/// The field `unsaid` tells how many were kept back.
#[macro_export]
macro_rules! warn_sparingly {
    ($($arguments:tt)+) => {{
        static LIMIT: $crate::OncePerMinute = $crate::OncePerMinute::new();
        if let Some(unsaid) = LIMIT.permit() {
            $crate::tracing::warn!(unsaid, $($arguments)+);
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_minute_passes_and_tells_how_many_did_not() {
        let limit = OncePerMinute::new();
        assert_eq!(limit.permit_at(Duration::ZERO), Some(0));
        assert_eq!(limit.permit_at(Duration::from_secs(1)), None);
        assert_eq!(limit.permit_at(Duration::from_secs(59)), None);
        assert_eq!(limit.permit_at(Duration::from_secs(60)), Some(2));
        assert_eq!(limit.permit_at(Duration::from_secs(61)), None);
        assert_eq!(limit.permit_at(Duration::from_secs(600)), Some(1));
    }

    #[test]
    fn each_place_in_the_code_has_its_own_minute() {
        let error = "x";
        for _ in 0..3 {
            crate::warn_sparingly!(%error, "said once");
        }
        crate::warn_sparingly!("said once too");
    }
}
