//! What the log says of clients: that they come and go, how a connection ended, and where it was. Never what they send, who
//! they are, which room it is, or, unless that is configured, from where they come.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use tracing::field::display;

/// One connection in the log, by a number that says nothing to anybody else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trail {
    connection: u64,
    /// Only where addresses are logged.
    address: Option<IpAddr>,
}

impl Trail {
    /// The trail of another connection.
    pub(crate) fn begin(address: Option<IpAddr>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            connection: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            address,
        }
    }

    pub(crate) fn opened(self, dialect: &'static str) {
        let Self { connection, address } = self;
        let address = address.map(display);
        tracing::debug!(connection, dialect, address, "connection opened");
    }

    pub(crate) fn closed(self, reason: &str) {
        let Self { connection, address } = self;
        let address = address.map(display);
        tracing::debug!(connection, reason, address, "connection closed");
    }

    pub(crate) fn joined(self) {
        tracing::debug!(connection = self.connection, "joined a room");
    }

    pub(crate) fn left(self) {
        tracing::debug!(connection = self.connection, "left its room");
    }

    pub(crate) fn resumed(self) {
        tracing::debug!(connection = self.connection, "came back into its room");
    }
}

/// A connection that is not opened.
pub(crate) fn refused(reason: &'static str, address: Option<IpAddr>) {
    tracing::debug!(reason, address = address.map(display), "connection refused");
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::fmt;

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(events: impl FnOnce()) -> String {
        let paper = Paper::default();
        let pen = paper.clone();
        let subscriber = fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || pen.clone());
        tracing::subscriber::with_default(subscriber.finish(), events);
        String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn an_address_is_written_only_if_it_is_given() {
        let life = |address| {
            written(|| {
                let trail = Trail::begin(address);
                trail.opened("plain");
                trail.joined();
                trail.closed("too_slow");
                refused("origin", address);
            })
        };
        let usual = life(None);
        assert!(usual.contains(r#"connection opened connection="#), "{usual}");
        assert!(
            usual.contains(r#"dialect="plain""#) && usual.contains(r#"reason="too_slow""#),
            "{usual}"
        );
        assert_eq!(usual.lines().count(), 4, "{usual}");
        assert!(!usual.contains("address"), "{usual}");
        let asked = life(Some([203, 0, 113, 9].into()));
        assert_eq!(asked.matches("address=203.0.113.9").count(), 3, "{asked}");
    }
}
