//! The connection to Redis, and what is kept there.
//!
//! For each room a hash, with the latest snapshot, a stream with the newest entries, and a channel that says each. For
//! each node a key that expires unless it is renewed. For all, a key to sign with, and the bounds that have to be the same.

use std::{
    fmt, io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisResult, ServerErrorKind, Value, aio::MultiplexedConnection,
};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use super::{
    agreement::{BOUNDS_TTL, Bounds, ClusterError},
    entry::{NodeId, RedisClock},
    log::{Fetched, Position, Snapshot},
    scripts::{APPEND, DROP, FETCH, RESTORE, SAVE},
};
use crate::{
    config::{Config, Hidden},
    names::{RoomKey, RoomName, Space},
};

/// How long an answer, or a connection, may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a room is kept that no node looks after.
const ROOM_TTL: Duration = Duration::from_secs(15 * 60);

/// How long it is known that a room was there and is empty.
const EMPTY_TTL: Duration = Duration::from_secs(60);

/// How long a node is believed to live without a sign.
pub(super) const NODE_TTL: Duration = Duration::from_millis(2500);

/// A connection to Redis, which is made anew whenever it is lost.
pub(crate) struct Link {
    client: Client,
    pub(super) prefix: String,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// Held by whoever makes a connection, so that those who wait for one do not all make their own.
    making: AsyncMutex<()>,
    /// Rings when a connection did not work: the one that is listened to may not work either.
    pub(super) broken: Notify,
    /// What all nodes sign and hash with.
    pub(crate) key: [u8; 64],
    pub(super) bounds: Bounds,
    pub(super) clock: RedisClock,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Connects, if a server is configured.
    pub(crate) async fn open(config: &Config) -> Result<Option<Self>, ClusterError> {
        let Some(Hidden(url)) = &config.cluster.redis else {
            return Ok(None);
        };
        let mut link = Self {
            client: Client::open(url.as_str())?,
            // The format of what is kept belongs to the name: nodes that would not understand each other do not meet.
            prefix: format!("{}:2", config.cluster.prefix),
            connection: Mutex::default(),
            making: AsyncMutex::default(),
            broken: Notify::new(),
            key: rand::random(),
            bounds: Bounds::from(&config.resume),
            clock: RedisClock::new(Instant::now(), 0),
        };
        let agreed = link.agree().await?;
        if agreed.bounds != link.bounds {
            return Err(ClusterError::Bounds {
                ours: link.bounds.to_string(),
                theirs: agreed.bounds.to_string(),
            });
        }
        link.key = agreed.key;
        link.clock = RedisClock::new(Instant::now(), agreed.millis);
        Ok(Some(link))
    }

    pub(super) async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let there = self.lock().clone();
        if let Some(connection) = there {
            return Ok(connection);
        }
        let _making = self.making.lock().await;
        let there = self.lock().clone();
        if let Some(connection) = there {
            return Ok(connection);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let connection = connecting.await?;
        *self.lock() = Some(connection.clone());
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops a connection that does not work, or leads to a server that is no primary any more; the next command makes
    /// another.
    pub(super) fn judge<T>(&self, result: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &result
            && (error.is_io_error()
                || error.is_connection_dropped()
                || error.is_timeout()
                || error.is_unrecoverable_error()
                || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly))
        {
            *self.lock() = None;
            self.broken.notify_one();
        }
        result
    }

