//! One quota for all workers; see `Ledger` for when it is touched.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use turn_core::{Account, Ledger, LedgerFull, Parked, Quota, QuotaLimits, ReservationToken};

/// A handle on the quota that the workers share.
#[derive(Clone)]
pub(crate) struct SharedQuota(Arc<Mutex<Quota>>);

impl SharedQuota {
    pub(crate) fn new(limits: QuotaLimits) -> Self {
        Self(Arc::new(Mutex::new(Quota::new(limits))))
    }

    /// Counts within other limits from here on.
    pub(crate) fn set_limits(&self, limits: QuotaLimits) {
        self.quota().set_limits(limits);
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        // A worker that panicked ends the process soon; until then the others go on counting.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for SharedQuota {
    fn reserve(&mut self, user: Account<'_>) -> Result<(), LedgerFull> {
        self.quota().reserve(user)
    }

    fn release(&mut self, user: Account<'_>) {
        self.quota().release(user);
    }

    fn reserve_connection(&mut self, user: Account<'_>) -> Result<(), LedgerFull> {
        self.quota().reserve_connection(user)
    }

    fn release_connection(&mut self, user: Account<'_>) {
        self.quota().release_connection(user);
    }

    fn park(&mut self, token: ReservationToken, parked: Parked) {
        self.quota().park(token, parked);
    }

    fn claim(&mut self, now: Instant, token: ReservationToken, user: &str, worker: u16) -> Option<Parked> {
        self.quota().claim(now, token, user, worker)
    }

    fn give_back(&mut self, token: ReservationToken) {
        self.quota().give_back(token);
    }

    fn unpark(&mut self, token: ReservationToken) -> Option<u16> {
        self.quota().unpark(token)
    }
}
