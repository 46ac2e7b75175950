//! Which address clients are told, and whether anyone can reach it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    finding::Finding,
    subject::{Relay, Subject},
};
use crate::{
    addresses,
    cli::CheckArgs,
    verbs::nat::{self, Outside},
};

/// How long a STUN server may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is known of this machine's addresses.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// What clients are told.
    told: Vec<Told>,
    /// What the interfaces have.
    interfaces: Vec<IpAddr>,
    /// How the world sees this machine, if somebody there was asked.
    outside: Option<Result<Outside, String>>,
    is_offline: bool,
}

/// An address of relays, as clients are told it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    address: IpAddr,
    /// Whether the settings say that a NAT stands before it.
    is_external: bool,
    /// The port of TURN there.
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Everywhere,
    /// Only within one network.
    Network,
    /// Only within the network of a provider (RFC 6598).
    Provider,
    Machine,
}

impl Facts {
    pub(super) fn look(subject: &Subject, arguments: &CheckArgs) -> Self {
        let asked = arguments.stun.as_ref().filter(|_| !arguments.offline);
        let outside = asked.map(|server| nat::outside(server, PATIENCE).map_err(|error| error.to_string()));
        Self {
            told: told(subject),
            interfaces: datagram_io::host_addresses(),
            outside,
            is_offline: arguments.offline,
        }
    }

    pub(super) fn judge(&self) -> Vec<Finding> {
        if self.told.is_empty() {
            return Vec::new();
        }
        let mut findings = Vec::new();
        match &self.outside {
            Some(Ok(outside)) => findings.extend(seen(outside)),
            Some(Err(error)) => findings.push(Finding::warning(
                format!("how the world sees this machine is not known: {error}"),
                "name another server with --stun, or look at the firewall",
            )),
            None if self.is_offline => findings.push(Finding::note("nobody outside was asked (--offline)")),
            None => findings.push(
                Finding::note("how the world sees this machine is not known: nobody outside was asked")
                    .or("`watari check --stun HOST` asks a STUN server of your choice"),
            ),
        }
        findings.extend(self.told.iter().map(|told| self.judge_one(told)));
        findings
    }

    fn judge_one(&self, told: &Told) -> Finding {
        let address = told.address;
        let has = self.interfaces.contains(&address);
        let seen = self.seen_ip(address);
        let open = "and let the router pass the ports of TURN and of the relay on to this machine";
        match reach(address) {
            Reach::Machine => Finding::note(format!(
                "clients are told {address}: only programs on this machine reach the relay"
            )),
            Reach::Provider => Finding::problem(
                format!(
                    "clients are told {address}, which is of a provider's shared network (CGNAT): nobody outside reaches it"
                ),
                "ask the provider for a public address, or run the relay on a machine that has one",
            ),
            Reach::Network => match seen {
                Some(public) if public != address => Finding::problem(
                    format!("clients are told {address}, a private address, while the world sees {public}"),
                    format!("set turn.relay.addresses = [{{ external = \"{public}\" }}] {open}"),
                ),
                _ if told.is_external => Finding::problem(
                    format!(
                        "turn.relay.addresses tells clients {address}, a private address, as the external one"
                    ),
                    "set `external` to the public address; `watari check --stun HOST` tells it",
                ),
                _ => Finding::warning(
                    format!(
                        "clients are told {address}, a private address: only this network reaches the relay"
                    ),
                    format!(
                        "if others are to: set turn.relay.addresses = [{{ external = \"…\" }}] to the public address, \
                         which `watari check --stun HOST` tells, {open}"
                    ),
                ),
            },
            Reach::Everywhere => match seen {
                Some(public) if public != address && !has => Finding::problem(
                    format!("clients are told {address}, while the world sees {public}"),
                    format!("correct `external` in turn.relay.addresses {open}"),
                ),
                Some(public) if public == address => Finding::fine(format!(
                    "clients are told {address}, as the world sees this machine"
                )),
                _ if has => Finding::fine(format!("clients are told {address}, which an interface has")),
                _ if told.is_external => Finding::note(format!(
                    "clients are told {address}, which no interface has: a NAT has to lead it here"
                ))
                .or("`watari check --stun HOST` tells whether the world sees this address"),
                _ => Finding::problem(
                    format!("clients are to be told {address}, which no interface of this machine has"),
                    "correct `local` in turn.relay.addresses; behind a NAT, the public address is `external`",
                ),
            },
        }
    }

    /// The public address of the same family.
    fn seen_ip(&self, like: IpAddr) -> Option<IpAddr> {
        let outside = self.outside.as_ref()?.as_ref().ok()?;
        let ip = outside.public.ip();
        (ip.is_ipv4() == like.is_ipv4()).then_some(ip)
    }
}

fn seen(outside: &Outside) -> Vec<Finding> {
    let Outside {
        public, local, words, ..
    } = outside;
    let mut findings = Vec::new();
    if reach(public.ip()) == Reach::Provider {
        findings.push(Finding::problem(
            format!("the server that was asked sees {}, which is of a provider's shared network (CGNAT)", public.ip()),
            "ask a server in the public internet; if that sees such an address, too, ask the provider for a public one",
        ));
    } else if public == local {
        findings.push(Finding::fine(format!(
            "the world sees this machine as {}, without a NAT",
            public.ip()
        )));
    } else {
        let ip = public.ip();
        findings.push(Finding::fine(format!(
            "the world sees this machine as {ip}, through a NAT"
        )));
    }
    if outside.is_symmetric == Some(true) {
        findings.push(Finding::warning(
            "the NAT takes another port for each destination (symmetric): its ports cannot be known to clients",
            "forward the ports of TURN and of the relay to this machine one to one",
        ));
    } else {
        findings.push(Finding::note(format!("as a peer, this machine {words}")));
    }
    findings
}

