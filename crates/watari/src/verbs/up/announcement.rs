//! What `watari up` says once everything listens.

use std::{fmt::Write, net::SocketAddr, path::PathBuf};

use serde::Serialize;

use crate::{
    addresses::{self, host_of, literal_host_of},
    cli::VERSION,
    say::Colours,
    state,
};

/// Where everything listens, for people and for scripts.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Announcement {
    pub(crate) version: &'static str,
    /// Pages to open, one a listener.
    pub(crate) page: Vec<String>,
    pub(crate) turn: Vec<String>,
    pub(crate) stun: Vec<String>,
    /// Socket.IO and plain WebSocket.
    pub(crate) signaling: Vec<String>,
    /// Endpoints that mint credentials for other applications.
    pub(crate) credentials: Vec<String>,
    pub(crate) metrics: Vec<String>,
    pub(crate) health: Vec<String>,
    pub(crate) state: PathBuf,
}

impl Announcement {
    /// Starts with the version and the state folder.
    pub(crate) fn new(state: PathBuf) -> Self {
        Self {
            version: VERSION,
            state,
            ..Self::default()
        }
    }

    /// Adds the URIs of TURN, which is STUN too, served at these addresses.
    pub(crate) fn turn(&mut self, listeners: &[SocketAddr]) {
        for place in places(listeners) {
            self.turn.push(format!("turn:{place}?transport=udp"));
            self.stun.push(format!("stun:{place}"));
        }
    }

    /// Adds the URIs of STUN served at these addresses.
    pub(crate) fn stun(&mut self, listeners: &[SocketAddr]) {
        self.stun
            .extend(places(listeners).into_iter().map(|place| format!("stun:{place}")));
    }

    /// Adds the page, signaling and credential endpoints served at these addresses.
    pub(crate) fn web(&mut self, listeners: &[SocketAddr]) {
        for base in bases(listeners, host_of) {
            self.page.push(format!("http://{base}/"));
            self.signaling.push(format!("http://{base}/socket.io/"));
            self.signaling.push(format!("ws://{base}/ws"));
            self.credentials.push(format!("http://{base}/turn"));
            self.credentials.push(format!("http://{base}/ice"));
        }
    }

    /// Adds metrics and health served at these addresses.
    pub(crate) fn metrics(&mut self, listeners: &[SocketAddr]) {
        for base in bases(listeners, literal_host_of) {
            self.metrics.push(format!("http://{base}/metrics"));
            self.health.push(format!("http://{base}/healthz"));
            self.health.push(format!("http://{base}/readyz"));
        }
    }

    /// The table that people read.
    pub(crate) fn table(&self, colours: Colours) -> String {
        let Colours {
            strong,
            link,
            faint,
            plain,
            ..
        } = colours;
        let mut text = format!("{strong}Watari {}{plain} is up.\n\n", self.version);
        let mut row = |name: &str, values: &[String], note: &str| {
            for (index, value) in values.iter().enumerate() {
                let name = if index == 0 { name } else { "" };
                let note = if index == 0 { note } else { "" };
                let line = format!("  {strong}{name:<12}{plain} {link}{value}{plain}  {faint}{note}{plain}");
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{}", line.trim_end());
            }
        };
        row("Call page", &self.page, "open it in two tabs");
        row("TURN", &self.turn, "");
        row("STUN", &self.stun, "");
        row("Signaling", &self.signaling, "");
        row(
            "Credentials",
            &self.credentials,
            "for other applications, with the API key",
        );
        row("Metrics", &self.metrics, "");
        row("Health", &self.health, "");
        row(
            "Secrets",
            &[self.state.join(state::FILE).display().to_string()],
            "TURN secret and API key",
        );
        let _ = write!(
            text,
            "\nFor another application: {strong}watari credentials --format ice-servers{plain}\n\
             To stop: {strong}Ctrl-C{plain}\n"
        );
        text
    }
}

/// `host:port` under which each UDP listener is reached.
fn places(listeners: &[SocketAddr]) -> Vec<String> {
    let reached = |listener: &SocketAddr| {
        let port = listener.port();
        addresses::reached_by(*listener)
            .into_iter()
            .map(move |host| format!("{host}:{port}"))
    };
    listeners.iter().flat_map(reached).collect()
}

/// `host:port` of each listener; those that come out the same, as both loopback addresses do, once.
fn bases(listeners: &[SocketAddr], host: fn(SocketAddr) -> String) -> Vec<String> {
    let mut bases: Vec<String> = Vec::new();
    for listener in listeners {
        let base = format!("{}:{}", host(*listener), listener.port());
        if !bases.contains(&base) {
            bases.push(base);
        }
    }
    bases
}
