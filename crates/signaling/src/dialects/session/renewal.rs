//! Fresh credentials for whoever was given some, before those expire.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use super::{Session, Standing, entry::Giving};

/// The one timer of a session; it ends with it.
#[derive(Default)]
pub(super) struct Renewal(Mutex<Option<AbortOnDropHandle<()>>>);

impl Renewal {
    fn replace(&self, timer: Option<AbortOnDropHandle<()>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = timer;
    }
}

impl Session {
    /// Has the client given fresh credentials in time, again and again, now that it was given some; what came of an
    /// earlier standing is over.
    pub(super) fn keep_fresh(&self) {
        let Standing { permissions, .. } = self.now();
        // Without a runtime the process is ending.
        let runtime = Handle::try_current().ok().filter(|_| permissions.ice);
        let timer = runtime.map(|runtime| {
            let (giving, pushes) = (self.giving(), Arc::clone(&self.pushes));
            AbortOnDropHandle::new(runtime.spawn(async move {
                loop {
                    sleep(renew_after(giving.ttl(), rand::random())).await;
                    if giving.give(&*pushes).is_err() {
                        return;
                    }
                }
            }))
        });
        self.renewal.replace(timer);
    }

    /// Leaves the client with what it has.
    pub(super) fn let_expire(&self) {
        self.renewal.replace(None);
    }

    /// What the client is to be given, as it stands now.
    pub(super) fn giving(&self) -> Giving {
        let Standing {
            place, returns, room, ..
        } = self.now();
        Giving {
            context: self.context.clone(),
            visit: Arc::clone(&self.visit),
            place,
            returns_to: room.filter(|_| returns),
        }
    }
}

/// After about three quarters of their life. Chance spreads those who came at the same moment.
fn renew_after(ttl: Duration, chance: u16) -> Duration {
    // They expire with the beginning of a second, so they may live one less.
    let least = ttl.saturating_sub(Duration::from_secs(1)).max(SHORTEST);
    let tenth = f64::from(chance) / f64::from(u16::MAX) / 10.0;
    least.mul_f64(0.7 + tenth)
}

/// No life is taken for shorter, so that nobody is told all the time.
const SHORTEST: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
