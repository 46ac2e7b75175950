//! Ports: free, ours, or somebody else's; and the range of the relay.

use std::{fs, io, net::SocketAddr, ops::RangeInclusive};

use signaling_load::sockets::{Process, Sockets};
use socket2::{Domain, Socket, Type};

use super::{
    finding::Finding,
    subject::{Listener, Relay, Subject},
};

/// Programs of ours, as the kernel names their processes.
const OURS: [&str; 5] = ["watari", "turn-server", "stun-server", "signaling", "demo-web"];

fn is_ours(process: &Process) -> bool {
    OURS.contains(&process.name.as_str())
}

/// What there is at the place of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    /// A server of ours listens.
    Ours(Process),
    /// Systemd does, for a service that it starts when somebody comes.
    Activated,
    /// Somebody else does.
    Taken(Process),
    /// Somebody does whom this user may not see.
    Hidden,
    /// Nobody does, and yet it cannot be bound.
    Unusable(io::ErrorKind),
}

/// Each listener with what is at its place; port 0 is one of the system's choice, of which nothing can be said.
pub(super) fn look(subject: &Subject, sockets: &Sockets) -> Vec<(Listener, Place)> {
    let fixed = subject
        .listeners
        .iter()
        .filter(|listener| listener.address.port() != 0);
    fixed
        .map(|listener| (listener.clone(), place(listener, sockets)))
        .collect()
}

fn place(listener: &Listener, sockets: &Sockets) -> Place {
    let is_udp = listener.part.is_udp();
    let mut held = sockets.at(is_udp, listener.address).peekable();
    if held.peek().is_some() {
        return held_by(held.map(|bound| sockets.holder(bound)));
    }
    match bind(is_udp, listener.address) {
        Ok(()) => Place::Free,
        // By one of the other family that takes both.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let port = listener.address.port();
            let same = sockets
                .bound
                .iter()
                .filter(|bound| bound.is_udp == is_udp && bound.address.port() == port);
            held_by(same.map(|bound| sockets.holder(bound)))
        }
        Err(error) => Place::Unusable(error.kind()),
    }
}

fn held_by<'a>(processes: impl Iterator<Item = Option<&'a Process>>) -> Place {
    let mut place = Place::Hidden;
    for process in processes.flatten() {
        if is_ours(process) {
            place = Place::Ours(process.clone());
        } else if !process.is_systemd() {
            return Place::Taken(process.clone());
        } else if place == Place::Hidden {
            place = Place::Activated;
        }
    }
    place
}

