//! The servers a member is told to use, with credentials that die by themselves.

use std::{
    fmt, fs, io,
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use turn_credentials::{SEPARATOR, Secret, mint_separated};

use crate::{
    config::{Hidden, IceConfig},
    site::Site,
};

/// Makes `iceServers` lists: which STUN and TURN servers there are, and the secret to mint credentials with.
#[derive(Debug, Clone)]
pub struct IceServers {
    secret: Secret,
    separator: char,
    urls: Vec<String>,
    port: u16,
    tcp_port: Option<u16>,
    tls_port: Option<u16>,
    tls_for: Certified,
    lan: Option<IpAddr>,
    on_this_machine: Vec<String>,
    ttl: Duration,
    max_ttl: Duration,
}

impl IceServers {
    /// Mints with `secret`, for the servers that `config` names.
    pub fn new(secret: Secret, config: &IceConfig) -> Self {
        Self {
            secret,
            separator: SEPARATOR,
            urls: config.urls.clone(),
            port: config.port,
            tcp_port: Some(config.port),
            tls_port: None,
            tls_for: Certified::default(),
            lan: None,
            on_this_machine: Vec::new(),
            ttl: Duration::from_secs(config.ttl),
            max_ttl: Duration::from_secs(config.max_ttl),
        }
    }

    /// Takes the secret from `config` itself: its `secret`, or else its `secret_file`.
    pub fn from_config(config: &IceConfig) -> Result<Self, SecretError> {
        let text = match (&config.secret, &config.secret_file) {
            (Some(Hidden(secret)), _) => secret.clone(),
            (None, Some(path)) => fs::read_to_string(path).map_err(|error| SecretError::Unreadable {
                path: path.clone(),
                error,
            })?,
            (None, None) => return Err(SecretError::Missing),
        };
        match text.trim() {
            "" => Err(SecretError::Missing),
            secret => Ok(Self::new(Secret::new(secret), config)),
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
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self.tcp_port = Some(port);
        self
    }

    /// Offers the TURN server over TCP at this port too, or not at all; without this call, at the port of UDP.
    #[must_use]
    pub fn with_tcp_port(mut self, port: Option<u16>) -> Self {
        self.tcp_port = port;
        self
    }

    /// Offers the TURN server over TLS at this port too.
    #[must_use]
    pub fn with_tls_port(mut self, port: Option<u16>) -> Self {
        self.tls_port = port;
        self
    }

    /// Offers it over TLS only under hosts that its certificates are for; without this call, under every host.
    #[must_use]
    pub fn with_tls_for(mut self, is_certified: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.tls_for = Certified(Arc::new(is_certified));
        self
    }

    /// Offers this address too when a page was asked for under `localhost`, so that a browser which
    /// gathers only on its network interface reaches the relay.
    #[must_use]
    pub fn with_lan_address(mut self, address: Option<IpAddr>) -> Self {
        self.lan = address;
        self
    }

    /// Uses these URIs when a page was asked for under `localhost`, for a relay that does not listen on the
    /// loopback address; empty when it does.
    #[must_use]
    pub fn with_urls_on_this_machine(mut self, urls: Vec<String>) -> Self {
        self.on_this_machine = urls;
        self
    }

    /// Tells whether the servers are named after the host that a client asked for.
    pub(crate) fn needs_host(&self) -> bool {
        self.urls.is_empty()
    }

    /// Makes the list for one user, who reached this server as `site`.
    ///
    /// `ttl` is what the user asked for; it is clamped to the configured bounds.
    pub(crate) fn grant(&self, site: Option<&Site>, user: &str, ttl: Option<Duration>) -> Grant {
        let bounds = Duration::from_secs(1)..=self.max_ttl;
        let ttl = ttl.unwrap_or(self.ttl).clamp(*bounds.start(), *bounds.end());
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let expires = now.as_secs() + ttl.as_secs();
        let credential = mint_separated(&self.secret, self.separator, Some(user), expires);
        let (relays, plain) = self
            .urls_for(site)
            .into_iter()
            .partition(|url| url.starts_with("turn"));
        Grant {
            plain,
            relays,
            username: credential.username,
            password: credential.password,
            ttl: ttl.as_secs(),
        }
    }

    fn urls_for(&self, site: Option<&Site>) -> Vec<String> {
        let Some(site) = site.filter(|_| self.needs_host()) else {
            return self.urls.clone();
        };
        if site.is_loopback() && !self.on_this_machine.is_empty() {
            return self.on_this_machine.clone();
        }
        let port = self.port;
        let hosts = site.uri_hosts(self.lan);
        let stun = hosts.iter().map(|host| format!("stun:{host}:{port}"));
        let turn = hosts
            .iter()
            .map(|host| format!("turn:{host}:{port}?transport=udp"));
        // Browsers are slower the more servers they ask, so what only helps where UDP is blocked stands there once.
        let host = hosts.last().into_iter();
        let streams = host.flat_map(|host| {
            let tcp = self
                .tcp_port
                .map(|port| format!("turn:{host}:{port}?transport=tcp"));
            let tls = self
                .tls_port
                .filter(|_| (self.tls_for.0)(host.trim_matches(['[', ']'])))
                .map(|port| format!("turns:{host}:{port}?transport=tcp"));
            tcp.into_iter().chain(tls)
        });
        stun.chain(turn).chain(streams).collect()
    }
}

/// Tells whether certificates are for a host.
#[derive(Clone)]
struct Certified(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl Default for Certified {
    fn default() -> Self {
        Self(Arc::new(|_| true))
    }
}

impl fmt::Debug for Certified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certified")
    }
}

/// Why there is no secret to mint credentials with.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Neither key is set, or the file is empty.
    #[error(
        "set signaling.ice.secret or signaling.ice.secret_file to the secret that the TURN server checks credentials with"
    )]
    Missing,
    /// The file cannot be read.
    #[error("signaling.ice.secret_file {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// One user's servers and credential.
