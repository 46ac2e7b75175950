//! SIGHUP: the wish that settings are read again, or a terminal that is gone.

use std::{
    fs::{self, File},
    io,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Shutdown;

/// Wishes that settings are read again, as they come.
#[derive(Debug)]
pub struct Hangups {
    signal: Signal,
    /// Whether there was a terminal whose end is to be ours.
    ends_with_terminal: bool,
    shutdown: Shutdown,
}

/// Listens for SIGHUP from now on, which would end the process otherwise.
///
/// A shell sends it too when its window is closed. A process that has lost its terminal so asks for the end instead,
/// unless it was told to stay (`nohup`).
///
/// # Errors
/// When the system refuses the signal handler.
///
/// # Panics
/// Outside a tokio runtime.
pub fn on_hangups(shutdown: &Shutdown) -> io::Result<Hangups> {
    let ends_with_terminal = has_terminal() && !is_ignored();
    Ok(Hangups {
        signal: signal(SignalKind::hangup())?,
        ends_with_terminal,
        shutdown: shutdown.clone(),
    })
}

impl Hangups {
    /// Waits for the next wish; several that come before it is asked for are one. Once the end is asked for there is none.
    pub async fn next(&mut self) {
        loop {
            if self.signal.recv().await.is_none() {
                return std::future::pending().await;
            }
            if self.ends_with_terminal && !has_terminal() {
                self.shutdown.request();
                tracing::info!("the terminal is gone, draining");
            }
            if !self.shutdown.requested() {
                return;
            }
        }
    }
}

/// Whether the process has a controlling terminal.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Whether whoever started us had SIGHUP ignored, as the kernel tells.
fn is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hangup(&status)
}

fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is 1, and its bit the lowest.
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_known_by_the_lowest_bit_of_the_ignored_signals() {
        assert!(ignores_hangup(
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"
        ));
        assert!(!ignores_hangup(
            "SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"
        ));
        assert!(!ignores_hangup(""));
    }
}