    pub(super) async fn listen(&self) -> RedisResult<redis::aio::PubSub> {
        tokio::time::timeout(PATIENCE, self.client.get_async_pubsub())
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    pub(super) fn channel(&self, room: &RoomKey) -> String {
        self.name("say", room)
    }

    /// The room that a channel is of.
    pub(super) fn room(&self, channel: &str) -> Option<RoomKey> {
        let rest = channel.strip_prefix(&self.prefix)?.strip_prefix(":say:")?;
        let (kind, name) = rest.split_once(':')?;
        Some(RoomKey {
            space: Space::of_code(*kind.as_bytes().first()?)?,
            name: RoomName::new(name)?,
        })
    }

    fn name(&self, what: &str, room: &RoomKey) -> String {
        let kind = char::from(room.space.code());
        format!("{}:{what}:{kind}:{}", self.prefix, room.name.as_str())
    }

    /// Where it is said that rooms were put back.
    pub(super) fn risen(&self) -> String {
        format!("{}:risen", self.prefix)
    }

    /// Adds an entry to a room that the writer knows up to `at`; tells whether that is what Redis knows, too.
    pub(super) async fn append(&self, room: &RoomKey, at: Position, entry: &str) -> RedisResult<bool> {
        let mut connection = self.connection().await?;
        let written: RedisResult<u64> = APPEND
            .key(self.name("room", room))
            .key(self.name("log", room))
            .arg(self.channel(room))
            .arg(at.seq)
            .arg(at.mark)
            .arg(rand::random::<u64>())
            .arg(entry)
            .arg(millis(ROOM_TTL))
            .invoke_async(&mut connection)
            .await;
        self.judge(written).map(|written| written > 0)
    }

    pub(super) async fn fetch(&self, room: &RoomKey, after: Position) -> RedisResult<Fetched> {
        let mut connection = self.connection().await?;
        let answer: RedisResult<Vec<String>> = FETCH
            .key(self.name("room", room))
            .key(self.name("log", room))
            .arg(after.seq)
            .arg(after.mark)
            .invoke_async(&mut connection)
            .await;
        let answer = self.judge(answer)?;
        Fetched::read(answer).ok_or_else(|| io::Error::other("a room's log that makes no sense").into())
    }

    /// Keeps a snapshot of a room after `at` entries, and of those the ones after `behind`.
    pub(super) async fn save(&self, room: &RoomKey, snapshot: &Snapshot) -> RedisResult<()> {
        let mut connection = self.connection().await?;
        let saved = SAVE
            .key(self.name("room", room))
            .key(self.name("log", room))
            .arg(snapshot.at.seq)
            .arg(snapshot.at.mark)
            .arg(&snapshot.text)
            .arg(snapshot.behind)
            .invoke_async(&mut connection)
            .await;
        self.judge(saved)
    }

    /// Forgets a room that is empty at `at`.
    pub(super) async fn drop_room(&self, room: &RoomKey, at: Position) -> RedisResult<()> {
        let mut connection = self.connection().await?;
        let dropped = DROP
            .key(self.name("room", room))
            .key(self.name("log", room))
            .arg(at.seq)
            .arg(at.mark)
            .arg(millis(EMPTY_TTL))
            .invoke_async(&mut connection)
            .await;
        self.judge(dropped)
    }

    /// Puts a room back; tells whether Redis knew less. `notice` is said to all nodes then.
    pub(super) async fn restore(
        &self,
        room: &RoomKey,
        at: Position,
        copy: &str,
        notice: &str,
    ) -> RedisResult<bool> {
        let mut connection = self.connection().await?;
        let restored = RESTORE
            .key(self.name("room", room))
            .key(self.name("log", room))
            .arg(at.seq)
            .arg(at.mark)
            .arg(copy)
            .arg(millis(ROOM_TTL))
            .arg(self.risen())
            .arg(notice)
            .invoke_async(&mut connection)
            .await;
        self.judge(restored)
    }

    /// Says that this node lives, and asks which of the others do.
    pub(super) async fn beat(&self, own: NodeId, others: &[NodeId]) -> RedisResult<Vec<bool>> {
        let mut connection = self.connection().await?;
        let mut pipe = redis::pipe();
        pipe.cmd("SET")
            .arg(self.node(own))
            .arg("1")
            .arg("PX")
            .arg(millis(NODE_TTL))
            .ignore();
        pipe.cmd("PEXPIRE")
            .arg(format!("{}:bounds", self.prefix))
            .arg(millis(BOUNDS_TTL))
            .ignore();
        for other in others {
            pipe.cmd("EXISTS").arg(self.node(*other));
        }
        let alive = pipe.query_async(&mut connection).await;
        self.judge(alive)
    }

    /// Says that this node ends.
    pub(super) async fn farewell(&self, own: NodeId) -> RedisResult<()> {
        let mut connection = self.connection().await?;
        let done = redis::cmd("DEL")
            .arg(self.node(own))
            .query_async(&mut connection)
            .await;
        self.judge(done)
    }

    /// Has rooms kept for longer.
    pub(super) async fn renew(&self, rooms: &[RoomKey]) -> RedisResult<()> {
        let mut connection = self.connection().await?;
        let mut pipe = redis::pipe();
        for room in rooms {
            for what in ["room", "log"] {
                pipe.cmd("PEXPIRE")
                    .arg(self.name(what, room))
                    .arg(millis(ROOM_TTL))
                    .ignore();
            }
        }
        let done: RedisResult<Value> = pipe.query_async(&mut connection).await;
        self.judge(done).map(drop)
    }

    fn node(&self, node: NodeId) -> String {
        format!("{}:node:{node}", self.prefix)
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