pub(crate) struct Grant {
    plain: Vec<String>,
    pub(crate) relays: Vec<String>,
    pub(crate) username: String,
    pub(crate) password: String,
    /// Seconds from now until the credential expires.
    pub(crate) ttl: u64,
}

impl Grant {
    /// The list in the shape of `RTCConfiguration.iceServers`.
    pub(crate) fn ice_servers(&self) -> Vec<IceServer> {
        let mut servers = Vec::with_capacity(2);
        if !self.plain.is_empty() {
            servers.push(IceServer {
                urls: self.plain.clone(),
                username: None,
                credential: None,
            });
        }
        if !self.relays.is_empty() {
            servers.push(IceServer {
                urls: self.relays.clone(),
                username: Some(self.username.clone()),
                credential: Some(self.password.clone()),
            });
        }
        servers
    }
}

/// An `RTCIceServer` dictionary.
#[derive(Serialize)]
pub(crate) struct IceServer {
    pub(crate) urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credential: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

/// Says what is wrong with a configured URI (RFC 7064, RFC 7065), if anything is.
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    let (scheme, rest) = url.split_once(':').ok_or("has no scheme")?;
    let (host, query) = match rest.split_once('?') {
        Some((host, query)) => (host, Some(query)),
        None => (rest, None),
    };
    match (scheme, query) {
        ("stun" | "stuns" | "turn" | "turns", None) => {}
        ("turn" | "turns", Some("transport=udp" | "transport=tcp")) => {}
        ("turn" | "turns", Some(_)) => return Err("takes ?transport=udp or ?transport=tcp only"),
        ("stun" | "stuns", Some(_)) => return Err("takes no ? part"),
        (_, _) => return Err("must begin with stun:, stuns:, turn: or turns:"),
    }
    match Site::parse(host) {
        Some(_) => Ok(()),
        None if host.starts_with("//") => Err("takes no // before the host"),
        None => Err("has no valid host (an IPv6 address needs brackets) or port"),
    }
}

#[cfg(test)]
mod tests {
    use turn_credentials::derive_password;

    use super::*;

    fn servers(config: &IceConfig) -> IceServers {
        IceServers::new(Secret::new("north"), config)
    }

    fn site() -> Site {
        Site::parse("localhost:3001").unwrap()
    }

