//! Tells systemd, where it runs us, when we are ready, that we live, and when we end (`sd_notify(3)`).

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::Health;

/// How often there is something to look at, where no watchdog asks for more.
const BEAT: Duration = Duration::from_secs(1);

/// Says so whenever the process gets ready or drains, and again and again that it lives; ends with the process.
///
/// Without systemd it does nothing.
pub async fn keep_service_manager_informed(health: Health) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let watchdog = sd_notify::watchdog_enabled();
    // In time even if one word is late.
    let mut beat = interval(watchdog.map_or(BEAT, |within| (within / 3).min(BEAT)));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Told::default();
    loop {
        beat.tick().await;
        let words = told.words(&health, watchdog.is_some());
        if let Err(error) = sd_notify::notify(&words) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }
}

/// What the service manager knows.
#[derive(Debug, Default)]
struct Told {
    is_ready: bool,
    is_ending: bool,
}

impl Told {
    fn words(&mut self, health: &Health, is_watched: bool) -> Vec<NotifyState<'static>> {
        let mut words = Vec::new();
        if health.is_ready() && !self.is_ready {
            self.is_ready = true;
            words.extend([NotifyState::Ready, NotifyState::Status("serving")]);
        }
        if health.is_draining() && !self.is_ending {
            self.is_ending = true;
            words.extend([NotifyState::Stopping, NotifyState::Status("draining")]);
        }
        if is_watched {
            words.push(NotifyState::Watchdog);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(told: &mut Told, health: &Health, is_watched: bool) -> String {
        let words = told.words(health, is_watched).into_iter();
        words.map(|word| word.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_change_is_told_once_and_life_each_time_it_is_asked_for() {
        let health = Health::new();
        let mut told = Told::default();
        assert_eq!(said(&mut told, &health, true), "WATCHDOG=1");
        health.set_ready("turn", true);
        assert_eq!(
            said(&mut told, &health, true),
            "READY=1 STATUS=serving WATCHDOG=1"
        );
        assert_eq!(said(&mut told, &health, false), "");
        health.set_draining();
        assert_eq!(said(&mut told, &health, false), "STOPPING=1 STATUS=draining");
        assert_eq!(said(&mut told, &health, true), "WATCHDOG=1");
    }
}
