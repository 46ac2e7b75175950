//! Time-limited usernames that were taken back before they expire.

use std::{collections::BTreeMap, sync::Arc};

use turn_credentials::MAX_USERNAME;

use crate::{output::EndReason, server::Server, types::Now};

/// As many as are kept at a time, by each worker.
pub(crate) const MAX_REVOKED: usize = 65_536;

/// So many may stay although they have expired.
const FEW: usize = 64;

/// The usernames, with the second in which each expires by itself and needs no keeping any more.
#[derive(Default)]
pub(crate) struct Revoked {
    expiries: BTreeMap<Arc<str>, u64>,
    /// How many there are when those that have expired are looked for again.
    tidy_at: usize,
}

impl Revoked {
    /// Costs nothing as long as nobody's was taken back.
    pub(crate) fn holds(&self, username: &str) -> bool {
        !self.expiries.is_empty() && self.expiries.contains_key(username)
    }

    fn insert(&mut self, now: Now, username: &Arc<str>, expires_unix: u64) -> Result<(), RevokeError> {
        let now = now.unix.as_secs();
        if expires_unix <= now {
            return Ok(());
        }
        if self.expiries.len() >= self.tidy_at {
            self.expiries.retain(|_, expires| *expires > now);
            self.tidy_at = (2 * self.expiries.len()).clamp(FEW, MAX_REVOKED);
        }
        if self.expiries.len() >= MAX_REVOKED && !self.expiries.contains_key(username) {
            return Err(RevokeError::TooMany);
        }
        self.expiries.insert(Arc::clone(username), expires_unix);
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.expiries.len()
    }
}

/// Says why a username cannot be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// It has no expiry, or no secret could vouch for it.
    #[error("only time-limited usernames can be revoked")]
    NotTimeLimited,
    /// It would have to be kept for longer than any credential is handed out for.
    #[error("a username that expires in more than 30 days cannot be revoked")]
    TooLasting,
    /// There are as many as are kept, and none of them has expired.
    #[error("65536 usernames are revoked already, and none of them has expired yet")]
    TooMany,
}

impl Server {
    /// Refuses a username that was revoked before the start until it expires, also where no secret could vouch for it now: one
    /// that could may come while we run.
    ///
    /// # Errors
    /// [`RevokeError`], and then it is not refused.
    pub fn remember_revoked(&mut self, now: Now, username: &Arc<str>) -> Result<(), RevokeError> {
        let parsed = self.config.credentials.parse(username);
        let parsed = parsed.ok_or(RevokeError::NotTimeLimited)?;
        self.revoked.insert(now, username, parsed.expires_unix)
    }

    /// Takes a time-limited username back: its allocations end, and until it expires by itself nothing is granted to
    /// it. A static user of the same name is not meant.
    ///
    /// All allocations are visited for that.
    ///
    /// # Errors
    /// [`RevokeError`], and then nothing has changed.
    pub fn revoke(&mut self, now: Now, username: &Arc<str>) -> Result<(), RevokeError> {
        let parsed = self.config.credentials.time_limited(username);
        let parsed = parsed.filter(|_| username.len() <= MAX_USERNAME);
        let parsed = parsed.ok_or(RevokeError::NotTimeLimited)?;
        if !parsed.is_credible(now.unix.as_secs()) {
            return Err(RevokeError::TooLasting);
        }
        self.revoked.insert(now, username, parsed.expires_unix)?;
        // Also where it has expired: an allocation may be refreshed beyond that.
        for key in self.table.made_with(username) {
            self.end_allocation(now, key, EndReason::Revoked);
        }
        self.after_change();
        Ok(())
    }
}
