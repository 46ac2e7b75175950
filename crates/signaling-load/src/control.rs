//! Watches over a run, from outside.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// How far a run is, and whether it shall end early.
#[derive(Debug, Default)]
pub struct Control {
    cancelled: AtomicBool,
    bell: Notify,
    entered: AtomicU64,
    exchanged: AtomicU64,
}

/// How many rooms have got how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Both members are in, or could not get in.
    pub entered: u64,
    /// They are through with their signals.
    pub exchanged: u64,
}

impl Control {
    /// Ends the run: connections are closed, and what was measured until then is told.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// Whether it shall end.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        Progress {
            entered: self.entered.load(Ordering::Relaxed),
            exchanged: self.exchanged.load(Ordering::Relaxed),
        }
    }

    /// Waits until the run shall end; **one caller at a time**.
    pub(crate) async fn cancelled(&self) {
        while !self.is_cancelled() {
            self.bell.notified().await;
        }
    }

    pub(crate) fn entered(&self) {
        self.entered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn exchanged(&self) {
        self.exchanged.fetch_add(1, Ordering::Relaxed);
    }
}
