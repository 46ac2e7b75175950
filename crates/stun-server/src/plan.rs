//! From what an operator wrote to what the core is told, with every mistake on the way.

use std::net::SocketAddr;

use datagram_io::overlapping;
use stun_core::{Behaviour, MappedAddress};

use crate::config::Config;

/// RFC 8489 §14.14: less than 128 characters.
const MAX_SOFTWARE: usize = 127;

/// Something that keeps a configuration from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The dotted key within the table of [`Config`].
    pub(crate) key: &'static str,
    /// What is wrong with it.
    pub(crate) what: String,
}

/// What a configuration means.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What the core is told; its listeners are filled in once their ports are known.
    pub(crate) core: stun_core::Config,
    /// The addresses to bind.
    pub(crate) listen: Vec<SocketAddr>,
}

impl Plan {
    /// Turns the configuration into a plan, or lists all its mistakes.
    pub(crate) fn new(config: &Config) -> Result<Self, Vec<Mistake>> {
        let mut found = Vec::new();
        if config.software.chars().count() > MAX_SOFTWARE {
            found.push(Mistake {
                key: "software",
                what: format!("is longer than {MAX_SOFTWARE} characters"),
            });
        }
        let behaviours = behaviours(config, &mut found);
        let mut listen: Vec<_> = behaviours.iter().flat_map(Behaviour::listeners).collect();
        let covered = |address: &SocketAddr| {
            behaviours
                .iter()
                .any(|b| b.listeners()[0].is_ipv4() == address.is_ipv4())
        };
        listen.extend(config.listen.iter().filter(|address| !covered(address)));
        if listen.is_empty() {
            let what = "names no address: nothing could reach the server".to_owned();
            found.push(Mistake { key: "listen", what });
        }
        if let Some((earlier, later)) = overlapping(&listen) {
            let what = format!("{} and {} take the same port", listen[earlier], listen[later]);
            found.push(Mistake { key: "listen", what });
        }
        if !found.is_empty() {
            return Err(found);
        }
        let core = stun_core::Config {
            software: (!config.software.is_empty()).then(|| config.software.clone()),
            classic: config.classic_stun,
            behaviours,
            listeners: Vec::new(),
        };
        Ok(Self { core, listen })
    }
}

/// One for each family that has two addresses.
fn behaviours(config: &Config, found: &mut Vec<Mistake>) -> Vec<Behaviour> {
    let addresses = config.behaviour.addresses.iter().map(|address| MappedAddress {
        local: address.local,
        external: address.external.unwrap_or(address.local),
    });
    let (v4, v6): (Vec<_>, Vec<_>) = addresses.partition(|address| address.local.is_ipv4());
    let mut behaviours = Vec::new();
    for of_family in [v4, v6] {
        match of_family[..] {
            [] => {}
            [one, other] => match Behaviour::new([one, other], config.behaviour.ports) {
                Ok(behaviour) => behaviours.push(behaviour),
                Err(error) => found.push(Mistake {
                    key: key_of(&error),
                    what: error.to_string(),
                }),
            },
            _ => found.push(Mistake {
                key: "behaviour.addresses",
                what: "a family needs exactly two addresses to discover how a NAT behaves".to_owned(),
            }),
        }
    }
    behaviours
}

fn key_of(error: &stun_core::BehaviourError) -> &'static str {
    use stun_core::BehaviourError::{Families, SameAddress, SamePort, Unspecified, ZeroPort};
    match error {
        SameAddress | Families | Unspecified => "behaviour.addresses",
        SamePort | ZeroPort => "behaviour.ports",
    }
}
