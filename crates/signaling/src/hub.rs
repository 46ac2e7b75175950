//! Brings what clients ask to the rooms and notices to the connections; the same for every dialect.
//!
//! The rooms are in this process ([`Here`]), or shared by several through Redis ([`Cluster`]).

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use lifecycle::Shutdown;

pub use self::cluster::ClusterError;
use self::{cluster::Cluster, here::Here, seats::Taken};
pub(crate) use self::{
    cluster::Link,
    seats::{Clogged, Kind, Outbox, Place},
};
use crate::{
    config::{Config, MAILBOX},
    gate::Visit,
    ice::Grant,
    metrics::Metrics,
    names::{MemberId, MemberName, RoomKey},
    problem::Problem,
    rooms::{HistoryLimits, Input, Join, Limits, Output, RoomLimits},
    session_token::SessionTokens,
    terms::Terms,
};

mod cluster;
mod draining;
mod here;
mod seats;

/// Everything that the connections share.
pub(crate) struct Hub {
    terms: ArcSwap<Terms>,
    pub(crate) metrics: Metrics,
    /// What tokens are signed with, and ids of clients' own choice are hashed with: the same on all nodes.
    key: [u8; 64],
    tokens: SessionTokens,
    store: Store,
}

enum Store {
    Here(Box<Here>),
    Shared(Arc<Cluster>),
}

/// What is to be done once it is known what became of a client's request.
pub(crate) struct Answer {
    welcome: Welcome,
    done: Done,
}

/// Tells the asking client that it is in; called while the rooms are locked, so that this comes first.
pub(crate) type Welcome = Box<dyn Fn(&Output) -> Result<(), Clogged> + Send>;

/// Takes the result, once and without a lock: the place that the connection has now, or why nothing changed.
pub(crate) type Done = Box<dyn FnOnce(Result<Place, Problem>) + Send>;

impl Answer {
    pub(crate) fn new(welcome: Welcome, done: Done) -> Self {
        Self { welcome, done }
    }

    /// For requests by which nobody gets into a room.
    pub(crate) fn silent(done: Done) -> Self {
        Self::new(Box::new(|_| Ok(())), done)
    }
}

/// A connection that takes an id of its client's own choice.
pub(crate) struct Claim {
    pub(crate) id: MemberId,
    pub(crate) join: Join,
    pub(crate) visit: Arc<Visit>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) welcome: Welcome,
}

impl Hub {
    /// Keeps the rooms in this process, or with a link shares them with other nodes.
    pub(crate) fn new(config: &Config, terms: Terms, metrics: Metrics, link: Option<Link>) -> Arc<Self> {
        let limits = limits(config);
        let (key, store) = match link {
            None => (
                rand::random(),
                Store::Here(Box::new(Here::new(limits, metrics.clone()))),
            ),
            Some(link) => (
                link.key,
                Store::Shared(Cluster::new(link, limits, metrics.clone())),
            ),
        };
        Arc::new(Self {
            terms: ArcSwap::from_pointee(terms),
            metrics,
            tokens: SessionTokens::new(key, Duration::from_secs(config.resume.token_seconds)),
            key,
            store,
        })
    }

    /// What counts at this moment of that which can change.
    pub(crate) fn terms(&self) -> Arc<Terms> {
        self.terms.load_full()
    }

    /// Goes by these from here on.
    pub(crate) fn set_terms(&self, terms: Terms) {
        self.terms.store(Arc::new(terms));
    }

    /// A secret that all nodes share, to make numbers of what strangers choose and where they come from.
    pub(crate) fn salt(&self) -> &[u8] {
        &self.key
    }

    /// Makes a connection known under an id that nobody has, so that notices reach it.
    pub(crate) fn connect(
        &self,
        id: MemberId,
        kind: Kind,
        visit: Arc<Visit>,
        outbox: Arc<dyn Outbox>,
    ) -> Place {
        let taken = Taken::new(kind, visit, outbox);
        match &self.store {
            Store::Here(here) => here.connect(id, taken),
            Store::Shared(cluster) => cluster.connect(id, taken),
        }
    }

