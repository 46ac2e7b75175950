//! What `watari up` says once everything listens.

use std::{fmt::Write, net::SocketAddr, path::PathBuf};

use certificates::Pair;
use serde::Serialize;

use crate::{
    addresses::{is_name, page_hosts, reached_by},
    cli::VERSION,
    say::Colours,
    state,
};

/// Names of certificates that are shown; some have a hundred.
const MAX_NAMES: usize = 5;

/// Where everything listens, for people and for scripts.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Announcement {
    pub(crate) version: &'static str,
    /// Pages to open, one a listener.
    pub(crate) page: Vec<String>,
    pub(crate) turn: Vec<String>,
    pub(crate) stun: Vec<String>,
    /// Where clients of each dialect connect.
    pub(crate) signaling: Vec<String>,
    /// Endpoints that mint credentials for other applications.
    pub(crate) credentials: Vec<String>,
    pub(crate) metrics: Vec<String>,
    pub(crate) health: Vec<String>,
    pub(crate) state: PathBuf,
    /// The certificate of the authority that devices have to trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<PathBuf>,
    /// The first listener of TURN.
    #[serde(skip)]
    pub(crate) relay: Option<SocketAddr>,
    /// Whether clients of PeerJS and of y-webrtc are served.
    #[serde(skip)]
    foreign: [bool; 2],
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
        self.relay = listeners.first().copied();
        for place in bases(listeners, reached_by) {
            self.turn.push(format!("turn:{place}?transport=udp"));
            self.stun.push(format!("stun:{place}"));
        }
    }

    /// Adds the URIs of TURN over TCP served at these addresses.
    pub(crate) fn turn_over_tcp(&mut self, listeners: &[SocketAddr]) {
        let places = bases(listeners, reached_by);
        self.turn
            .extend(places.iter().map(|place| format!("turn:{place}?transport=tcp")));
    }

    /// Adds the URIs of TURN over TLS served at these addresses.
    pub(crate) fn turn_over_tls(&mut self, listeners: &[SocketAddr], pairs: &[Pair]) {
        let places = secure_bases(listeners, pairs, None);
        self.turn
            .extend(places.iter().map(|place| format!("turns:{place}?transport=tcp")));
    }

    /// Adds the URIs of TURN over DTLS (RFC 7350 §5) served at these addresses.
    pub(crate) fn turn_over_dtls(&mut self, listeners: &[SocketAddr], pairs: &[Pair]) {
        let places = secure_bases(listeners, pairs, None);
        self.turn
            .extend(places.iter().map(|place| format!("turns:{place}?transport=udp")));
    }

    /// Adds the URIs of STUN served at these addresses.
    pub(crate) fn stun(&mut self, listeners: &[SocketAddr]) {
        let places = bases(listeners, reached_by);
        self.stun
            .extend(places.iter().map(|place| format!("stun:{place}")));
    }

    /// Says which dialects pages that are added from now on are served with.
    pub(crate) fn dialects(&mut self, config: &signaling::Config) {
        self.foreign = [config.peerjs.enabled, config.y_webrtc.enabled];
    }

    /// Adds the page, signaling and credential endpoints served at these addresses.
    pub(crate) fn web(&mut self, listeners: &[SocketAddr]) {
        self.pages("", &bases(listeners, page_hosts));
    }

    /// The same over HTTPS, under names that the certificates are for.
    pub(crate) fn https(&mut self, listeners: &[SocketAddr], pairs: &[Pair]) {
        self.pages("s", &secure_bases(listeners, pairs, Some(443)));
    }

    fn pages(&mut self, s: &str, bases: &[String]) {
        for base in bases {
            self.page.push(format!("http{s}://{base}/"));
            self.signaling.push(format!("http{s}://{base}/socket.io/"));
            self.signaling.push(format!("ws{s}://{base}/ws"));
            let [peerjs, y_webrtc] = self.foreign;
            self.signaling
                .extend(peerjs.then(|| format!("http{s}://{base}/peerjs")));
            self.signaling
                .extend(y_webrtc.then(|| format!("ws{s}://{base}/y-webrtc")));
            self.credentials.push(format!("http{s}://{base}/turn"));
            self.credentials.push(format!("http{s}://{base}/ice"));
        }
    }

    /// Adds metrics and health served at these addresses.
    pub(crate) fn metrics(&mut self, listeners: &[SocketAddr]) {
        for base in bases(listeners, reached_by) {
            self.metrics.push(format!("http://{base}/metrics"));
            self.health.push(format!("http://{base}/healthz"));
            self.health.push(format!("http://{base}/readyz"));
        }
    }

    fn page_note(&self) -> &'static str {
        let is_local = |page: &String| page.starts_with("http://localhost:");
        if self.page.iter().any(|page| page.starts_with("https:")) {
            "at localhost and over HTTPS it has the camera"
        } else if self.page.iter().all(is_local) {
            "open it in two tabs"
        } else {
            "elsewhere than at localhost, browsers give a camera over HTTPS only"
        }
    }

    /// The table that people read, with the commands that mint credentials for this suite and tell how to trust it.
    pub(crate) fn table(&self, colours: Colours, companion: &str, trust: &str) -> String {
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
                let note = if note.is_empty() {
                    String::new()
                } else {
                    format!("  {faint}{note}{plain}")
                };
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  {strong}{name:<12}{plain} {link}{value}{plain}{note}");
            }
        };
        row("Call page", &self.page, self.page_note());
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
        if let Some(authority) = &self.authority {
            let fetched = self.page.iter().filter(|page| page.starts_with("https:"));
            let fetched = fetched.map(|page| format!("{page}authority.crt"));
            let places: Vec<_> = [authority.display().to_string()]
                .into_iter()
                .chain(fetched)
                .collect();
            row("Authority", &places, "devices have to trust it once");
        }
        if self.authority.is_some() {
            let _ = write!(text, "\nHow devices learn to trust it: {strong}{trust}{plain}");
        }
        let _ = write!(
            text,
            "\nFor another application: {strong}{companion}{plain}\n\
             To stop: {strong}Ctrl-C{plain}\n"
        );
        text
    }
}

