//! The servers a member is told to use, with credentials that die by themselves.

mod choice;
mod grant;
mod nodes;
mod own;
mod probe;
mod revoking;
mod secret;
mod url;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use turn_credentials::{MAX_USERNAME, SEPARATOR, Secret, derive_password, parse_username};

use self::{
    nodes::Nodes,
    own::{Certified, Own},
    revoking::Revoking,
};
use crate::{config::IceConfig, site::Site};

pub use self::secret::SecretError;
pub(crate) use self::{
    grant::{Grant, IceServer},
    probe::Probes,
    revoking::{Told, Untold},
    url::{check_url, udp_target},
};

/// Makes `iceServers` lists: which STUN and TURN servers there are, and the secrets to mint credentials with.
#[derive(Debug, Clone)]
pub struct IceServers {
    separator: char,
    servers: Servers,
    revoking: Revoking,
    ttl: Duration,
    max_ttl: Duration,
    probe_every: Duration,
}

/// The TURN servers there are.
#[derive(Debug, Clone)]
enum Servers {
    Own(Own),
    Nodes(Arc<Nodes>),
}

/// Whom a list is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    /// How the client reached this server.
    pub(crate) site: Option<&'a Site>,
    /// Where it says it is.
    pub(crate) region: Option<&'a str>,
    /// Whom the relay's quota counts.
    pub(crate) user: &'a str,
}

impl IceServers {
    /// Mints with `secret`, for the one server that `config` names or that is named after the host asked for.
    pub fn new(secret: Secret, config: &IceConfig) -> Self {
        Self::with(Servers::Own(Own::new(secret, config)), config)
    }

    fn with(servers: Servers, config: &IceConfig) -> Self {
        Self {
            separator: SEPARATOR,
            servers,
            revoking: Revoking::default(),
            ttl: Duration::from_secs(config.ttl),
            max_ttl: Duration::from_secs(config.max_ttl),
            probe_every: Duration::from_secs(config.probe_seconds),
        }
    }

    /// Takes the secrets from `config` itself: its `secret`, or else its `secret_file`, and those of its nodes.
    ///
    /// # Errors
    /// When a secret is missing or cannot be read.
    pub fn from_config(config: &IceConfig) -> Result<Self, SecretError> {
        Self::from_config_or(config, None)
    }

