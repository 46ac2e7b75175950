//! A real allocation over each transport, by a TURN client that nobody here wrote.

mod attempt;
mod driver;
mod line;
mod secured;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use turn_credentials::mint_separated;

use super::{
    finding::Finding,
    ports::Place,
    subject::{Account, Listener, Part, Relay},
};
use crate::addresses;
use attempt::{Relayed, attempt};
use secured::{Expected, Uncertified};

/// How long the credential is good that is tried.
const LIFETIME: u64 = 120;

/// Who tries, as the server's logs and quotas know it.
const WHO: &str = "watari-check";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
    Tls,
    Dtls,
}

impl Transport {
    const fn word(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Dtls => "DTLS",
        }
    }
}

/// A way to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    transport: Transport,
    server: SocketAddr,
    /// The family of the relay that is asked for.
    relay_is_ipv4: bool,
}

/// Why nothing was relayed.
#[derive(Debug)]
enum Trouble {
    /// Nothing came back.
    Silent,
    /// It did not come so far.
    Line(io::Error),
    /// The server refused, with this code if it said one.
    Refused(Option<u16>),
    /// The server's rules forbid its own relay as a peer.
    PeerRefused,
    /// There is an allocation, and data gets lost.
    NotRelayed,
    /// There is no certificate that could be expected.
    Uncertified(Uncertified),
    /// Connections from this machine have to begin as a proxy's do.
    Proxied,
    Broken(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}

/// Tries each way on which a server of ours listens.
pub(super) fn look(
    relay: &Relay,
    places: &[(Listener, Place)],
    mut say: impl FnMut(Finding) -> io::Result<()>,
) -> io::Result<()> {
    let ways = ways(relay, places);
    if ways.is_empty() {
        return say(Finding::note("the relay does not run, so nothing is allocated")
            .or("start it, and run `watari check` again"));
    }
    let (account, origin) = match account(relay) {
        Ok(account) => account,
        Err(why) => {
            return say(Finding::note(format!("nothing is allocated: {why}"))
                .or("name the folder of the running suite with --state, or run this as root"));
        }
    };
    let expected = Expected::first(&relay.pairs);
    for way in ways {
        let tried = match is_proxied(relay, way) {
            true => Err(Trouble::Proxied),
            false => attempt(
                way,
                (&account.0, &account.1),
                expected.as_ref().map_err(|why| *why),
            ),
        };
        say(judge(way, tried, &origin))?;
    }
    Ok(())
}

/// Each transport at each address on which something of ours listens.
fn ways(relay: &Relay, places: &[(Listener, Place)]) -> Vec<Way> {
    let mut ways = Vec::new();
    let has_tls = relay
        .listeners
        .iter()
        .any(|listener| listener.part == Part::TurnTls);
    let listening = places.iter().filter(|(listener, place)| {
        relay.listeners.contains(listener) && matches!(place, Place::Ours(_) | Place::Hidden)
    });
    for (listener, _) in listening {
        let has_pairs = !relay.pairs.is_empty();
        let transports: &[Transport] = match listener.part {
            Part::Turn if relay.has_dtls => &[Transport::Udp, Transport::Dtls],
            Part::Turn => &[Transport::Udp],
            // Every TCP listener speaks TLS; it is tried where clients come for it.
            Part::TurnTcp if has_pairs && !has_tls => &[Transport::Tcp, Transport::Tls],
            Part::TurnTcp => &[Transport::Tcp],
            Part::TurnTls => &[Transport::Tls],
            Part::Stun
            | Part::StunTcp
            | Part::Page
            | Part::Https
            | Part::Signaling
            | Part::Metrics
            | Part::Acme => &[],
        };
        let server = reached(listener.address);
        let relay_is_ipv4 = relay_family(relay, server.is_ipv4());
        ways.extend(transports.iter().map(|transport| Way {
            transport: *transport,
            server,
            relay_is_ipv4,
        }));
    }
    ways.sort_by_key(|way| (way.transport as u8, way.server.is_ipv6()));
    ways.dedup();
    ways
}

/// Whether the server takes a connection from this machine, which comes from the address that it goes to, for a proxy's.
fn is_proxied(relay: &Relay, way: Way) -> bool {
    let is_stream = matches!(way.transport, Transport::Tcp | Transport::Tls);
    let mut proxies = relay.config.proxy_protocol.from.iter();
    is_stream && proxies.any(|network| network.contains(&way.server.ip()))
}

/// Where a listener is reached from this machine: at the address that others use, where there is one.
fn reached(mut listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => {
            addresses::on_the_network_v4().unwrap_or(Ipv4Addr::LOCALHOST.into())
        }
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            addresses::on_the_network_v6().unwrap_or(Ipv6Addr::LOCALHOST.into())
        }
        one @ (IpAddr::V4(_) | IpAddr::V6(_)) => one,
    };
    listener.set_ip(ip);
    listener
}

