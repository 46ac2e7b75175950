//! What happens by itself: signs of life, the death of other nodes, and time that passes in rooms.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use lifecycle::Shutdown;
use redis::RedisResult;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

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

/// Rooms that are renewed with one command.
const AT_ONCE: usize = 500;

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
            let others = self.others();
            match self.link.beat(self.node, &others).await {
                Ok(alive) => self.bury(&others, &alive, &mut missed).await,
                Err(error) => {
                    tracing::debug!(%error, "a sign of life");
                    self.broken.notify_one();
                    missed.clear();
                }
            }
            count += 1;
            if count.is_multiple_of(RENEW_EACH) {
                self.renew().await;
                self.sweep();
            }
        }
    }

    /// Nodes with members in rooms that this one follows.
    fn others(&self) -> Vec<NodeId> {
        let state = self.lock();
        let desks = state.rooms.values().flat_map(|there| there.replica.desks());
        let nodes = desks.map(|(_, desk)| desk.node).filter(|node| *node != self.node);
        nodes.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Tells the rooms of nodes that are dead.
    async fn bury(self: &Arc<Self>, others: &[NodeId], alive: &[bool], missed: &mut HashMap<NodeId, u32>) {
        missed.retain(|node, _| others.contains(node));
        for (node, alive) in others.iter().zip(alive) {
            let misses = missed.entry(*node).or_default();
            *misses = match alive {
                true => 0,
                false => *misses + 1,
            };
            if *misses >= MISSES {
                *misses = 0;
                let rooms = self.rooms_of(*node);
                tracing::info!(%node, rooms = rooms.len(), "a node is gone");
                for room in rooms {
                    self.write(&room, &What::Dead(*node)).await;
                }
            }
        }
    }

    /// Tells a room that has just been met of those of its nodes that are dead.
    pub(super) async fn bury_in(self: &Arc<Self>, room: &RoomKey) -> RedisResult<()> {
        let others: BTreeSet<_> = {
            let state = self.lock();
            let desks = state.rooms.get(room).into_iter();
            let desks = desks.flat_map(|there| there.replica.desks());
            desks
                .map(|(_, desk)| desk.node)
                .filter(|node| *node != self.node)
                .collect()
        };
        let others: Vec<_> = others.into_iter().collect();
        if others.is_empty() {
            return Ok(());
        }
        let alive = self.link.beat(self.node, &others).await?;
        for (node, _) in others.iter().zip(alive).filter(|(_, alive)| !alive) {
            self.write(room, &What::Dead(*node)).await;
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
        for rooms in rooms.chunks(AT_ONCE) {
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
            for room in self.due(Instant::now()) {
                self.write(&room, &What::Tick).await;
            }
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
