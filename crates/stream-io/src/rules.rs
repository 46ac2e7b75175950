//! Which TLS connections are for TURN and which for the web.

use std::collections::HashMap;

/// ALPN identifiers of RFC 7443.
pub const TURN_PROTOCOLS: [&[u8]; 2] = [b"stun.turn", b"stun.nat-discovery"];
/// ALPN identifiers of HTTP, and of the challenge of RFC 8737, which whoever has the certificates answers.
const WEB_PROTOCOLS: [&[u8]; 4] = [b"h2", b"http/1.1", b"http/1.0", b"acme-tls/1"];

/// Where a connection goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// STUN and TURN, here.
    #[default]
    Turn,
    /// The web server, by way of the door.
    Web,
}

/// Decides by ALPN, then by the name that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    default: Destination,
    names: HashMap<String, Destination>,
}

impl Rules {
    /// Sends those who name no protocol to where `names` say, and the others to `default`. A name that begins with
    /// `*.` stands for all with one label in its place.
    pub fn new(default: Destination, names: impl IntoIterator<Item = (String, Destination)>) -> Self {
        Self {
            default,
            names: names
                .into_iter()
                .map(|(name, to)| (name.to_ascii_lowercase(), to))
                .collect(),
        }
    }

    /// Says where a client goes that offers `protocols` and asks for `name`.
    pub(crate) fn destination<'a>(
        &self,
        protocols: impl Iterator<Item = &'a [u8]>,
        name: Option<&str>,
    ) -> Destination {
        let mut web = false;
        for protocol in protocols {
            if TURN_PROTOCOLS.contains(&protocol) {
                return Destination::Turn;
            }
            web |= WEB_PROTOCOLS.contains(&protocol);
        }
        if web {
            return Destination::Web;
        }
        name.and_then(|name| self.by_name(name)).unwrap_or(self.default)
    }

    fn by_name(&self, name: &str) -> Option<Destination> {
        if self.names.is_empty() {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let wildcard = || {
            let (_, rest) = name.split_once('.')?;
            self.names.get(&format!("*.{rest}"))
        };
        self.names.get(&name).or_else(wildcard).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(rules: &Rules, protocols: &[&str], name: Option<&str>) -> Destination {
        rules.destination(protocols.iter().map(|protocol| protocol.as_bytes()), name)
    }

    #[test]
    fn a_protocol_decides_before_a_name_and_a_name_before_the_default() {
        let names = [
            ("WWW.example.org".to_owned(), Destination::Web),
            ("*.call.example".to_owned(), Destination::Web),
        ];
        let rules = Rules::new(Destination::Turn, names);
        assert_eq!(to(&rules, &[], None), Destination::Turn);
        assert_eq!(
            to(&rules, &["stun.turn"], Some("www.example.org")),
            Destination::Turn
        );
        assert_eq!(to(&rules, &["h2", "stun.nat-discovery"], None), Destination::Turn);
        for web in ["h2", "http/1.1", "acme-tls/1"] {
            assert_eq!(to(&rules, &[web], Some("turn.example.org")), Destination::Web);
        }
        assert_eq!(to(&rules, &["something"], None), Destination::Turn);
        for (name, expected) in [
            ("www.EXAMPLE.org", Destination::Web),
            ("a.call.example", Destination::Web),
            ("a.b.call.example", Destination::Turn),
            ("call.example", Destination::Turn),
        ] {
            assert_eq!(to(&rules, &[], Some(name)), expected, "{name}");
        }
        let all_web = Rules::new(Destination::Web, []);
        assert_eq!(to(&all_web, &[], Some("x.example")), Destination::Web);
    }
}
