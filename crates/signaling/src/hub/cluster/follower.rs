//! Follows the rooms' logs, and keeps the copies of the rooms.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, future::try_join_all};
use lifecycle::Shutdown;
use redis::{
    RedisResult,
    aio::{PubSubSink, PubSubStream},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{
    Cluster, Followed,
    entry::NodeId,
    log::{Fetched, Written},
    replica::Replica,
};
use crate::{names::RoomKey, problem::Problem};

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a room is looked at in a row, if others write at the same time.
const ATTEMPTS: usize = 5;

/// Rooms that are looked at together.
const AT_ONCE: usize = 64;

/// What the other parts want of the follower.
pub(super) enum Order {
    /// Follow a room, and say when it is there, or why it cannot be.
    Follow(RoomKey, oneshot::Sender<Result<(), Problem>>),
    /// Look whether something was missed.
    Catch(RoomKey),
    /// Forget a room, unless somebody needs it.
    Forget(RoomKey),
}

/// Says that a room was put back, in which these nodes have members.
#[derive(Serialize, Deserialize)]
struct Risen {
    room: RoomKey,
    nodes: Vec<NodeId>,
}

/// What ends a connection to Redis.
enum Broken {
    Lost,
    Ending,
}

impl Cluster {
    /// Runs until the node stops.
    pub(super) async fn follow(self: Arc<Self>, shutdown: Shutdown) {
        let orders = self
            .orders_here
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut orders) = orders else { return };
        let mut was_lost = false;
        loop {
            let connected = self.link.listen().await;
            match connected {
                Ok(listening) => {
                    let (mut sink, mut stream) = listening.split();
                    match self
                        .attend(&mut sink, &mut stream, &mut orders, &shutdown, was_lost)
                        .await
                    {
                        Ok(Broken::Ending) => return,
                        Ok(Broken::Lost) => {}
                        Err(error) => tracing::debug!(%error, "following the rooms"),
                    }
                    self.metrics.cluster_connected.set(0);
                    tracing::warn!("the connection to Redis is lost; clients wait for it");
                }
                Err(error) => tracing::debug!(%error, "connecting to Redis"),
            }
            was_lost = true;
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = self.ended(&shutdown) => return,
            }
        }
    }

    /// Waits until the node has stopped and nobody is left to be heard of.
    async fn ended(&self, shutdown: &Shutdown) {
        shutdown.wait().await;
        loop {
            sleep(PAUSE).await;
            if self.speakers.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }

    async fn attend(
        self: &Arc<Self>,
        sink: &mut PubSubSink,
        stream: &mut PubSubStream,
        orders: &mut mpsc::UnboundedReceiver<Order>,
        shutdown: &Shutdown,
        was_lost: bool,
    ) -> RedisResult<Broken> {
        // What rang before this connection was made is not about it.
        let _ = self.link.broken.notified().now_or_never();
        if !self.link.keep_agreement().await? {
            tracing::warn!(
                "since Redis lost its data the nodes use another key, or other bounds: clients cannot come back"
            );
        }
        // The others should not miss this node while it looks at its rooms.
        self.link.beat(self.node, &[]).await?;
        sink.subscribe(self.link.risen()).await?;
        let rooms: Vec<_> = self.lock().rooms.keys().cloned().collect();
        for rooms in rooms.chunks(AT_ONCE) {
            let channels: Vec<_> = rooms.iter().map(|room| self.link.channel(room)).collect();
            sink.subscribe(&channels[..]).await?;
            try_join_all(rooms.iter().map(|room| self.catch_up(room))).await?;
        }
        self.metrics.cluster_connected.set(1);
        self.sweep(|_| true);
        if was_lost {
            tracing::info!(rooms = rooms.len(), "connected to Redis again");
        }
        let mut ended = std::pin::pin!(self.ended(shutdown));
        loop {
            tokio::select! {
                said = stream.next() => {
                    let Some(said) = said else { return Ok(Broken::Lost) };
                    let payload = said.get_payload::<String>()?;
                    self.hear(said.get_channel_name(), &payload).await?;
                }
                order = orders.recv() => match order {
                    Some(order) => self.obey(order, sink).await?,
                    None => return Ok(Broken::Ending),
                },
                // The other connection did not work, so this one may be dead too and not know it.
                () = self.link.broken.notified() => return Ok(Broken::Lost),
                () = &mut ended => return Ok(Broken::Ending),
            }
        }
    }

    async fn obey(self: &Arc<Self>, order: Order, sink: &mut PubSubSink) -> RedisResult<()> {
        match order {
            Order::Follow(room, done) => {
                let begun = self.begin(&room);
                if begun == Ok(true)
                    && let Err(error) = self.meet(&room, sink).await
                {
                    // Whoever wanted it hears that it is not there.
                    let mut state = self.lock();
                    self.release(&mut state, &room);
                    return Err(error);
                }
                if done.send(begun.map(drop)) == Err(Ok(())) {
                    // Whoever wanted it has given up.
                    let mut state = self.lock();
                    self.release(&mut state, &room);
                }
            }
            Order::Catch(room) => self.catch_up(&room).await?,
            Order::Forget(room) => {
                let is_forgotten = {
                    let mut state = self.lock();
                    let unneeded = state.rooms.contains_key(&room) && !state.needs(&room);
                    if unneeded {
                        state.forget_room(&room);
                    }
                    unneeded
                };
                if is_forgotten {
                    sink.unsubscribe(self.link.channel(&room)).await?;
                }
            }
        }
        Ok(())
    }

    /// Makes place for a room; tells whether it is a new one.
    fn begin(&self, room: &RoomKey) -> Result<bool, Problem> {
        let mut state = self.lock();
        if let Some(there) = state.rooms.get_mut(room) {
            there.users += 1;
            return Ok(false);
        }
        let tally = state.tally.entry(room.space).or_default();
        if *tally >= self.limits.rooms.of(room.space) {
            return Err(Problem::ServerFull);
        }
        *tally += 1;
        let there = Followed {
            replica: Replica::new(self.limits_of_one(), self.link.clock),
            users: 1,
            due: None,
        };
        state.rooms.insert(room.clone(), there);
        Ok(true)
    }

    /// Gets to know a room, as it is now.
    async fn meet(self: &Arc<Self>, room: &RoomKey, sink: &mut PubSubSink) -> RedisResult<()> {
        sink.subscribe(self.link.channel(room)).await?;
        self.catch_up(room).await?;
        // Its nodes may have died while nobody followed it.
        self.stay_if_strange(room).await
    }

    async fn hear(self: &Arc<Self>, channel: &str, payload: &str) -> RedisResult<()> {
        let Some(room) = self.link.room(channel) else {
            return self.look_into(payload).await;
        };
        let written = Written::read(payload);
        match written.is_none_or(|written| self.take(&room, written)) {
            // Something is missing before it.
            true => self.catch_up(&room).await,
            false => Ok(()),
        }
    }

    /// A room was put back. If this node has followed another log of it, it goes on with this one; if the room has members
    /// at this node whom it does not know of, they are lost.
    async fn look_into(self: &Arc<Self>, notice: &str) -> RedisResult<()> {
        let Ok(Risen { room, nodes }) = serde_json::from_str(notice) else {
            return Ok(());
        };
        if self.lock().rooms.contains_key(&room) {
            return self.catch_up(&room).await;
        }
        if nodes.contains(&self.node) {
            let cluster = Arc::clone(self);
            tokio::spawn(async move {
                if cluster.hold(&room).await.is_ok() {
                    cluster.sweep(|there| *there == room);
                    let mut state = cluster.lock();
                    cluster.release(&mut state, &room);
                }
            });
        }
        Ok(())
    }

    /// Takes what was missed of a room's log, and puts the room back if Redis has lost it.
    async fn catch_up(self: &Arc<Self>, room: &RoomKey) -> RedisResult<()> {
        for _ in 0..ATTEMPTS {
            let Some(at) = self.lock().rooms.get(room).map(|there| there.replica.at) else {
                return Ok(());
            };
            match self.link.fetch(room, at).await? {
                Fetched::Rest(entries) => {
                    let gaps = entries
                        .into_iter()
                        .filter_map(|written| self.take(room, written).then_some(()));
                    if gaps.count() == 0 {
                        return Ok(());
                    }
                }
                Fetched::All {
                    at,
                    snapshot,
                    entries,
                } => {
                    self.adopt(room, at, &snapshot, entries);
                    return Ok(());
                }
                Fetched::Behind => {
                    if self.put_back(room).await? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes this node's copy of a room to Redis, which knows less; tells whether it still did.
    async fn put_back(&self, room: &RoomKey) -> RedisResult<bool> {
        {
            let mut state = self.lock();
            if let Some(there) = state.rooms.get_mut(room)
                && there.replica.rooms.is_empty()
            {
                // There is nothing to put back, and it begins as Redis has it.
                there.replica = Replica::new(self.limits_of_one(), self.link.clock);
                return Ok(false);
            }
        }
        let own = self.lock().rooms.get(room).map(|there| {
            let nodes: BTreeSet<_> = there.replica.desks().map(|(_, desk)| desk.node).collect();
            let nodes = nodes.into_iter().collect();
            let room = room.clone();
            (there.replica.at, there.replica.save(), Risen { room, nodes })
        });
        let Some((at, copy, risen)) = own else {
            return Ok(true);
        };
        let notice = serde_json::to_string(&risen).unwrap_or_default();
        let restored = self.link.restore(room, at, &copy, &notice).await?;
        if restored {
            tracing::debug!(at = at.seq, "put a room back");
        }
        Ok(restored)
    }
}
