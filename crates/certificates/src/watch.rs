//! Sees that files have changed and has them read again.

mod lookout;

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tracing::{error, info};

use self::lookout::Lookout;
use crate::{Certificates, Mistake};

/// How patient a watch is.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Chain and key are written one after the other: reading waits until it has been quiet for so long,
    quiet: Duration,
    /// but not longer than this.
    at_most: Duration,
    /// Reads again without being told, for file systems that tell nothing (NFS).
    unasked: Duration,
}

const PACE: Pace = Pace {
    quiet: Duration::from_millis(500),
    at_most: Duration::from_secs(5),
    unasked: Duration::from_secs(3600),
};

/// A thread that keeps a live set as its files are; dropped, it ends.
#[derive(Debug)]
pub struct Watch {
    thread: Option<JoinHandle<()>>,
    to_thread: Sender<News>,
}

/// What a watch's thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Changed,
    End,
}

impl Certificates {
    /// Has changed files read again from now on, and everything once an hour.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn watch(&self) -> io::Result<Watch> {
        self.watch_at(PACE)
    }

    fn watch_at(&self, pace: Pace) -> io::Result<Watch> {
        let (to_thread, news) = channel();
        let lookout = Lookout::new(to_thread.clone());
        let certificates = self.clone();
        let thread = thread::Builder::new()
            .name("certificates".to_owned())
            .spawn(move || keep(&certificates, lookout, &news, pace))?;
        Ok(Watch {
            thread: Some(thread),
            to_thread,
        })
    }

    /// Reads the files again without waiting for a change of theirs; new handshakes use what is in them.
    ///
    /// # Errors
    /// Everything wrong with them, and then all stay as they are.
    pub fn look_again(&self) -> Result<(), Vec<Mistake>> {
        if self.reload()? {
            for pair in self.pairs().iter() {
                let days = pair.days_left();
                info!(names = ?pair.names, days, "new handshakes use the new certificate");
            }
        }
        Ok(())
    }

    /// Reads the files again and says how it went.
    pub(crate) fn refresh(&self) {
        for mistake in self.look_again().err().into_iter().flatten() {
            error!("the certificates stay as they are: {mistake}");
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A thread that has ended needs no telling, and one that panicked has said so itself.
        let _ = self.to_thread.send(News::End);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn keep(certificates: &Certificates, mut lookout: Lookout, news: &Receiver<News>, pace: Pace) {
    loop {
        // Files may lead to other directories than before. What changed before they were watched is read now.
        lookout.follow(certificates.files());
        certificates.refresh();
        match news.recv_timeout(pace.unasked) {
            Ok(News::Changed) | Err(RecvTimeoutError::Timeout) => {}
            Ok(News::End) | Err(RecvTimeoutError::Disconnected) => return,
        }
        if settle(news, pace) == News::End {
            return;
        }
    }
}

/// Waits until nothing has changed for a while.
fn settle(news: &Receiver<News>, pace: Pace) -> News {
    let end = Instant::now() + pace.at_most;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match news.recv_timeout(pace.quiet.min(left)) {
            Ok(News::Changed) if !left.is_zero() => {}
            Ok(News::Changed) | Err(RecvTimeoutError::Timeout) => return News::Changed,
            Ok(News::End) | Err(RecvTimeoutError::Disconnected) => return News::End,
        }
    }
}

#[cfg(test)]
mod tests;
