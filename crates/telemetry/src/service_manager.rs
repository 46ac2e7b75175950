//! Tells systemd, where it runs us, when we are ready, that we live, and when we end (`sd_notify(3)`).

use std::{future::pending, pin::pin, time::Duration};

use sd_notify::NotifyState;
use tokio::{
    select,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::Health;

/// The most time between two signs of life, where a watchdog wants any.
const BEAT: Duration = Duration::from_secs(1);

/// Does the `work` of the process, and meanwhile tells systemd, where it runs us, as soon as `health` says that the process is
/// ready or drains, and again and again that it lives. It drains from when `asked_to_end` completes, at the latest once the
/// work is done.
pub async fn keep_service_manager_informed<T>(
    health: &Health,
    asked_to_end: impl Future<Output = ()>,
    work: impl Future<Output = T>,
) -> T {
    let mut manager = ServiceManager::from_environment();
    let mut changes = health.changes();
    let (mut asked_to_end, mut work) = (pin!(asked_to_end), pin!(work));
    let done = loop {
        select! {
            done = &mut work => break done,
            () = &mut asked_to_end, if !health.is_draining() => health.set_draining(),
            _ = changes.changed() => {}
            () = manager.beat() => {}
        }
        manager.tell(health);
    };
    // A process that ends within a moment has said so, too.
    health.set_draining();
    manager.tell(health);
    done
}

/// Tells systemd, where it runs us, that settings are being read again.
pub fn tell_reloading() {
    // Without the time, systemd cannot tell this from an earlier one, and one that has no clock has no systemd.
    if let Ok(time) = NotifyState::monotonic_usec_now() {
        say(&[NotifyState::Reloading, time]);
    }
}

/// Tells it that they have been read, and what its users are to see.
pub fn tell_reloaded(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

fn say(words: &[NotifyState<'_>]) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    if let Err(error) = sd_notify::notify(words) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Who has started us, if it wants to be told.
struct ServiceManager {
    /// Runs where there is a watchdog.
    watched: Option<Interval>,
    told: Told,
}

impl ServiceManager {
    fn from_environment() -> Self {
        let watched = sd_notify::watchdog_enabled().map(|within| {
            // In time even if one word is late.
            let mut beat = interval((within / 3).min(BEAT));
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beat
        });
        Self {
            watched,
            told: Told::default(),
        }
    }

    /// Waits until it is time for a sign of life.
    async fn beat(&mut self) {
        match &mut self.watched {
            Some(beat) => drop(beat.tick().await),
            None => pending().await,
        }
    }

    fn tell(&mut self, health: &Health) {
        let words = self.told.words(health, self.watched.is_some());
        if !words.is_empty() {
            say(&words);
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

    #[tokio::test]
    async fn it_drains_while_it_ends_and_what_the_work_gives_is_passed_on() {
        let health = Health::new();
        let seen = health.clone();
        let mut changes = health.changes();
        let work = async move {
            changes.changed().await.unwrap();
            seen.is_draining()
        };
        assert!(keep_service_manager_informed(&health, async {}, work).await);
    }

    #[tokio::test]
    async fn work_that_ends_unasked_leaves_it_draining() {
        let health = Health::new();
        health.set_ready("turn", true);
        let done = keep_service_manager_informed(&health, pending(), async { 7 }).await;
        assert!(done == 7 && health.is_draining());
    }
}
