//! What the threads of a measurement tell each other.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Watches over a run, from outside: how far it is, and whether it shall end early.
#[derive(Debug, Default)]
pub struct Control {
    cancelled: AtomicBool,
    granted: AtomicU64,
}

impl Control {
    /// Ends the run as soon as it can give its allocations back; what was measured until then is told.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it shall end.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Requests that servers granted so far.
    pub fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }
}

/// What the threads of the generator do at the moment; they follow it within milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Sockets are open, nothing is sent.
    Ready,
    /// Allocations are made.
    SetUp,
    /// The load runs, or clients are idle, and nothing counts yet.
    WarmUp,
    /// What arrives counts.
    Measure,
    /// Nothing leaves any more; what is under way may arrive.
    Drain,
}

/// Tells all threads of one measurement which stage they are in.
pub(crate) struct Conductor<'a> {
    control: &'a Control,
    stage: AtomicU8,
}

impl<'a> Conductor<'a> {
    pub(crate) fn new(control: &'a Control) -> Self {
        Self {
            control,
            stage: AtomicU8::new(Stage::Ready as u8),
        }
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    pub(crate) fn stage(&self) -> Stage {
        const ALL: [Stage; 5] = [
            Stage::Ready,
            Stage::SetUp,
            Stage::WarmUp,
            Stage::Measure,
            Stage::Drain,
        ];
        ALL[usize::from(self.stage.load(Ordering::Acquire))]
    }

    /// Whether all that is left is to give allocations back.
    pub(crate) fn is_over(&self) -> bool {
        self.stage() == Stage::Drain || self.control.is_cancelled()
    }

    /// Counts a request that was granted.
    pub(crate) fn granted(&self) {
        self.control.granted.fetch_add(1, Ordering::Relaxed);
    }
}
