//! The one TURN server there is without `[[signaling.ice.nodes]]`, often named after the host that a page was asked for.

use std::{fmt, net::IpAddr, sync::Arc};

use turn_credentials::Secret;

use crate::{config::IceConfig, site::Site};

/// What is known of the server, and the secret it shares.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) secret: Secret,
    urls: Vec<String>,
    pub(super) port: u16,
    pub(super) tcp_port: Option<u16>,
    pub(super) tls_port: Option<u16>,
    pub(super) tls_for: Certified,
    pub(super) lan: Option<IpAddr>,
    pub(super) on_this_machine: Vec<String>,
}

impl Own {
    pub(super) fn new(secret: Secret, config: &IceConfig) -> Self {
        Self {
            secret,
            urls: config.urls.clone(),
            port: config.port,
            tcp_port: Some(config.port),
            tls_port: None,
            tls_for: Certified::default(),
            lan: None,
            on_this_machine: Vec::new(),
        }
    }

    /// Tells whether it is named after the host that a client asked for.
    pub(super) fn needs_host(&self) -> bool {
        self.urls.is_empty()
    }

    pub(super) fn urls_for(&self, site: Option<&Site>) -> Vec<String> {
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
pub(super) struct Certified(pub(super) Arc<dyn Fn(&str) -> bool + Send + Sync>);

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

#[cfg(test)]
mod tests {
    use super::*;

    fn own(config: &IceConfig) -> Own {
        Own::new(Secret::new("north"), config)
    }

    fn site() -> Site {
        Site::parse("localhost:3001").unwrap()
    }

    #[test]
    fn uris_come_from_the_host_unless_they_are_configured() {
        let mut derived = own(&IceConfig::default());
        (derived.port, derived.tcp_port) = (4000, Some(4000));
        derived.lan = Some("192.0.2.1".parse().unwrap());
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
        let mut secure = derived.clone();
        secure.tls_port = Some(443);
        assert_eq!(
            secure.urls_for(call.as_ref()),
            [
                "stun:call.example:4000",
                "turn:call.example:4000?transport=udp",
                "turn:call.example:4000?transport=tcp",
                "turns:call.example:443?transport=tcp",
            ]
        );
        secure.tls_for = Certified(Arc::new(|host| host == "turn.example"));
        let elsewhere = secure.urls_for(call.as_ref());
        assert_eq!(elsewhere.len(), 3, "its certificate is for another host");
        derived.tcp_port = None;
        assert_eq!(derived.urls_for(call.as_ref()).len(), 2);
        let urls = vec!["turns:turn.example:443?transport=tcp".to_owned()];
        let configured = own(&IceConfig {
            urls: urls.clone(),
            ..IceConfig::default()
        });
        assert_eq!(configured.urls_for(Some(&site())), urls);
    }

    #[test]
    fn a_relay_away_from_loopback_keeps_the_host_that_others_asked_for() {
        let at_home = vec!["turn:10.0.0.5:3478?transport=udp".to_owned()];
        let mut own = own(&IceConfig::default());
        own.on_this_machine.clone_from(&at_home);
        let urls = |host: &str| own.urls_for(Site::parse(host).as_ref());
        for host in ["localhost:3001", "127.0.0.1:3001", "[::1]:3001"] {
            assert_eq!(urls(host), at_home, "{host}");
        }
        for host in ["call.example", "203.0.113.5"] {
            assert_eq!(
                urls(&format!("{host}:3001")),
                [
                    format!("stun:{host}:3478"),
                    format!("turn:{host}:3478?transport=udp"),
                    format!("turn:{host}:3478?transport=tcp")
                ]
            );
        }
    }
}
