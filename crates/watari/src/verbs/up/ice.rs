//! What joining members are told: the suite's own relay unless the settings name others.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use certificates::Certificates;
use signaling::{IceConfig, IceServers, SecretError};
use turn_credentials::Secret;
use turn_server::Revoker;

use super::start::{Relay, Start};
use crate::{addresses, state, suite::Suite};

/// Makes the lists of ICE servers of a relay that is running.
pub(super) struct IceMaker {
    /// What the relay checks credentials with.
    secret: Secret,
    separator: char,
    udp: Vec<SocketAddr>,
    tcp: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
    revoker: Revoker,
    certificates: Certificates,
    /// The URIs of STUN and TURN on this machine.
    announced: Vec<String>,
    /// The state folder.
    state: PathBuf,
}

impl IceMaker {
    pub(super) fn of(start: &Start<'_>, relay: &Relay) -> Self {
        Self {
            secret: Secret::new(&start.secrets.turn_secret),
            separator: start.suite.turn.username_separator,
            udp: relay.udp.clone(),
            tcp: relay.tcp.clone(),
            tls: relay.tls.clone(),
            revoker: relay.revoker.clone(),
            certificates: start.secured.of_turn.clone(),
            announced: [start.announcement.stun.clone(), start.announcement.turn.clone()].concat(),
            state: start.announcement.state.clone(),
        }
    }

    /// The servers by these settings.
    pub(super) fn servers(&self, suite: &Suite) -> Result<IceServers, SecretError> {
        let config = &suite.signaling.ice;
        if suite.has_foreign_secret() {
            return IceServers::from_config(config);
        }
        if !config.nodes.is_empty() {
            return self.nodes(suite);
        }
        let is_there = |ip: IpAddr| {
            let any = |at: &SocketAddr| at.ip().is_unspecified() && at.is_ipv4() == ip.is_ipv4();
            self.udp.iter().any(|at| at.ip() == ip || any(at))
        };
        // A page asked for under localhost would be sent to a relay that does not listen there.
        let elsewhere = if is_there(Ipv4Addr::LOCALHOST.into()) {
            Vec::new()
        } else {
            // No browser speaks TURN over DTLS.
            let is_dtls = |url: &String| url.starts_with("turns:") && url.ends_with("=udp");
            let urls = self.announced.iter().filter(|url| !is_dtls(url));
            urls.cloned().collect()
        };
        let lan = addresses::on_the_network_v4().filter(|address| is_there(*address));
        // A port that was set is the one that the world sees in front of a NAT.
        let is_set = config.port != IceConfig::default().port;
        let port = |at: &SocketAddr| if is_set { config.port } else { at.port() };
        let certificates = self.certificates.clone();
        let servers = IceServers::new(self.secret.clone(), config)
            .with_username_separator(self.separator)
            .with_port(self.udp.first().map_or(config.port, port))
            .with_tcp_port(self.tcp.first().map(port))
            .with_tls_port(self.tls.first().map(SocketAddr::port))
            .with_tls_for(move |host| certificates.pairs().iter().any(|pair| pair.covers(host)))
            .with_lan_address(lan)
            .with_urls_on_this_machine(elsewhere);
        Ok(self.telling_the_relay(servers))
    }

    /// The nodes that the settings name in place of the suite's own relay, which takes what is minted for those that
    /// have no secret.
    fn nodes(&self, suite: &Suite) -> Result<IceServers, SecretError> {
        for node in suite.nodes_without_secret() {
            let secrets = self.state.join(state::FILE);
            tracing::warn!(
                node,
                "signaling.ice.nodes gives it no secret, so it has to know turn_secret of {}",
                secrets.display()
            );
        }
        let config = &suite.signaling.ice;
        let servers = IceServers::from_config_or(config, Some(self.secret.clone()))?
            .with_username_separator(self.separator);
        // Where the nodes cannot be told, nothing is revoked by telling this relay alone.
        Ok(match config.nodes.iter().any(|node| node.admin.is_some()) {
            true => self.telling_the_relay(servers),
            false => servers,
        })
    }

    /// Has the relay told which credentials are revoked.
    fn telling_the_relay(&self, servers: IceServers) -> IceServers {
        let revoker = self.revoker.clone();
        servers.with_revoker(move |username| {
            let revoker = revoker.clone();
            async move { revoker.revoke(&username).await.map_err(|error| error.to_string()) }
        })
    }
}
