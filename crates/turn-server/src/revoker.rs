//! Takes credentials back, in all workers.

mod kept;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{task::spawn_blocking, time::timeout};
use tracing::{error, info};

pub(crate) use self::kept::Kept;
use crate::worker::mail::Letterboxes;

/// How long the workers may take; they take a round of their loop.
const PATIENCE: Duration = Duration::from_secs(3);

/// Takes time-limited usernames back while the server runs. Clones speak to the same server.
#[derive(Clone)]
pub struct Revoker {
    boxes: Letterboxes,
    /// Where they are kept over a restart.
    kept: Option<Arc<Mutex<Kept>>>,
}

/// Why a username was not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// The workers refuse to.
    #[error(transparent)]
    Refused(#[from] turn_core::RevokeError),
    /// No worker answers any more, or one takes too long.
    #[error("the server is stopping")]
    Silent,
    /// It is refused now, but will not be after a restart.
    #[error("the file turn.admin.revoked_file cannot be written")]
    NotKept,
}

impl Revoker {
    pub(crate) fn new(boxes: Letterboxes, kept: Option<Kept>) -> Self {
        Self {
            boxes,
            kept: kept.map(Mutex::new).map(Arc::new),
        }
    }

    /// Ends the allocations of a username and has it refused until it expires. When this returns, every worker does.
    ///
    /// # Errors
    /// [`RevokeError`]; then it is not, or not everywhere.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn revoke(&self, username: &str) -> Result<(), RevokeError> {
        let username: Arc<str> = username.into();
        self.tell(&username).await?;
        self.keep(Arc::clone(&username)).await?;
        info!(?username, "revoked");
        Ok(())
    }

    async fn tell(&self, username: &Arc<str>) -> Result<(), RevokeError> {
        let mut answers = self.boxes.revoke(username);
        let all = async {
            let mut heard = Err(RevokeError::Silent);
            // The channel closes when each worker has answered, or is gone with all its allocations.
            while let Some(answer) = answers.recv().await {
                answer?;
                heard = Ok(());
            }
            heard
        };
        timeout(PATIENCE, all).await.unwrap_or(Err(RevokeError::Silent))
    }

    async fn keep(&self, username: Arc<str>) -> Result<(), RevokeError> {
        let Some(kept) = self.kept.clone() else {
            return Ok(());
        };
        let keep = move || {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.keep(&username)
        };
        match spawn_blocking(keep).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                error!(%error, "turn.admin.revoked_file cannot be written");
                Err(RevokeError::NotKept)
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}
