//! Takes credentials back, in all workers.

mod kept;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;
use tracing::{error, info};

pub(crate) use self::kept::Kept;
use crate::worker::mail::Letterboxes;

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
        let answers = self.boxes.revoke(username).await.unwrap_or_default();
        if answers.is_empty() {
            return Err(RevokeError::Silent);
        }
        Ok(answers.into_iter().collect::<Result<(), _>>()?)
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
