//! What an operator changes while clients are served. Each change is whole when its call returns: no datagram meets half
//! of it.

use std::time::Duration;

use ahash::RandomState;
use rand::RngExt as _;

use crate::{
    allocation::Allocation,
    auth::Identity,
    challenge_limit::ChallengeLimit,
    config::{Lifetimes, Limits, UnauthorizedLimit},
    credentials::Credentials,
    nonce::Nonces,
    peer_policy::PeerPolicy,
    permission::Scope,
    server::Server,
    slots::Key,
    third_party::Proof,
    types::Now,
};

impl Server {
    /// Believes these users and secrets from here on, and no others. Their keys must be of this server's realm.
    ///
    /// Allocations go on until they expire, but a request about one is believed only if its key can be made of the new
    /// credentials. No allocation is visited for that. `refresh_after_expiry` is as in [`Config`](crate::Config).
    pub fn set_credentials(&mut self, credentials: Credentials, refresh_after_expiry: bool) {
        let offered = self.config.credentials.algorithms();
        if credentials.algorithms() != offered {
            self.offered_before = offered;
        }
        self.config.credentials = credentials;
        self.config.refresh_after_expiry = refresh_after_expiry;
        self.vouched = self.vouched.next();
        // What a nonce tells of the server's features may be something else now.
        self.nonces = Nonces::new(&self.config);
    }

    /// Judges peers by this policy from here on, and whatever clients may reach already as if they asked for it now.
    ///
    /// Permissions and channels of a peer that is closed now relay nothing; connections to it end. All allocations are
    /// visited for that, unless the policy is the one that there is.
    pub fn set_policy(&mut self, now: Now, policy: PeerPolicy) {
        if self.config.policy == policy {
            return;
        }
        self.config.policy = policy;
        let (policy, addresses) = (&self.config.policy, &self.addresses);
        for allocation in self.table.allocations_mut() {
            allocation
                .permissions
                .rescope(|ip| Scope::of(policy, addresses, ip));
            allocation.channels.rescope(|ip| Scope::of(policy, addresses, ip));
        }
        self.close_forbidden_peers(now);
        self.after_change();
    }

    /// Grants these lifetimes from here on; what was granted stays. Nonces are good for so long, those included that
    /// clients have.
    pub fn set_lifetimes(&mut self, lifetimes: Lifetimes, nonce_lifetime: Duration) {
        self.config.lifetimes = lifetimes;
        self.config.nonce_lifetime = nonce_lifetime;
        self.nonces = Nonces::new(&self.config);
    }

    /// Grants no more than this from here on. What exceeds it already stays, and can be refreshed.
    pub fn set_limits(&mut self, limits: Limits, unauthorized: Option<UnauthorizedLimit>) {
        self.most = self.most.or_larger(limits);
        self.config.limits = limits;
        self.config.unauthorized_limit = unauthorized;
        match (&mut self.challenge_limit, unauthorized) {
            (Some(kept), Some(limit)) => kept.set_limit(limit),
            (none @ None, Some(limit)) => {
                let mut seed = || self.rng.random();
                let hasher = RandomState::with_seeds(seed(), seed(), seed(), seed());
                *none = Some(ChallengeLimit::new(limit, hasher));
            }
            (any, None) => *any = None,
        }
    }

    /// Tells of whoever guesses from here on, or of nobody.
    pub fn tell_wrong_guesses(&mut self, tell: bool) {
        self.config.tell_wrong_guesses = tell;
    }

    /// Tells whether an allocation's kept key is as good as one made of the credentials that there are now.
    pub(crate) fn vouches_for(&self, allocation: &Allocation) -> bool {
        let third_party = self.config.credentials.third_party();
        match &allocation.proof {
            Proof::Password(_) => allocation.vouched == self.vouched,
            // His token is good for its own time, as long as the key is there that it was made with.
            Proof::Token(grant) => third_party.is_some_and(|keys| keys.made(&allocation.username, grant)),
        }
    }

    /// Keeps the key of a request that was believed, if that of its allocation is from before a change.
    pub(crate) fn vouch_again(&mut self, key: Key, identity: &Identity<'_>) {
        let vouched = self.vouched;
        let Some(allocation) = self.table.allocation_mut(key) else {
            return;
        };
        if allocation.vouched == vouched {
            return;
        }
        if let (Proof::Password(_), Proof::Password(_)) = (&identity.proof, &allocation.proof) {
            allocation.vouched = vouched;
            allocation.key = identity.key.clone();
            allocation.proof = identity.proof.clone();
            allocation.credential_expires = identity.expires_unix;
        }
    }
}

impl Limits {
    fn or_larger(self, other: Self) -> Self {
        Self {
            permissions_per_allocation: self
                .permissions_per_allocation
                .max(other.permissions_per_allocation),
            channels_per_allocation: self.channels_per_allocation.max(other.channels_per_allocation),
            allocations: self.allocations.max(other.allocations),
        }
    }
}
