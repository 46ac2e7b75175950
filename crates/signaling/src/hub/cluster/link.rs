//! The connection to Redis, and what is kept there.
//!
//! For each room a hash (how many entries its log had, the latest snapshot and how many went into that), a stream
//! with the newest entries, and a channel that says each. For each node a key that expires unless it is renewed.

use std::{
    fmt, io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Value, aio::MultiplexedConnection};

use super::{
    entry::{NodeId, RedisClock},
    log::{Fetched, Snapshot},
    scripts::{APPEND, DROP, FETCH, RESTORE, SAVE},
};
use crate::{
    config::{ClusterConfig, Hidden},
    names::{RoomKey, RoomName, Space},
};

/// How long an answer, or a connection, may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a room is kept that no node looks after.
const ROOM_TTL: Duration = Duration::from_secs(15 * 60);

/// How long a node is believed to live without a sign.
pub(super) const NODE_TTL: Duration = Duration::from_millis(2500);

/// Why this node cannot share its rooms.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the Redis server of signaling.cluster.redis: {0}")]
pub struct ClusterError(RedisError);

/// A connection to Redis, which is made anew whenever it is lost.
pub(crate) struct Link {
    client: Client,
    prefix: String,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// What all nodes sign and hash with.
    pub(crate) key: [u8; 64],
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
    pub(crate) async fn open(config: &ClusterConfig) -> Result<Option<Self>, ClusterError> {
        let Some(Hidden(url)) = &config.redis else {
            return Ok(None);
        };
        let client = Client::open(url.as_str()).map_err(ClusterError)?;
        let mut link = Self {
            client,
            // The format of what is kept belongs to the name: nodes that would not understand each other do not meet.
            prefix: format!("{}:1", config.prefix),
            connection: Mutex::default(),
            key: [0; 64],
            clock: RedisClock::new(Instant::now(), 0),
        };
        let (key, millis) = link
            .agree(rand::random_iter().take(64).collect())
            .await
            .map_err(ClusterError)?;
        link.key = key;
        link.clock = RedisClock::new(Instant::now(), millis);
        Ok(Some(link))
    }

    /// Offers a key for all nodes to use, and returns the one that they use, and the time.
    async fn agree(&self, offered: Vec<u8>) -> RedisResult<([u8; 64], u64)> {
        let mut connection = self.connection().await?;
        let name = format!("{}:key", self.prefix);
        let (key, time): (Vec<u8>, (u64, u64)) = redis::pipe()
            .cmd("SET")
            .arg(&name)
            .arg(&offered)
            .arg("NX")
            .ignore()
            .cmd("GET")
            .arg(&name)
            .cmd("TIME")
            .query_async(&mut connection)
            .await?;
        let key = <[u8; 64]>::try_from(key);
        let key = key.map_err(|_| io::Error::other(format!("the key {name} is not of this program")))?;
        Ok((key, time.0 * 1000 + time.1 / 1000))
    }

    /// Puts the key back, should Redis have lost it.
    pub(super) async fn keep_key(&self) -> RedisResult<bool> {
        let agreed = self.agree(self.key.to_vec()).await;
        agreed.map(|(key, _)| key == self.key)
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let there = self.lock().clone();
        if let Some(connection) = there {
            return Ok(connection);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        *self.lock() = Some(connection.clone());
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops a connection that does not work; the next command makes another.
    fn judge<T>(&self, result: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &result
            && (error.is_io_error()
                || error.is_connection_dropped()
                || error.is_timeout()
                || error.is_unrecoverable_error())
        {
            *self.lock() = None;
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

    /// Adds an entry to a room of which the writer knows `at`; tells whether the room still knows as many.
    pub(super) async fn append(&self, room: &RoomKey, at: u64, entry: &str) -> RedisResult<bool> {
        let mut connection = self.connection().await?;
        let seq: RedisResult<u64> = APPEND
            .key(self.name("room", room))
            .key(self.name("log", room))
            .arg(self.channel(room))
            .arg(at)
            .arg(entry)
            .arg(millis(ROOM_TTL))
            .invoke_async(&mut connection)
            .await;
        self.judge(seq).map(|seq| seq > 0)
    }

    pub(super) async fn fetch(&self, room: &RoomKey, after: u64) -> RedisResult<Fetched> {
        let mut connection = self.connection().await?;
        let answer: RedisResult<Vec<String>> = FETCH
            .key(self.name("room", room))
            .key(self.name("log", room))
            .arg(after)
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
            .arg(snapshot.at)
            .arg(&snapshot.text)
            .arg(snapshot.behind)
            .invoke_async(&mut connection)
            .await;
        self.judge(saved)
    }

    /// Forgets a room that was empty after `at` entries.
    pub(super) async fn drop_room(&self, room: &RoomKey, at: u64) -> RedisResult<()> {
        let mut connection = self.connection().await?;
        let dropped = DROP
            .key(self.name("room", room))
            .key(self.name("log", room))
            .arg(at)
            .invoke_async(&mut connection)
            .await;
        self.judge(dropped)
    }

    /// Tells whether it was this node that put the room back.
    pub(super) async fn restore(&self, room: &RoomKey, at: u64, snapshot: &str) -> RedisResult<bool> {
        let mut connection = self.connection().await?;
        let restored = RESTORE
            .key(self.name("room", room))
            .key(self.name("log", room))
            .arg(at)
            .arg(snapshot)
            .arg(millis(ROOM_TTL))
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
