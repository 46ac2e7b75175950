//! What workers are handed beside datagrams: connections by each other, revocations, other settings. It is rare, so a
//! channel does.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

use mio::Waker;
use peer_io::Stream;
use stream_io::Taken;
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};
use turn_core::{PeerConnectionId, RevokeError};

use crate::reloader::Terms;

/// How long the workers may take to answer whoever waits; they take a round of their loop.
const PATIENCE: Duration = Duration::from_secs(3);

/// One thing that is handed over.
pub(super) enum Parcel {
    /// A client's connection whose next message this worker is to answer.
    Client(Taken),
    /// A relay of another worker connects to one of this worker's.
    Relay {
        from: SocketAddr,
        to: SocketAddr,
        stream: Stream,
        origin: Origin,
    },
    /// What became of a connection that this worker's relay made to another one's.
    Connected { peer: PeerConnectionId, succeeded: bool },
    /// A username is taken back; whoever asked for it waits.
    Revoke {
        username: Arc<str>,
        answer: UnboundedSender<Result<(), RevokeError>>,
    },
    /// Settings have changed; whoever changed them waits.
    Change {
        terms: Box<Terms>,
        answer: UnboundedSender<()>,
    },
}

/// Whom an answer goes to.
pub(super) struct Origin {
    pub(super) worker: u16,
    pub(super) peer: PeerConnectionId,
}

/// The way into another worker.
#[derive(Clone)]
pub(crate) struct Letterbox {
    parcels: Sender<Parcel>,
    waker: Arc<Waker>,
}

impl Letterbox {
    fn put(&self, parcel: Parcel) {
        if self.parcels.send(parcel).is_ok() {
            // It fails only when the counter behind it is full, and then it is already signalled.
            let _ = self.waker.wake();
        }
    }
}

/// The way into every worker, for threads outside.
#[derive(Clone)]
pub(crate) struct Letterboxes(Arc<[Letterbox]>);

impl Letterboxes {
    pub(crate) fn of(mails: &[Mail]) -> Self {
        let boxes = mails.first().map(|mail| mail.boxes.clone());
        Self(boxes.unwrap_or_default().into())
    }

    /// Has each worker take a username back.
    pub(crate) async fn revoke(&self, username: &Arc<str>) -> Option<Vec<Result<(), RevokeError>>> {
        let parcel = |answer| Parcel::Revoke {
            username: Arc::clone(username),
            answer,
        };
        self.ask(parcel).await
    }

    /// Has each worker go by other settings.
    pub(crate) async fn change(&self, terms: &Terms) -> Option<Vec<()>> {
        let parcel = |answer| Parcel::Change {
            terms: Box::new(terms.clone()),
            answer,
        };
        self.ask(parcel).await
    }

    /// Gathers the workers' answers; there are none if one takes too long.
    async fn ask<A>(&self, parcel: impl Fn(UnboundedSender<A>) -> Parcel) -> Option<Vec<A>> {
        let (answer, mut answers) = unbounded_channel();
        for worker in self.0.iter() {
            worker.put(parcel(answer.clone()));
        }
        drop(answer);
        let all = async {
            let mut heard = Vec::new();
            // The channel closes when each worker has answered, or is gone with all it had.
            while let Some(answer) = answers.recv().await {
                heard.push(answer);
            }
            heard
        };
        timeout(PATIENCE, all).await.ok()
    }
}

/// What other workers have handed to this one, and the ways to hand something to them.
pub(crate) struct Mail {
    arrived: Receiver<Parcel>,
    /// By worker.
    boxes: Vec<Letterbox>,
}

/// Makes one for each worker, whose waits the wakers end.
pub(crate) fn mail(wakers: impl IntoIterator<Item = Arc<Waker>>) -> Vec<Mail> {
    let (boxes, arrived): (Vec<_>, Vec<_>) = wakers
        .into_iter()
        .map(|waker| {
            let (parcels, arrived) = mpsc::channel();
            (Letterbox { parcels, waker }, arrived)
        })
        .unzip();
    let of_worker = |arrived| Mail {
        arrived,
        boxes: boxes.clone(),
    };
    arrived.into_iter().map(of_worker).collect()
}

impl Mail {
    /// Hands something to another worker; while that one stops, it is lost.
    pub(super) fn send(&self, worker: u16, parcel: Parcel) {
        if let Some(to) = self.boxes.get(usize::from(worker)) {
            to.put(parcel);
        }
    }

    /// Takes what came first.
    pub(super) fn next(&self) -> Option<Parcel> {
        self.arrived.try_recv().ok()
    }
}
