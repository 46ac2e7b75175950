//! What happens by itself: signs of life, the death of other nodes, and time that passes in rooms.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use lifecycle::Shutdown;
use redis::RedisResult;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::{Cluster, What, entry::NodeId};
use crate::{
    hub::{draining::in_turn, seats::Place},
    names::RoomKey,
    problem::Problem,
    rooms::Input,
};

/// How often a node says that it lives, and looks after the others.
const BEAT: Duration = Duration::from_millis(700);

/// Beats in a row that a node has to miss: a Redis that has just come back knows of none.
const MISSES: u32 = 3;

/// After this many beats rooms are kept for longer.
const RENEW_EACH: u64 = 256;

/// After how many further beats a node is buried again, in case something went wrong.
const BURY_AGAIN: u32 = 16;

/// Rooms that are renewed with one command.
const AT_ONCE_RENEWED: usize = 500;

/// Rooms that are written to together.
const AT_ONCE: usize = 64;

/// How long a room that is due is left alone once its followers were told.
const TICK_AGAIN: Duration = Duration::from_millis(500);

/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl Cluster {
    /// Runs all that needs no client, until the node stops.
    pub(in crate::hub) async fn keep_time(self: Arc<Self>, shutdown: Shutdown) {
        let follower = tokio::spawn(Arc::clone(&self).follow(shutdown.clone()));
        tokio::select! {
            () = self.beat() => {}
            () = self.tick() => {}
            // It ends last.
            _ = follower => {}
        }
        let _ = timeout(LAST_WORDS, self.link.farewell(self.node)).await;
    }

    async fn beat(self: &Arc<Self>) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut missed = HashMap::new();
        let mut count = 0_u64;
        loop {
            beat.tick().await;
            let others = self.others(|_| true);
            match self.link.beat(self.node, &others).await {
                Ok(alive) => self.look_after_others(&others, &alive, &mut missed),
                Err(error) => {
                    tracing::debug!(%error, "a sign of life");
                    missed.clear();
                }
            }
            count += 1;
            if count.is_multiple_of(RENEW_EACH) {
                let cluster = Arc::clone(self);
                tokio::spawn(async move {
                    cluster.renew().await;
                    cluster.sweep(|_| true);
                });
            }
        }
    }

    /// Nodes with members in those of the rooms that this one follows.
    fn others(&self, which: impl Fn(&RoomKey) -> bool) -> Vec<NodeId> {
        let state = self.lock();
        let rooms = state.rooms.iter().filter(|(room, _)| which(room));
        let desks = rooms.flat_map(|(_, there)| there.replica.desks());
        let nodes = desks.map(|(_, desk)| desk.node).filter(|node| *node != self.node);
        nodes.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Counts the beats that others miss, and buries those that miss too many.
    fn look_after_others(
        self: &Arc<Self>,
        others: &[NodeId],
        alive: &[bool],
        missed: &mut HashMap<NodeId, u32>,
    ) {
        missed.retain(|node, _| others.contains(node));
        for (node, alive) in others.iter().zip(alive) {
            let misses = missed.entry(*node).or_default();
            *misses = match alive {
                true => 0,
                false => *misses + 1,
            };
            if *misses >= MISSES && (*misses - MISSES).is_multiple_of(BURY_AGAIN) {
                // It may take longer than this node can be without a beat.
                tokio::spawn(Arc::clone(self).bury(*node));
            }
        }
    }

    /// Tells its rooms that a node is dead.
    async fn bury(self: Arc<Self>, node: NodeId) {
        let rooms = self.rooms_of(node);
        tracing::info!(%node, rooms = rooms.len(), "a node is gone");
        self.write_to_all(rooms, &What::Dead(node)).await;
    }

    async fn write_to_all(&self, rooms: Vec<RoomKey>, what: &What) {
        let written = stream::iter(rooms).for_each_concurrent(AT_ONCE, async |room| {
            self.write(&room, what).await;
        });
        written.await;
    }

    /// Goes on following a room that has just been met, for as long as it takes to find out that one of its nodes is dead:
    /// while nobody followed it, nobody could.
    pub(super) async fn stay_if_strange(self: &Arc<Self>, room: &RoomKey) -> RedisResult<()> {
        let others = self.others(|there| there == room);
        let alive = match others.is_empty() {
            true => Vec::new(),
            false => self.link.beat(self.node, &others).await?,
        };
        if alive.contains(&false) {
            let (cluster, room) = (Arc::clone(self), room.clone());
            tokio::spawn(async move {
                if cluster.hold(&room).await.is_ok() {
                    sleep(BEAT * (MISSES + 1)).await;
                    let mut state = cluster.lock();
                    cluster.release(&mut state, &room);
                }
            });
        }
        Ok(())
    }

    fn rooms_of(&self, node: NodeId) -> Vec<RoomKey> {
        let state = self.lock();
        let has = |(_, there): &(&RoomKey, &super::Followed)| {
            there.replica.desks().any(|(_, desk)| desk.node == node)
        };
        state
            .rooms
            .iter()
            .filter(has)
            .map(|(room, _)| room.clone())
            .collect()
    }

    async fn renew(&self) {
        let rooms: Vec<_> = self.lock().rooms.keys().cloned().collect();
        for rooms in rooms.chunks(AT_ONCE_RENEWED) {
            if let Err(error) = self.link.renew(rooms).await {
                tracing::debug!(%error, "rooms were not renewed");
            }
        }
    }

    /// Has time pass in rooms where somebody is waited for.
    async fn tick(self: &Arc<Self>) {
        loop {
            let due = self.lock().due.first().map(|(due, _)| *due);
            let wait = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.bell.notified() => continue,
                () = wait => {}
            }
            let due = self.due(Instant::now());
            self.write_to_all(due, &What::Tick).await;
        }
    }

    /// Takes the rooms that are due, and has them due again a little later in case nothing comes of it.
    fn due(&self, now: Instant) -> Vec<RoomKey> {
        let mut state = self.lock();
        let mut rooms = Vec::new();
        while let Some((due, room)) = state.due.first().cloned().filter(|(due, _)| *due <= now) {
            state.due.remove(&(due, room.clone()));
            rooms.push(room);
        }
        for room in &rooms {
            let later = now + TICK_AGAIN;
            if let Some(there) = state.rooms.get_mut(room) {
                there.due = Some(later);
                state.due.insert((later, room.clone()));
            }
        }
        rooms
    }

    pub(in crate::hub) async fn drain(&self, over: Duration) {
        let places: Vec<Place> = self.lock().seats.places();
        in_turn(places, over, |place| {
            self.evict(place, Input::Lose, Problem::Closing)
        })
        .await;
    }
}