    /// The same, with a secret for the nodes that have none in `config`.
    ///
    /// # Errors
    /// When a secret is missing or cannot be read.
    pub fn from_config_or(config: &IceConfig, shared: Option<Secret>) -> Result<Self, SecretError> {
        let read = secret::read(
            "signaling.ice.secret",
            config.secret.as_ref(),
            config.secret_file.as_ref(),
        );
        let secret = match read {
            Ok(secret) => secret.map(Secret::new).or(shared),
            Err(SecretError::Empty { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut revoking = Revoking::default();
        if let Some(admin) = &config.admin {
            revoking.admin("turn", "signaling.ice.admin", admin)?;
        }
        for (index, node) in config.nodes.iter().enumerate() {
            if let Some(admin) = &node.admin {
                let key = format!("signaling.ice.nodes[{index}].admin");
                revoking.admin(&node.name, &key, admin)?;
            }
        }
        let servers = match config.nodes.is_empty() {
            true => Servers::Own(Own::new(secret.ok_or(SecretError::Missing)?, config)),
            false => Servers::Nodes(Arc::new(Nodes::new(config, secret.as_ref())?)),
        };
        Ok(Self {
            revoking,
            ..Self::with(servers, config)
        })
    }

    /// Changes what is known of the one server; of nodes the settings say all there is.
    fn own(mut self, change: impl FnOnce(&mut Own)) -> Self {
        match &mut self.servers {
            Servers::Own(own) => change(own),
            Servers::Nodes(_) => {}
        }
        self
    }

    fn nodes(&self) -> Option<&Arc<Nodes>> {
        match &self.servers {
            Servers::Own(_) => None,
            Servers::Nodes(nodes) => Some(nodes),
        }
    }

    /// Puts this between expiry and user of the names it mints, as the TURN server expects.
    #[must_use]
    pub fn with_username_separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }

    /// Uses this port of the TURN server in URIs made from a host name.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        self.own(|own| (own.port, own.tcp_port) = (port, Some(port)))
    }

    /// Offers the TURN server over TCP at this port too, or not at all; without this call, at the port of UDP.
    #[must_use]
    pub fn with_tcp_port(self, port: Option<u16>) -> Self {
        self.own(|own| own.tcp_port = port)
    }

    /// Offers the TURN server over TLS at this port too.
    #[must_use]
    pub fn with_tls_port(self, port: Option<u16>) -> Self {
        self.own(|own| own.tls_port = port)
    }

    /// Offers it over TLS only under hosts that its certificates are for; without this call, under every host.
    #[must_use]
    pub fn with_tls_for(self, is_certified: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.own(|own| own.tls_for = Certified(Arc::new(is_certified)))
    }

    /// Offers this address too when a page was asked for under `localhost`, so that a browser which
    /// gathers only on its network interface reaches the relay.
    #[must_use]
    pub fn with_lan_address(self, address: Option<IpAddr>) -> Self {
        self.own(|own| own.lan = address)
    }

    /// Uses these URIs when a page was asked for under `localhost`, for a relay that does not listen on the
    /// loopback address; empty when it does.
    #[must_use]
    pub fn with_urls_on_this_machine(self, urls: Vec<String>) -> Self {
        self.own(|own| own.on_this_machine = urls)
    }

    /// Revokes credentials by this call, for a TURN server in the same process: it takes the username and says what went
    /// wrong, if anything did.
    #[must_use]
    pub fn with_revoker<F>(mut self, revoke: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.revoking
            .here(move |username| -> Told { Box::pin(revoke(username)) });
        self
    }

    #[cfg(test)]
    pub(crate) fn set_healthy(&self, node: &str, is_healthy: bool) {
        let mut all = self.nodes().into_iter().flat_map(|nodes| &nodes.all);
        all.find(|other| other.name == node)
            .unwrap()
            .set_healthy(is_healthy);
    }

    /// Takes over what is known of the nodes that were there before.
    pub(crate) fn go_on_after(&self, former: &Self) {
        if let (Some(nodes), Some(former)) = (self.nodes(), former.nodes()) {
            nodes.go_on_after(former);
        }
    }

    /// Tells whether the servers are named after the host that a client asked for.
    pub(crate) fn needs_host(&self) -> bool {
        match &self.servers {
            Servers::Own(own) => own.needs_host(),
            Servers::Nodes(_) => false,
        }
    }

    /// The region that a query names in its parameter `region`, if a node is there; another one is as good as none.
    pub(crate) fn region_of(&self, query: Option<&str>) -> Option<Box<str>> {
        let nodes = self.nodes()?;
        let mut pairs = query?.split('&');
        let region = pairs.find_map(|pair| pair.strip_prefix("region="))?;
        nodes.has_region(region).then(|| region.into())
    }

    /// How long credentials live that nobody asked to live longer or shorter.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Makes the list for one user.
    ///
    /// `ttl` is what the user asked for; it is clamped to the configured bounds.
    pub(crate) fn grant(&self, asker: Asker<'_>, ttl: Option<Duration>) -> Grant {
        let bounds = Duration::from_secs(1)..=self.max_ttl;
        let ttl = ttl.unwrap_or(self.ttl).clamp(*bounds.start(), *bounds.end());
        let expires = unix_seconds() + ttl.as_secs();
        let username = format!("{expires}{}{}", self.separator, asker.user);
        let password = |secret: &Secret| derive_password(secret, &username);
        let mut grant = Grant::new(username.clone(), ttl.as_secs());
        match &self.servers {
            Servers::Own(own) => grant.add(own.urls_for(asker.site), password(&own.secret)),
            Servers::Nodes(nodes) => {
                for node in nodes.chosen(asker.region, asker.user) {
                    grant.add(node.urls.iter().cloned(), password(&node.secret));
                }
            }
        }
        grant
    }

    /// Tells whether a username could be one of ours, so that revoking it means something.
    pub(crate) fn is_ours(&self, username: &str) -> bool {
        let parsed = parse_username(username, self.separator);
        username.len() <= MAX_USERNAME && parsed.is_some_and(|parsed| parsed.is_credible(unix_seconds()))
    }

    /// Tells whether a TURN server can be told that a credential is void.
    pub(crate) fn can_revoke(&self) -> bool {
        !self.revoking.is_empty()
    }

    /// Has all TURN servers refuse a username from now on; gives those that could not be told.
    pub(crate) async fn revoke(&self, username: &str) -> Vec<Untold> {
        self.revoking.revoke(username).await
    }
}

fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
