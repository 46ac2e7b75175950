//! What all nodes of a cluster have to have alike, and settle in Redis: the key that they sign with, and the bounds that
//! decide what becomes of a room's members.

use std::{fmt, io, time::Duration};

use redis::{RedisError, RedisResult};
use serde::{Deserialize, Serialize};

use super::link::{Link, millis};
use crate::config::ResumeConfig;

/// How long bounds hold that no node has any more.
pub(super) const BOUNDS_TTL: Duration = Duration::from_secs(10);

/// Why this node cannot share its rooms.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Redis cannot be used.
    #[error("cannot use the Redis server of signaling.cluster.redis: {0}")]
    Redis(#[from] RedisError),
    /// Copies of a room would differ.
    #[error(
        "the other nodes of signaling.cluster have other bounds in signaling.resume, {theirs} instead of {ours}: \
         use the same, or stop them first, or choose another signaling.cluster.prefix"
    )]
    Bounds {
        /// What this node has.
        ours: String,
        /// What the others have.
        theirs: String,
    },
}

/// What decides what becomes of a room's members, and so has to be the same on all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bounds {
    seconds: u64,
    messages: usize,
    bytes: usize,
}

impl From<&ResumeConfig> for Bounds {
    fn from(resume: &ResumeConfig) -> Self {
        Self {
            seconds: resume.seconds,
            messages: resume.messages,
            bytes: resume.bytes,
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seconds,
            messages,
            bytes,
        } = self;
        write!(f, "seconds = {seconds}, messages = {messages}, bytes = {bytes}")
    }
}

/// What the nodes agree on.
pub(super) struct Agreed {
    pub(super) key: [u8; 64],
    pub(super) bounds: Bounds,
    pub(super) millis: u64,
}

impl Link {
    /// Offers a key and bounds for all nodes to use, and returns those that they use, and the time.
    pub(super) async fn agree(&self) -> RedisResult<Agreed> {
        let mut connection = self.connection().await?;
        let [key, bounds] = ["key", "bounds"].map(|what| format!("{}:{what}", self.prefix));
        let own = serde_json::to_string(&self.bounds).unwrap_or_default();
        let agreed: RedisResult<(Vec<u8>, String, (u64, u64))> = redis::pipe()
            .cmd("SET")
            .arg(&key)
            .arg(&self.key[..])
            .arg("NX")
            .ignore()
            .cmd("SET")
            .arg(&bounds)
            .arg(own)
            .arg("NX")
            .arg("PX")
            .arg(millis(BOUNDS_TTL))
            .ignore()
            .cmd("GET")
            .arg(&key)
            .cmd("GET")
            .arg(&bounds)
            .cmd("TIME")
            .query_async(&mut connection)
            .await;
        let (agreed_key, agreed_bounds, time) = self.judge(agreed)?;
        let foreign = |name: &str| io::Error::other(format!("{name} is not of this program"));
        Ok(Agreed {
            key: <[u8; 64]>::try_from(agreed_key).map_err(|_| foreign(&key))?,
            bounds: serde_json::from_str(&agreed_bounds).map_err(|_| foreign(&bounds))?,
            millis: time.0 * 1000 + time.1 / 1000,
        })
    }

    /// Puts back what Redis may have lost; tells whether the others still use the same.
    pub(super) async fn keep_agreement(&self) -> RedisResult<bool> {
        let agreed = self.agree().await?;
        Ok(agreed.key == self.key && agreed.bounds == self.bounds)
    }
}