/// Relays are of the family by which the client comes, unless the settings have only the other.
fn relay_family(relay: &Relay, client_is_ipv4: bool) -> bool {
    let set = &relay.config.relay.addresses;
    let has = |ipv4: bool| {
        let addresses = set.iter().filter_map(|entry| entry.external.or(entry.local));
        addresses.into_iter().any(|address| address.is_ipv4() == ipv4)
    };
    match set.is_empty() || has(client_is_ipv4) {
        true => client_is_ipv4,
        false => !client_is_ipv4,
    }
}

/// Name and password, and where they are from.
fn account(relay: &Relay) -> Result<((String, String), String), &str> {
    match &relay.account {
        Account::Secret { secret, origin } => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let separator = relay.config.username_separator;
            let expires = now.as_secs() + LIFETIME;
            let credential = mint_separated(secret, separator, Some(WHO), expires);
            Ok(((credential.username, credential.password), origin.clone()))
        }
        Account::User { name, password } => {
            Ok(((name.clone(), password.clone()), format!("turn.users, of {name}")))
        }
        Account::None { why } => Err(why),
    }
}

fn judge(way: Way, tried: Result<Relayed, Trouble>, origin: &str) -> Finding {
    let transport = way.transport.word();
    let here = format!("TURN over {transport} at {}", way.server);
    match tried {
        Ok(Relayed { relay, round_trip }) => Finding::fine(format!(
            "{here}: allocated {relay}, and data went through and back in {}",
            milliseconds(round_trip)
        )),
        Err(Trouble::PeerRefused) => Finding::warning(
            format!(
                "{here}: allocated; the server's rules forbid its own relay as a peer (403), so nothing was sent through"
            ),
            "calls in which both sides need the relay fail: see whether turn.relay.addresses are those that the server has",
        ),
        Err(Trouble::Proxied) => Finding::note(format!(
            "{here}: not tried, as connections from this address have to begin with a PROXY header (turn.proxy_protocol.from)"
        ))
        .or("from elsewhere, by way of the proxy, the page /check tries it"),
        Err(Trouble::Uncertified(why)) => {
            let (why, todo) = why.words();
            Finding::warning(format!("{here}: not tried: {why}"), todo)
        }
        // Of sending: a server that nobody reaches is silent.
        Err(Trouble::Line(error)) if error.kind() == io::ErrorKind::PermissionDenied => Finding::warning(
            format!("{here}: not tried: this machine lets nothing out to there"),
            "a firewall refuses what this machine itself sends: see `nft list ruleset`; whether others come through, \
             `watari nat HOST` tells from elsewhere",
        ),
        Err(trouble) => {
            let (what, todo) = words(way, trouble, origin);
            Finding::problem(format!("{here}: {what}"), todo)
        }
    }
}

fn words(way: Way, trouble: Trouble, origin: &str) -> (String, String) {
    let port = way.server.port();
    let layer = match way.transport {
        Transport::Udp | Transport::Dtls => "udp",
        Transport::Tcp | Transport::Tls => "tcp",
    };
    let firewall = format!("a firewall may drop it: let {layer} port {port} in, and see `nft list ruleset`");
    match trouble {
        Trouble::Silent => ("no answer".to_owned(), firewall),
        // Of TLS: what it brought is not what was expected.
        Trouble::Line(error) if error.kind() == io::ErrorKind::InvalidData => {
            words(way, Trouble::Broken(error.to_string()), origin)
        }
        Trouble::Line(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => ("no connection".to_owned(), firewall),
        Trouble::Line(error) => (
            format!("{error}"),
            format!("see in the log whether the server listens there, and by which certificate; {firewall}"),
        ),
        Trouble::Refused(code) => refusal(code, origin),
        Trouble::NotRelayed => (
            "allocated, but data does not come through".to_owned(),
            "see turn_dropped_datagrams_total on the metrics page: its reason is named there".to_owned(),
        ),
        Trouble::Broken(why) => (
            format!("the handshake fails: {why}"),
            "the server shows another certificate than the settings name, or closed the connection: restart it, see its log".to_owned(),
        ),
        // Judged apart.
        Trouble::Proxied | Trouble::Uncertified(_) | Trouble::PeerRefused => ("the peer is refused".to_owned(), String::new()),
    }
}

fn refusal(code: Option<u16>, origin: &str) -> (String, String) {
    let todo = match code {
        Some(401) => {
            return (
                format!("the server does not believe the credential made from {origin} (401)"),
                "the server has another secret: restart it if that changed, or name the folder or the file that it has (--state)"
                    .to_owned(),
            );
        }
        Some(486) => "the quota of this user is used up: turn.limits.allocations_per_user",
        Some(508) => "all relay ports or allocations are taken: turn.limits.allocations, turn.relay.min_port",
        Some(300) => "turn.alternate sends clients to another server: try that one",
        Some(440) => "the relay has no address of that family: turn.relay.addresses",
        Some(_) | None => "the log of the server, with log.filter = \"debug\", says why",
    };
    let code = code.map_or_else(String::new, |code| format!(", with error {code}"));
    (format!("the server refuses to allocate{code}"), todo.to_owned())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests;