    #[test]
    fn uris_come_from_the_host_unless_they_are_configured() {
        let derived = servers(&IceConfig::default())
            .with_port(4000)
            .with_lan_address(Some("192.0.2.1".parse().unwrap()));
        assert_eq!(
            derived.urls_for(Some(&site())),
            [
                "stun:127.0.0.1:4000",
                "stun:192.0.2.1:4000",
                "turn:127.0.0.1:4000?transport=udp",
                "turn:192.0.2.1:4000?transport=udp",
                "turn:192.0.2.1:4000?transport=tcp",
            ]
        );
        let call = Site::parse("call.example");
        assert_eq!(
            derived.clone().with_tls_port(Some(443)).urls_for(call.as_ref()),
            [
                "stun:call.example:4000",
                "turn:call.example:4000?transport=udp",
                "turn:call.example:4000?transport=tcp",
                "turns:call.example:443?transport=tcp",
            ]
        );
        let elsewhere = derived
            .clone()
            .with_tls_port(Some(443))
            .with_tls_for(|host| host == "turn.example");
        assert_eq!(
            elsewhere.urls_for(call.as_ref()).len(),
            3,
            "its certificate is for another host"
        );
        assert_eq!(derived.with_tcp_port(None).urls_for(call.as_ref()).len(), 2);
        let urls = vec!["turns:turn.example:443?transport=tcp".to_owned()];
        let configured = servers(&IceConfig {
            urls: urls.clone(),
            ..IceConfig::default()
        });
        assert_eq!(configured.urls_for(Some(&site())), urls);
    }

    #[test]
    fn a_relay_away_from_loopback_keeps_the_host_that_others_asked_for() {
        let own = vec!["turn:10.0.0.5:3478?transport=udp".to_owned()];
        let servers = servers(&IceConfig::default()).with_urls_on_this_machine(own.clone());
        let urls = |host: &str| servers.urls_for(Site::parse(host).as_ref());
        for host in ["localhost:3001", "127.0.0.1:3001", "[::1]:3001"] {
            assert_eq!(urls(host), own, "{host}");
        }
        assert_eq!(
            urls("call.example"),
            [
                "stun:call.example:3478",
                "turn:call.example:3478?transport=udp",
                "turn:call.example:3478?transport=tcp"
            ]
        );
        assert_eq!(
            urls("203.0.113.5:3001"),
            [
                "stun:203.0.113.5:3478",
                "turn:203.0.113.5:3478?transport=udp",
                "turn:203.0.113.5:3478?transport=tcp"
            ]
        );
    }

    #[test]
    fn only_relays_get_the_credential_and_the_secret_explains_it() {
        let grant = servers(&IceConfig::default()).grant(Some(&site()), "u", None);
        assert_eq!(
            grant.password,
            derive_password(&Secret::new("north"), &grant.username)
        );
        let list = grant.ice_servers();
        assert_eq!(list[0].urls, ["stun:127.0.0.1:3478"]);
        assert!(list[0].username.is_none() && list[0].credential.is_none());
        let urls = ["udp", "tcp"].map(|over| format!("turn:127.0.0.1:3478?transport={over}"));
        assert_eq!(list[1].urls, urls);
        assert!(list[1].username.as_deref().unwrap().ends_with(":u"));
    }

    #[test]
    fn a_lifetime_is_clamped_to_the_configured_most() {
        let servers = servers(&IceConfig {
            ttl: 100,
            max_ttl: 200,
            ..IceConfig::default()
        });
        let ttl = |asked: Option<u64>| {
            servers
                .grant(Some(&site()), "u", asked.map(Duration::from_secs))
                .ttl
        };
        assert_eq!(ttl(None), 100);
        assert_eq!(ttl(Some(150)), 150);
        assert_eq!(ttl(Some(u64::MAX)), 200);
        assert_eq!(ttl(Some(0)), 1);
    }

    #[test]
    fn a_wrong_uri_is_told_what_is_wrong() {
        for url in [
            "stun:192.0.2.1",
            "stuns:stun.example:5349",
            "turn:[2001:db8::1]:3478?transport=udp",
            "turns:turn.example:443?transport=tcp",
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in [
            "turn.example",
            "http://turn.example",
            "turn://turn.example",
            "turn:",
            "turn:2001:db8::1",
            "turn:a?transport=sctp",
            "stun:a?transport=udp",
            "turn:user@a",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_secret_file_may_end_in_a_newline_but_not_be_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let config = IceConfig {
            secret_file: Some(path.clone()),
            ..IceConfig::default()
        };
        assert!(matches!(
            IceServers::from_config(&config),
            Err(SecretError::Unreadable { .. })
        ));
        fs::write(&path, " \n").unwrap();
        assert!(matches!(
            IceServers::from_config(&config),
            Err(SecretError::Missing)
        ));
        fs::write(&path, "north\n").unwrap();
        let grant = IceServers::from_config(&config)
            .unwrap()
            .grant(Some(&site()), "u", None);
        assert_eq!(
            grant.password,
            derive_password(&Secret::new("north"), &grant.username)
        );
    }
}