/// Binds it as a server would, and lets go of it at once.
fn bind(is_udp: bool, address: SocketAddr) -> io::Result<()> {
    let kind = if is_udp { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if !is_udp {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())
}

/// Says of each place what it means; `serves` is whether a server of ours answers on this machine.
pub(super) fn judge(places: &[(Listener, Place)], serves: bool) -> Vec<Finding> {
    let runs = serves || places.iter().any(|(_, place)| matches!(place, Place::Ours(_)));
    let mut findings: Vec<Finding> = Vec::new();
    for (listener, place) in places {
        let finding = one(listener, place, runs);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    if findings.is_empty() {
        findings.push(Finding::note("all ports are of the system's choice"));
    }
    findings
}

fn one(listener: &Listener, place: &Place, runs: bool) -> Finding {
    let (what, key) = listener.part.words();
    let address = listener.address;
    let transport = if listener.part.is_udp() { "UDP" } else { "TCP" };
    let here = format!("{address} ({transport}) for {what}");
    match place {
        Place::Ours(Process { pid, name }) => Finding::fine(format!("{here}: {name} ({pid}) listens")),
        Place::Free if runs => Finding::warning(
            format!("{here}: nobody listens, though a server of ours runs"),
            "it runs with other settings, or with older ones: restart it, or check the file that it has",
        ),
        Place::Free => Finding::fine(format!("{here}: free")),
        Place::Activated => Finding::note(format!(
            "{here}: systemd listens, for a service that it starts when somebody comes"
        ))
        .or(format!(
            "`systemctl list-sockets` tells for which; if it is not this server, end that unit, or choose another port with {key}"
        )),
        Place::Taken(Process { pid, name }) => Finding::problem(
            format!("{here}: taken by {name} (process {pid})"),
            format!("end that program, or choose another port with {key}"),
        ),
        Place::Hidden if runs => Finding::fine(format!("{here}: in use, it seems by the server that runs")),
        Place::Hidden => Finding::warning(
            format!("{here}: in use by a program that this user may not see"),
            format!(
                "run `watari check` as root, who may; if it is not the server, end it, or choose another port with {key}"
            ),
        ),
        Place::Unusable(kind) => unusable(&here, address, key, *kind),
    }
}

fn unusable(here: &str, address: SocketAddr, key: &str, kind: io::ErrorKind) -> Finding {
    if kind == io::ErrorKind::PermissionDenied {
        return Finding::warning(
            format!("{here}: free, but this user may not listen on ports below 1024"),
            format!(
                "the unit and the container give the capability; elsewhere \
                 `setcap cap_net_bind_service=+ep $(command -v watari)`, or a port above 1023 for {key}"
            ),
        );
    }
    if address.is_ipv6() && (address.ip().is_unspecified() || address.ip().is_loopback()) {
        return Finding::note(format!("{here}: this machine has no IPv6"));
    }
    Finding::problem(
        format!("{here}: no network interface of this machine has that address"),
        format!("correct {key}, or give the interface its address before the server starts"),
    )
}

/// What is known of the range of relays.
#[derive(Debug, Default)]
pub(super) struct Range {
    pub(super) relays: Option<RangeInclusive<u16>>,
    /// From where the kernel takes ports for those who do not choose one.
    pub(super) ephemeral: Option<RangeInclusive<u16>>,
    /// What is left out of that.
    pub(super) reserved: Vec<RangeInclusive<u16>>,
    /// Listeners of ours over UDP.
    pub(super) listeners: Vec<u16>,
    /// Those of others in the range.
    pub(super) strangers: Vec<(u16, Process)>,
}

impl Range {
    pub(super) fn look(relay: &Relay, subject: &Subject, sockets: &Sockets) -> Self {
        let relay = &relay.config.relay;
        let relays = relay.min_port..=relay.max_port;
        let kernel =
            |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap_or_default();
        let udp = subject.listeners.iter().filter(|listener| listener.part.is_udp());
        let within = sockets.bound.iter().filter(|bound| {
            bound.is_udp && relays.contains(&bound.address.port()) && !bound.address.ip().is_loopback()
        });
        let held = within.filter_map(|bound| Some((bound.address.port(), sockets.holder(bound)?.clone())));
        Self {
            ephemeral: pair(&kernel("ip_local_port_range")),
            reserved: kernel("ip_local_reserved_ports")
                .trim()
                .split(',')
                .filter_map(range)
                .collect(),
            listeners: udp.map(|listener| listener.address.port()).collect(),
            strangers: held.filter(|(_, process)| !is_ours(process)).collect(),
            relays: Some(relays),
        }
    }

    pub(super) fn judge(&self) -> Vec<Finding> {
        let Some(relays) = &self.relays else {
            return Vec::new();
        };
        let (first, last) = (relays.start(), relays.end());
        let named = format!("relay ports {first} to {last}");
        let mut findings = Vec::new();
        for port in self.listeners.iter().filter(|port| relays.contains(port)) {
            findings.push(Finding::warning(
                format!("{named}: the listener's port {port} is among them"),
                "choose another range with turn.relay.min_port and max_port",
            ));
        }
        if let Some((port, Process { pid, name })) = self.strangers.first() {
            let more = match self.strangers.len() {
                1 => String::new(),
                many => format!(", and {} more", many - 1),
            };
            findings.push(Finding::note(format!(
                "{named}: {name} (process {pid}) has {port}{more}; the relay passes over ports that are taken"
            )));
        }
        let reserved = relays
            .clone()
            .all(|port| self.reserved.iter().any(|range| range.contains(&port)));
        match &self.ephemeral {
            Some(range) if range.start() <= last && first <= range.end() && !reserved => {
                let (from, to) = (range.start(), range.end());
                findings.push(
                    Finding::note(format!(
                        "{named}: the kernel gives {from} to {to} to others, too, and the relay passes over what is taken"
                    ))
                    .or(format!(
                        "to have them all: `sysctl -w net.ipv4.ip_local_reserved_ports={first}-{last}`"
                    )),
                );
            }
            _ if findings.is_empty() => {
                findings.push(Finding::fine(format!("{named}: nobody else takes them")))
            }
            _ => {}
        }
        findings
    }
}

/// `32768 60999`.
fn pair(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

/// `49152-65535` or `8080`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{finding::Grade, subject::Part},
        *,
    };

    fn listener(part: Part, address: &str) -> Listener {
        let address = at(address);
        Listener { part, address }
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn judged(part: Part, address: &str, place: Place, serves: bool) -> Finding {
        judge(&[(listener(part, address), place)], serves).remove(0)
    }

    #[test]
    fn who_has_a_port_is_told_and_how_to_move() {
        let sockets = Sockets::of(&[
            (true, at("0.0.0.0:3478"), Some((7, "turnserver"))),
            (false, at("0.0.0.0:3478"), Some((8, "watari"))),
            (false, at("127.0.0.1:9641"), None),
        ]);
        let place = |part, address: &str| place(&listener(part, address), &sockets);
        let coturn = place(Part::Turn, "192.0.2.1:3478");
        let finding = judged(Part::Turn, "192.0.2.1:3478", coturn, false);
        assert_eq!(finding.grade, Grade::Problem);
        assert!(finding.what.contains("turnserver (process 7)"), "{finding:?}");
        assert!(finding.todo.unwrap().contains("turn.listen"));
        assert!(matches!(
            place(Part::TurnTcp, "0.0.0.0:3478"),
            Place::Ours(Process { pid: 8, .. })
        ));
        assert_eq!(place(Part::Metrics, "127.0.0.1:9641"), Place::Hidden);
        let hidden = judged(Part::Metrics, "127.0.0.1:9641", Place::Hidden, false);
        assert_eq!(hidden.grade, Grade::Warning);
        assert!(hidden.todo.unwrap().contains("as root"));
        assert_eq!(
            judged(Part::Metrics, "127.0.0.1:9641", Place::Hidden, true).grade,
            Grade::Fine
        );
    }

    #[test]
    fn a_socket_that_systemd_keeps_for_a_service_is_not_a_strangers() {
        let page = "127.0.0.1:3001";
        let place = |holders: &[(u32, &str)]| {
            let given: Vec<_> = holders
                .iter()
                .map(|holder| (false, at(page), Some(*holder)))
                .collect();
            place(&listener(Part::Page, page), &Sockets::of(&given))
        };
        let kept = place(&[(1, "systemd")]);
        assert_eq!(kept, Place::Activated);
        assert_eq!(judged(Part::Page, page, kept, false).grade, Grade::Note);
        for both in [[(1, "systemd"), (7, "watari")], [(7, "watari"), (1, "systemd")]] {
            assert!(matches!(place(&both), Place::Ours(Process { pid: 7, .. })));
        }
        assert!(matches!(place(&[(1, "systemd"), (8, "nginx")]), Place::Taken(_)));
    }

    #[test]
    fn a_free_port_is_fine_until_a_server_runs_without_it() {
        assert_eq!(
            judged(Part::Page, "127.0.0.1:3001", Place::Free, false).grade,
            Grade::Fine
        );
        let finding = judged(Part::Page, "127.0.0.1:3001", Place::Free, true);
        assert_eq!(finding.grade, Grade::Warning);
        assert!(finding.todo.unwrap().contains("restart it"));
    }

    #[test]
    fn what_cannot_be_bound_says_why() {
        let low = Place::Unusable(io::ErrorKind::PermissionDenied);
        assert!(
            judged(Part::Https, "0.0.0.0:443", low, false)
                .todo
                .unwrap()
                .contains("cap_net_bind_service")
        );
        let away = Place::Unusable(io::ErrorKind::AddrNotAvailable);
        assert_eq!(
            judged(Part::Turn, "192.0.2.1:3478", away.clone(), false).grade,
            Grade::Problem
        );
        assert_eq!(judged(Part::Turn, "[::]:3478", away, false).grade, Grade::Note);
    }

    #[test]
    fn the_range_of_relays_is_compared_with_what_the_kernel_gives_away() {
        let mut range = Range {
            relays: Some(49_152..=65_535),
            ephemeral: pair("32768\t60999\n"),
            listeners: vec![3478],
            ..Range::default()
        };
        let told = range.judge();
        assert_eq!(told[0].grade, Grade::Note);
        assert!(
            told[0]
                .todo
                .as_ref()
                .unwrap()
                .contains("ip_local_reserved_ports=49152-65535")
        );
        range.reserved = ["8080", "49152-65535"]
            .into_iter()
            .filter_map(super::range)
            .collect();
        assert_eq!(range.judge()[0].grade, Grade::Fine);
        range.listeners.push(50_000);
        assert_eq!(range.judge()[0].grade, Grade::Warning);
    }
}
