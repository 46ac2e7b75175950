//! What was found out, as people read it.

use std::fmt::Write;

use super::report::{Dependence, Finding, Lifetime, Report, Unknown};
use crate::say::Colours;

/// Writes the report as a table, with a sentence about WebRTC below it.
pub(super) fn words(report: &Report, colours: Colours) -> String {
    let Colours {
        strong,
        link,
        faint,
        plain,
        ..
    } = colours;
    let mut text = format!(
        "{strong}{}{plain}, as {} sees it\n\n",
        headline(report),
        report.server
    );
    for (name, value, note) in rows(report) {
        let note = if note.is_empty() {
            String::new()
        } else {
            format!("  {faint}{note}{plain}")
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {strong}{name:<13}{plain} {link}{value}{plain}{note}");
    }
    let _ = write!(text, "\n{strong}WebRTC{plain} {}.\n", report.webrtc.words);
    if report.mapping == Finding::Unknown(Unknown::NoSecondAddress) {
        text.push_str(
            "The server has no second address: only the public address could be learned.\n\
             `watari up` has one with the key stun.behaviour.addresses.\n",
        );
    }
    text
}

fn headline(report: &Report) -> &'static str {
    match (report.nat, &report.filtering) {
        (true, _) => "Behind a NAT",
        (false, Finding::Found(Dependence::AddressDependent | Dependence::AddressAndPortDependent)) => {
            "No NAT, but a firewall"
        }
        (false, _) => "No NAT",
    }
}

fn rows(report: &Report) -> Vec<(&'static str, String, String)> {
    let kept = match (report.nat, report.port_kept) {
        (false, _) => "the same",
        (true, true) => "the port is kept",
        (true, false) => "",
    };
    let mut rows = vec![
        ("This machine", report.local.to_string(), String::new()),
        ("Public", report.public.to_string(), kept.to_owned()),
        row("Mapping", &report.mapping, |dependence| {
            (dependence_name(dependence), mapping_note(dependence))
        }),
        row("Filtering", &report.filtering, |dependence| {
            (dependence_name(dependence), filtering_note(dependence))
        }),
        row("Hairpinning", &report.hairpinning, hairpinning),
    ];
    if let Some(found) = &report.lifetime {
        rows.push(lifetime(found));
    }
    rows
}

fn row<T: Copy>(
    name: &'static str,
    finding: &Finding<T>,
    words: impl Fn(T) -> (&'static str, &'static str),
) -> (&'static str, String, String) {
    match finding {
        Finding::Found(found) => {
            let (value, note) = words(*found);
            (name, value.to_owned(), note.to_owned())
        }
        Finding::Unknown(why) => unknown(name, why),
    }
}

fn unknown(name: &'static str, why: &Unknown) -> (&'static str, String, String) {
    let value = if *why == Unknown::NoNat {
        "–"
    } else {
        "not known"
    };
    (name, value.to_owned(), why.to_string())
}

fn dependence_name(dependence: Dependence) -> &'static str {
    match dependence {
        Dependence::EndpointIndependent => "endpoint-independent",
        Dependence::AddressDependent => "address-dependent",
        Dependence::AddressAndPortDependent => "address- and port-dependent",
    }
}

fn mapping_note(dependence: Dependence) -> &'static str {
    match dependence {
        Dependence::EndpointIndependent => "one public address towards everybody",
        Dependence::AddressDependent => "another public address towards each address (symmetric)",
        Dependence::AddressAndPortDependent => {
            "another public address towards each address and port (symmetric)"
        }
    }
}

fn filtering_note(dependence: Dependence) -> &'static str {
    match dependence {
        Dependence::EndpointIndependent => "lets in anybody, once this machine has sent something",
        Dependence::AddressDependent => "lets in addresses that this machine has sent to",
        Dependence::AddressAndPortDependent => "lets in addresses and ports that this machine has sent to",
    }
}

fn hairpinning(works: bool) -> (&'static str, &'static str) {
    if works {
        (
            "yes",
            "machines behind this NAT reach each other by public address",
        )
    } else {
        (
            "no",
            "machines behind this NAT need private addresses or a relay between them",
        )
    }
}

fn lifetime(finding: &Finding<Lifetime>) -> (&'static str, String, String) {
    const NAME: &str = "Idle binding";
    match finding {
        Finding::Found(Lifetime {
            alive_after,
            gone_after: Some(gone_after),
        }) => (
            NAME,
            format!("alive after {alive_after} s, gone after {gone_after} s"),
            String::new(),
        ),
        Finding::Found(Lifetime { alive_after, .. }) => {
            (NAME, format!("alive after {alive_after} s"), String::new())
        }
        Finding::Unknown(why) => unknown(NAME, why),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::advice::advice, *};

    fn report() -> Report {
        let mapping = Finding::Found(Dependence::EndpointIndependent);
        let filtering = Finding::Found(Dependence::AddressAndPortDependent);
        Report {
            server: "192.0.2.1:3479".parse().unwrap(),
            second_address: Some("192.0.2.2:3480".parse().unwrap()),
            local: "10.0.0.2:50000".parse().unwrap(),
            public: "203.0.113.9:61000".parse().unwrap(),
            nat: true,
            port_kept: false,
            webrtc: advice(true, &mapping, &filtering),
            mapping,
            filtering,
            hairpinning: Finding::Found(false),
            lifetime: None,
        }
    }

    fn shown(report: &Report) -> String {
        words(report, Colours::on(&std::fs::File::open("/dev/null").unwrap()))
    }

    #[test]
    fn the_table_says_what_was_found_in_plain_words() {
        let text = shown(&report());
        for line in [
            "Behind a NAT, as 192.0.2.1:3479 sees it\n",
            "  This machine  10.0.0.2:50000\n",
            "  Public        203.0.113.9:61000\n",
            "  Mapping       endpoint-independent  one public address towards everybody\n",
            "  Filtering     address- and port-dependent  lets in",
            "  Hairpinning   no  ",
            "WebRTC connects directly with most peers; needs a relay with peers behind a symmetric NAT",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
        assert!(!text.contains("Idle binding"), "{text}");
    }

    #[test]
    fn a_server_with_one_address_is_named_as_the_reason() {
        let none = Finding::Unknown(Unknown::NoSecondAddress);
        let report = Report {
            mapping: none.clone(),
            filtering: none,
            lifetime: Some(Finding::Found(Lifetime {
                alive_after: 30,
                gone_after: Some(45),
            })),
            ..report()
        };
        let text = shown(&report);
        assert!(
            text.contains("only the public address could be learned"),
            "{text}"
        );
        assert!(
            text.contains("Idle binding  alive after 30 s, gone after 45 s\n"),
            "{text}"
        );
    }

    #[test]
    fn json_has_one_word_for_each_finding() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["mapping"]["found"], "endpoint_independent");
        assert_eq!(json["filtering"]["found"], "address_and_port_dependent");
        assert_eq!(json["hairpinning"]["found"], false);
        assert_eq!(json["webrtc"]["relay"], "with_symmetric_peers");
        assert_eq!(json.get("lifetime"), None);
        let refused: Finding<bool> = Finding::Unknown(Unknown::ChangeRefused { code: 420 });
        let json = serde_json::to_value(refused).unwrap();
        assert_eq!(json["unknown"]["change_refused"]["code"], 420);
        let json = serde_json::to_value(Finding::<bool>::Unknown(Unknown::NoNat)).unwrap();
        assert_eq!(json["unknown"], "no_nat");
    }
}
