//! Changes what can change of a running server, in all workers.

use std::{num::NonZero, time::Duration};

use tracing::warn;
use turn_core::{Credentials, Lifetimes, Limits, Now, PeerPolicy, QuotaLimits, Server, UnauthorizedLimit};

use crate::{
    Config,
    admin::Token,
    ledger::SharedQuota,
    plan::{self, Plan},
    running::make_room_for,
    worker::mail::Letterboxes,
};

/// Gives a running server another configuration. Clones speak to the same server.
#[derive(Clone)]
pub struct Reloader {
    boxes: Letterboxes,
    workers: NonZero<u16>,
    ledger: SharedQuota,
    token: Token,
}

/// A configuration that can be used. Dropped, it changes nothing.
pub struct Prepared<'a> {
    reloader: &'a Reloader,
    config: Config,
    terms: Terms,
    quota: QuotaLimits,
    token: Option<String>,
}

/// What a worker is told.
#[derive(Clone)]
pub(crate) struct Terms {
    credentials: Credentials,
    refresh_after_expiry: bool,
    policy: PeerPolicy,
    lifetimes: Lifetimes,
    nonce_lifetime: Duration,
    limits: Limits,
    unauthorized_limit: Option<UnauthorizedLimit>,
    tell_wrong_guesses: bool,
}

impl Terms {
    /// Has a worker's core go by these from its next datagram on.
    pub(crate) fn apply(self, now: Now, core: &mut Server) {
        core.set_credentials(self.credentials, self.refresh_after_expiry);
        core.set_lifetimes(self.lifetimes, self.nonce_lifetime);
        core.set_limits(self.limits, self.unauthorized_limit);
        core.tell_wrong_guesses(self.tell_wrong_guesses);
        core.set_policy(now, self.policy);
    }
}

impl Reloader {
    pub(crate) fn new(boxes: Letterboxes, workers: NonZero<u16>, ledger: SharedQuota, token: Token) -> Self {
        Self {
            boxes,
            workers,
            ledger,
            token,
        }
    }

    /// Reads what a configuration names, and makes of it whatever the workers need. It is to differ from that of the start
    /// [in what can change](crate::WHILE_RUNNING) alone, as [`settings::Loaded::taking`] has it.
    ///
    /// # Errors
    /// Everything that is wrong with it, by its dotted key.
    pub fn prepare(&self, wanted: &Config) -> Result<Prepared<'_>, Vec<String>> {
        let plan = Plan::new(wanted, [0; 32]).map_err(|mistakes| {
            let named = mistakes
                .into_iter()
                .map(|plan::Mistake { key, what }| format!("turn.{key}: {what}"));
            named.collect::<Vec<_>>()
        })?;
        let token = wanted.admin.token();
        let token = token.map_err(|(key, what)| vec![format!("turn.admin.{key}: {what}")])?;
        let limit = plan.core.unauthorized_limit;
        Ok(Prepared {
            reloader: self,
            config: wanted.clone(),
            terms: Terms {
                credentials: plan.core.credentials,
                refresh_after_expiry: plan.core.refresh_after_expiry,
                policy: plan.core.policy,
                lifetimes: plan.core.lifetimes,
                nonce_lifetime: plan.core.nonce_lifetime,
                limits: plan.core.limits,
                unauthorized_limit: limit.map(|limit| plan::part_of(limit, self.workers)),
                tell_wrong_guesses: plan.core.tell_wrong_guesses,
            },
            quota: plan.quota,
            token,
        })
    }
}

impl Prepared<'_> {
    /// Has the server go by it. When this returns, every worker does.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn apply(self) {
        let Reloader {
            boxes,
            workers,
            ledger,
            token,
        } = self.reloader;
        make_room_for(&self.config, workers.get().into());
        ledger.set_limits(self.quota);
        token.set(self.token.as_deref());
        if boxes.change(&self.terms).await.is_none() {
            warn!("a worker goes by the new settings later than the others");
        }
    }
}