/// `host:port` under which the listeners are reached; what comes out the same, as both loopback addresses do,
/// stands there once.
fn bases(listeners: &[SocketAddr], hosts: fn(SocketAddr) -> Vec<String>) -> Vec<String> {
    let mut bases: Vec<String> = Vec::new();
    for listener in listeners {
        for host in hosts(*listener) {
            let base = format!("{host}:{}", listener.port());
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
    }
    bases
}

/// `host[:port]` where a certificate says that the listener may be found; `default` is the port that is left out.
fn secure_bases(listeners: &[SocketAddr], pairs: &[Pair], default: Option<u16>) -> Vec<String> {
    let mut bases: Vec<String> = Vec::new();
    for listener in listeners {
        let bare = |host: &String| host.trim_matches(['[', ']']).to_owned();
        let is_certified = |host: &String| pairs.iter().any(|pair| pair.covers(&bare(host)));
        let own = page_hosts(*listener).into_iter().filter(is_certified);
        let named = pairs
            .iter()
            .flat_map(|pair| &pair.names)
            .filter(|name| is_name(name));
        for host in own.chain(named.take(MAX_NAMES).cloned()) {
            let port = match listener.port() {
                port if Some(port) == default => String::new(),
                port => format!(":{port}"),
            };
            let base = format!("{host}{port}");
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(web: &[&str]) -> String {
        let mut announcement = Announcement::new(PathBuf::from("/state"));
        let listeners: Vec<SocketAddr> = web.iter().map(|text| text.parse().unwrap()).collect();
        announcement.web(&listeners);
        announcement.table(Colours::on(&std::fs::File::open("/dev/null").unwrap()), "", "")
    }

    #[test]
    fn both_loopback_addresses_are_one_page() {
        let table = table(&["127.0.0.1:3001", "[::1]:3001"]);
        assert_eq!(table.matches("http://localhost:3001/\n").count(), 0, "{table}");
        assert_eq!(
            table
                .matches("http://localhost:3001/  open it in two tabs\n")
                .count(),
            1,
            "{table}"
        );
        assert!(!table.contains("HTTPS"), "{table}");
    }

    #[test]
    fn every_dialect_that_is_served_is_listed_and_no_other() {
        let mut config = signaling::Config::default();
        let listed = |config: &signaling::Config| {
            let mut announcement = Announcement::new(PathBuf::from("/state"));
            announcement.dialects(config);
            announcement.web(&["192.0.2.7:3001".parse().unwrap()]);
            announcement.signaling
        };
        let all = [
            "http://192.0.2.7:3001/socket.io/",
            "ws://192.0.2.7:3001/ws",
            "http://192.0.2.7:3001/peerjs",
            "ws://192.0.2.7:3001/y-webrtc",
        ];
        assert_eq!(listed(&config), all);
        config.peerjs.enabled = false;
        config.y_webrtc.enabled = false;
        assert_eq!(listed(&config), all[..2]);
    }

    #[test]
    fn a_page_for_other_machines_says_what_their_browsers_want() {
        let table = table(&["192.0.2.7:3001"]);
        assert!(table.contains("http://192.0.2.7:3001/  "), "{table}");
        assert!(table.contains("HTTPS"), "{table}");
    }

    #[test]
    fn a_page_on_all_addresses_is_at_localhost_too() {
        let table = table(&["0.0.0.0:3001"]);
        assert!(table.contains("Call page    http://localhost:3001/"), "{table}");
    }
}
