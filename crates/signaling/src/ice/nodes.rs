//! Several TURN servers, of which each client is told a few.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use turn_credentials::Secret;

use super::{
    choice::{Candidate, choose},
    secret::{self, SecretError},
    url::udp_target,
};
use crate::config::{IceConfig, NodeConfig};

/// The nodes of the configuration.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) all: Vec<Node>,
    per_client: usize,
}

/// One TURN server.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) urls: Vec<String>,
    region: Option<String>,
    weight: u32,
    /// Host and port that answer Binding requests.
    pub(super) probe: String,
    pub(super) secret: Secret,
    /// Taken for healthy until it is known not to be.
    is_healthy: AtomicBool,
}

impl Nodes {
    /// Takes the nodes of `config`; those without a secret of their own check credentials with `shared`.
    pub(super) fn new(config: &IceConfig, shared: Option<&Secret>) -> Result<Self, SecretError> {
        let nodes = config.nodes.iter().enumerate();
        let nodes = nodes.map(|(index, node)| Node::new(index, node, shared));
        Ok(Self {
            all: nodes.collect::<Result<_, _>>()?,
            per_client: config.nodes_per_client,
        })
    }

    /// The nodes that `user` is told, the best first.
    pub(super) fn chosen(&self, region: Option<&str>, user: &str) -> impl Iterator<Item = &Node> {
        let candidates: Vec<_> = self.all.iter().map(Node::candidate).collect();
        let chosen = choose(&candidates, region, user, self.per_client);
        chosen.into_iter().map(|place| &self.all[place])
    }

    /// Takes those that others have, too, for as healthy as they are known to be there.
    pub(super) fn go_on_after(&self, former: &Self) {
        for node in &self.all {
            let is_same = |other: &&Node| other.name == node.name && other.probe == node.probe;
            if let Some(known) = former.all.iter().find(is_same) {
                node.set_healthy(known.is_healthy());
            }
        }
    }

    /// Tells whether a node is there.
    pub(super) fn has_region(&self, region: &str) -> bool {
        self.all.iter().any(|node| node.region.as_deref() == Some(region))
    }
}

impl Node {
    fn new(index: usize, config: &NodeConfig, shared: Option<&Secret>) -> Result<Self, SecretError> {
        let key = format!("signaling.ice.nodes[{index}].secret");
        let own = secret::read(&key, config.secret.as_ref(), config.secret_file.as_ref())?;
        let secret = own.map(Secret::new).or_else(|| shared.cloned());
        Ok(Self {
            name: config.name.clone(),
            urls: config.urls.clone(),
            region: config.region.clone(),
            weight: config.weight,
            // The check of the configuration has found that there is one.
            probe: config
                .probe
                .clone()
                .or_else(|| udp_target(&config.urls))
                .unwrap_or_default(),
            secret: secret.ok_or(SecretError::Missing)?,
            is_healthy: AtomicBool::new(true),
        })
    }

    /// Says whether it is told to clients from here on.
    pub(super) fn set_healthy(&self, is_healthy: bool) {
        self.is_healthy.store(is_healthy, Relaxed);
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.is_healthy.load(Relaxed)
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            name: &self.name,
            region: self.region.as_deref(),
            weight: self.weight,
            is_healthy: self.is_healthy(),
        }
    }
}