    /// Applies what the connection at `place` asks.
    ///
    /// Notices are queued while the rooms are locked, so that every client hears of changes in the
    /// order in which they happened.
    pub(crate) fn ask(&self, place: Place, input: Input, answer: Answer) {
        match &self.store {
            Store::Here(here) => here.ask(place, input, answer),
            Store::Shared(cluster) => cluster.ask(place, input, answer),
        }
    }

    /// Makes a connection known under an id of the client's own choice, which it joins with or comes back as.
    pub(crate) async fn claim(&self, claim: Claim) -> Result<Place, Problem> {
        match &self.store {
            Store::Here(here) => here.claim(claim),
            Store::Shared(cluster) => cluster.claim(claim).await,
        }
    }

    /// Lets the connection at `place` go on as the member that `token` names, after its notice `seen`.
    pub(crate) fn resume(&self, place: Place, token: &str, seen: u64, answer: Answer) {
        let Some((id, room)) = self.tokens.check(token, SystemTime::now()) else {
            return (answer.done)(Err(Problem::CannotResume));
        };
        match &self.store {
            Store::Here(here) => here.resume(place, id, seen, answer),
            Store::Shared(cluster) => cluster.resume(place, id, room, seen, answer),
        }
    }

    /// Signs a token for whoever is the member `id` of a room.
    pub(crate) fn session_token(&self, id: MemberId, room: &RoomKey) -> String {
        self.tokens.sign(id, room, SystemTime::now())
    }

    /// How long such a token is good.
    pub(crate) fn session_token_lifetime(&self) -> Duration {
        self.tokens.lifetime()
    }

    /// Forgets a connection that is gone; its member leaves, or is waited for.
    pub(crate) fn disconnect(&self, place: Place, farewell: bool) {
        let input = match farewell {
            true => Input::Leave,
            false => Input::Lose,
        };
        match &self.store {
            Store::Here(here) => here.disconnect(place, input),
            Store::Shared(cluster) => cluster.disconnect(place, input),
        }
    }

    /// Ends a connection from our side; its member leaves, or is waited for if others may have brought it about.
    pub(crate) fn evict(&self, place: Place, reason: Problem) {
        // Others can fill anybody's queue: if that freed the id, they could have it.
        let input = match matches!(reason, Problem::TooSlow | Problem::Unavailable) {
            true => Input::Lose,
            false => Input::Leave,
        };
        match &self.store {
            Store::Here(here) => here.evict(place, input, reason),
            Store::Shared(cluster) => cluster.evict(place, input, reason),
        }
    }

    /// Makes credentials for a client, and counts them.
    pub(crate) fn grant(&self, visit: &Visit) -> Grant {
        self.metrics.credentials.inc();
        self.terms().ice.grant(visit.asker(), None)
    }

    /// The names of the members of a room.
    pub(crate) async fn names(&self, room: &RoomKey) -> Result<Vec<MemberName>, Problem> {
        match &self.store {
            Store::Here(here) => Ok(here.names(room)),
            Store::Shared(cluster) => cluster.names(room).await,
        }
    }

    /// Gives up members and messages whose time is over, until the server stops.
    pub(crate) async fn keep_time(self: Arc<Self>, shutdown: Shutdown) {
        match &self.store {
            Store::Here(here) => here.keep_time(shutdown).await,
            Store::Shared(cluster) => Arc::clone(cluster).keep_time(shutdown).await,
        }
    }

    /// Disconnects everyone within about `over`, because the server stops. On another node, or on this one when it
    /// is back, clients that may come back do.
    pub(crate) async fn drain(&self, over: Duration) {
        match &self.store {
            Store::Here(here) => here.drain(over).await,
            Store::Shared(cluster) => cluster.drain(over).await,
        }
    }
}

fn limits(config: &Config) -> Limits {
    let resume = &config.resume;
    Limits {
        rooms: RoomLimits {
            calls: config.rooms.max,
            classic: config.rooms.max,
            topics: config.y_webrtc.total_topics,
        },
        resume_within: Duration::from_secs(resume.seconds),
        history: HistoryLimits {
            messages: resume.messages,
            bytes: resume.bytes,
            total: resume.total_bytes,
        },
        mailbox: MAILBOX,
    }
}

#[cfg(test)]
mod tests;