fn told(subject: &Subject) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    for one in subject.relays.iter().flat_map(told_by) {
        if !told.contains(&one) {
            told.push(one);
        }
    }
    told
}

fn told_by(relay: &Relay) -> Vec<Told> {
    let config = &relay.config;
    let port = config.listen.iter().map(SocketAddr::port).find(|port| *port != 0);
    let set = config.relay.addresses.iter().filter_map(|entry| {
        let address = entry.external.or(entry.local)?;
        Some(Told {
            address,
            is_external: entry.external.is_some() && entry.external != entry.local,
            port,
        })
    });
    let of_listener = |ip: IpAddr| match (ip.is_unspecified(), ip.is_ipv4()) {
        (true, true) => addresses::on_the_network_v4(),
        (true, false) => addresses::on_the_network_v6(),
        (false, true | false) => Some(ip),
    };
    let mut told: Vec<_> = set.collect();
    if told.is_empty() {
        let reached = config.listen.iter().map(SocketAddr::ip).filter_map(of_listener);
        told.extend(reached.map(|address| Told {
            address,
            is_external: false,
            port,
        }));
    }
    told
}

fn reach(address: IpAddr) -> Reach {
    const SHARED: u32 = 0x6440_0000;
    match address {
        ip if ip.is_loopback() => Reach::Machine,
        IpAddr::V4(ip) if u32::from(ip) & 0xFFC0_0000 == SHARED => Reach::Provider,
        IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() || ip == Ipv4Addr::UNSPECIFIED => {
            Reach::Network
        }
        IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Reach::Network,
        IpAddr::V4(_) | IpAddr::V6(_) => Reach::Everywhere,
    }
}

/// Whether the running server is reached at what clients are told, by the way back in.
pub(super) fn reachability(subject: &Subject, facts: &Facts, runs: bool) -> Vec<Finding> {
    if subject.relays.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let is_asked = runs && !facts.is_offline;
    let away = facts
        .told
        .iter()
        .filter(|told| is_asked && told.is_external && !facts.interfaces.contains(&told.address));
    findings.extend(away.filter_map(|told| Some(hairpin(SocketAddr::new(told.address, told.port?)))));
    findings.push(
        Finding::note("whether others reach the ports cannot be seen from this machine")
            .or("from elsewhere, `watari nat HOST` and the page /check tell it, over each transport"),
    );
    findings
}

fn hairpin(place: SocketAddr) -> Finding {
    match nat::answers(place, PATIENCE) {
        Ok(true) => Finding::fine(format!("the server answers at {place}, by way of the NAT")),
        Ok(false) => Finding::note(format!(
            "the server does not answer at {place} from here: the NAT leads nobody back in who is behind it, or the port is \
             not forwarded"
        ))
        .or("have it forward the port; clients within this network may need hairpinning, or the private address"),
        Err(error) => Finding::note(format!("{place} cannot be asked from here: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Grade, *};

    fn facts(told: &str, is_external: bool, interfaces: &[&str], public: Option<&str>) -> Facts {
        let outside = |public: &str| Outside {
            public: public.parse().unwrap(),
            local: "10.0.0.5:1".parse().unwrap(),
            words: "",
            is_symmetric: None,
        };
        Facts {
            told: vec![Told {
                address: told.parse().unwrap(),
                is_external,
                port: Some(3478),
            }],
            interfaces: interfaces.iter().map(|text| text.parse().unwrap()).collect(),
            outside: public.map(|public| Ok(outside(public))),
            is_offline: false,
        }
    }

    fn judged(told: &str, is_external: bool, interfaces: &[&str], public: Option<&str>) -> Finding {
        facts(told, is_external, interfaces, public)
            .judge()
            .pop()
            .unwrap()
    }

    #[test]
    fn a_private_address_is_a_problem_once_the_world_sees_another() {
        let alone = judged("10.0.0.5", false, &["10.0.0.5"], None);
        assert_eq!(alone.grade, Grade::Warning);
        let behind = judged("10.0.0.5", false, &["10.0.0.5"], Some("203.0.113.7:4000"));
        assert_eq!(behind.grade, Grade::Problem);
        assert!(behind.todo.unwrap().contains("external = \"203.0.113.7\""));
        assert_eq!(judged("192.168.1.9", true, &[], None).grade, Grade::Problem);
        let shared = judged("100.64.3.1", false, &["100.64.3.1"], None);
        assert!(
            shared.grade == Grade::Problem && shared.what.contains("CGNAT"),
            "{shared:?}"
        );
    }

    #[test]
    fn an_external_address_has_to_be_the_one_that_the_world_sees() {
        assert_eq!(
            judged("203.0.113.7", true, &[], Some("203.0.113.7:1")).grade,
            Grade::Fine
        );
        assert_eq!(
            judged("203.0.113.7", true, &[], Some("203.0.113.8:1")).grade,
            Grade::Problem
        );
        assert_eq!(judged("203.0.113.7", true, &[], None).grade, Grade::Note);
        assert_eq!(
            judged("203.0.113.7", false, &["203.0.113.7"], None).grade,
            Grade::Fine
        );
        assert_eq!(judged("203.0.113.7", false, &[], None).grade, Grade::Problem);
        // What is seen over IPv4 says nothing of IPv6.
        assert_eq!(
            judged("2001:db8::1", false, &["2001:db8::1"], Some("203.0.113.8:1")).grade,
            Grade::Fine
        );
    }

    #[test]
    fn loopback_is_for_this_machine_alone() {
        assert_eq!(
            judged("127.0.0.1", false, &["127.0.0.1"], None).grade,
            Grade::Note
        );
    }
}
