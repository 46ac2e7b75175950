//! Starts the parts of the suite, each where its table says.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::Router;
use lifecycle::{Shutdown, Supervisor};
use signaling::{IceConfig, IceServers};
use telemetry::{Health, prometheus::Registry};
use turn_credentials::Secret;
use turn_server::Revoker;

use super::{
    announcement::Announcement,
    limited::Limits,
    secured::{self, Secured},
    service::Service,
    visitors::Entrance,
    web,
};
use crate::{
    addresses,
    failure::Failure,
    state::{self, Secrets},
    suite::Suite,
};

/// Connections for metrics and health.
const CONNECTIONS: usize = 256;

/// What every part needs to start, and what grows as they do.
pub(super) struct Start<'a> {
    pub(super) suite: &'a Suite,
    pub(super) secrets: &'a Secrets,
    pub(super) secured: Secured,
    /// For connections of the web, wherever they come in.
    pub(super) limits: Limits,
    pub(super) registry: Registry,
    pub(super) health: Health,
    pub(super) shutdown: Shutdown,
    pub(super) supervisor: Supervisor,
    pub(super) pages: Pages,
    pub(super) announcement: Announcement,
}

/// Metrics and health, which outlive the other parts: while those drain, `/readyz` says so.
pub(super) struct Pages {
    supervisor: Supervisor,
    shutdown: Shutdown,
}

impl Pages {
    pub(super) fn new() -> Self {
        let shutdown = Shutdown::new();
        Self {
            supervisor: Supervisor::new(shutdown.clone()),
            shutdown,
        }
    }

    /// Ends them.
    pub(super) async fn end(self) -> Result<(), lifecycle::Failure> {
        self.shutdown.request();
        // Their connections get the time of `web::DRAIN`; what exceeds it would be a failure.
        self.supervisor.run(2 * web::DRAIN).await
    }
}

/// Where the suite's own relay listens.
pub(super) struct Relay {
    pub(super) udp: Vec<SocketAddr>,
    pub(super) tcp: Vec<SocketAddr>,
    pub(super) tls: Vec<SocketAddr>,
    revoker: Revoker,
    /// What its administrators may ask for, beside the metrics.
    admin: Router,
}

impl Relay {
    /// Has it told which credentials are revoked.
    fn told_by(&self, servers: IceServers) -> IceServers {
        let revoker = self.revoker.clone();
        servers.with_revoker(move |username| {
            let revoker = revoker.clone();
            async move { revoker.revoke(&username).await.map_err(|error| error.to_string()) }
        })
    }
}

impl Start<'_> {
    /// Starts every part; returns once all of them listen.
    pub(super) async fn everything(&mut self) -> Result<(), Failure> {
        self.secured()?;
        let (entrance, visitors) = Entrance::new(self.limits.clone());
        let relay = self.turn(entrance)?;
        self.stun()?;
        self.site(&relay, self.suite.has_door().then_some(visitors))
            .await?;
        self.acme();
        self.metrics(relay.admin)
    }

    /// Shows and keeps the certificates that were loaded.
    fn secured(&mut self) -> Result<(), Failure> {
        let certificates = &self.secured.certificates;
        certificates.register(&self.registry).map_err(io::Error::other)?;
        if let Some(local) = &self.secured.authority {
            self.announcement.authority = Some(local.certificate.clone());
            let kept = local.clone().keep_certified(self.shutdown.clone());
            self.supervisor.task("authority", kept);
        }
        Ok(())
    }

    /// Obtains certificates, now that everything listens by which a directory may look.
    fn acme(&mut self) {
        if let Some(acme) = self.secured.acme.take() {
            let certificates = self.secured.certificates.clone();
            let kept = secured::keep_signed(acme, certificates, self.shutdown.clone());
            self.supervisor.task("acme", kept);
        }
    }

    fn turn(&mut self, entrance: Entrance) -> Result<Relay, Failure> {
        let mut config = self.suite.turn.clone();
        config
            .shared_secrets
            .push(self.secrets.turn_secret.as_str().into());
        config.tls.min_version = config.tls.min_version.max(self.suite.tls.min_version);
        let revoked_file = &mut config.admin.revoked_file;
        revoked_file.get_or_insert_with(|| self.announcement.state.join(state::REVOKED));
        let surroundings =
            turn_server::Surroundings::new(&self.registry, &self.health, self.shutdown.clone())
                .with_certificates(self.secured.of_turn.clone());
        let surroundings = if self.suite.has_door() {
            surroundings.with_door(entrance.door())
        } else {
            surroundings
        };
        let running = turn_server::start(&config, surroundings)?;
        let relay = Relay {
            udp: running.listeners().to_vec(),
            tcp: running.tcp_listeners().to_vec(),
            tls: running.tls_listeners().to_vec(),
            revoker: running.revoker(),
            admin: running.admin(),
        };
        self.announcement.turn(&relay.udp);
        self.announcement.turn_over_tcp(&relay.tcp);
        let pairs = self.secured.of_turn.pairs();
        self.announcement.turn_over_tls(&relay.tls, &pairs);
        self.announcement.turn_over_dtls(running.dtls_listeners(), &pairs);
        self.supervisor.task("turn", running.finished());
        Ok(relay)
    }

    fn stun(&mut self) -> Result<(), Failure> {
        if !self.suite.wants_stun() {
            return Ok(());
        }
        let mut config = self.suite.stun.clone();
        config.tls.min_version = config.tls.min_version.max(self.suite.tls.min_version);
        let surroundings =
            stun_server::Surroundings::new(&self.registry, &self.health, self.shutdown.clone())
                .with_certificates(self.secured.of_stun.clone());
        let running = stun_server::start(&config, surroundings)?;
        self.announcement.stun(running.listeners());
        self.supervisor.task("stun", running.finished());
        Ok(())
    }

    /// What joining members are told: the suite's own relay unless the settings name others.
    pub(super) fn ice_servers(&self, relay: &Relay) -> Result<IceServers, Failure> {
        let config = &self.suite.signaling.ice;
        if self.suite.has_foreign_secret() {
            return Ok(IceServers::from_config(config)?);
        }
        let secret = Secret::new(&self.secrets.turn_secret);
        if !config.nodes.is_empty() {
            return self.nodes(relay, secret);
        }
        let is_there = |ip: IpAddr| {
            let any = |at: &SocketAddr| at.ip().is_unspecified() && at.is_ipv4() == ip.is_ipv4();
            relay.udp.iter().any(|at| at.ip() == ip || any(at))
        };
        // A page asked for under localhost would be sent to a relay that does not listen there.
        let elsewhere = if is_there(Ipv4Addr::LOCALHOST.into()) {
            Vec::new()
        } else {
            let urls = [self.announcement.stun.clone(), self.announcement.turn.clone()].concat();
            // No browser speaks TURN over DTLS.
            let is_dtls = |url: &String| url.starts_with("turns:") && url.ends_with("=udp");
            urls.into_iter().filter(|url| !is_dtls(url)).collect()
        };
        let lan = addresses::on_the_network_v4().filter(|address| is_there(*address));
        // A port that was set is the one that the world sees in front of a NAT.
        let is_set = config.port != IceConfig::default().port;
        let port = |at: &SocketAddr| if is_set { config.port } else { at.port() };
        let certificates = self.secured.of_turn.clone();
        let servers = IceServers::new(secret, config)
            .with_username_separator(self.suite.turn.username_separator)
            .with_port(relay.udp.first().map_or(config.port, port))
            .with_tcp_port(relay.tcp.first().map(port))
            .with_tls_port(relay.tls.first().map(SocketAddr::port))
            .with_tls_for(move |host| certificates.pairs().iter().any(|pair| pair.covers(host)))
            .with_lan_address(lan)
            .with_urls_on_this_machine(elsewhere);
        Ok(relay.told_by(servers))
    }

    /// The nodes that the settings name in place of the suite's own relay, which takes what is minted for those that
    /// have no secret.
    fn nodes(&self, relay: &Relay, secret: Secret) -> Result<IceServers, Failure> {
        for node in self.suite.nodes_without_secret() {
            let secrets = self.announcement.state.join(state::FILE);
            tracing::warn!(
                node,
                "signaling.ice.nodes gives it no secret, so it has to know turn_secret of {}",
                secrets.display()
            );
        }
        let config = &self.suite.signaling.ice;
        let servers = IceServers::from_config_or(config, Some(secret))?
            .with_username_separator(self.suite.turn.username_separator);
        // Where the nodes cannot be told, nothing is revoked by telling this relay alone.
        Ok(match config.nodes.iter().any(|node| node.admin.is_some()) {
            true => relay.told_by(servers),
            false => servers,
        })
    }

    fn metrics(&mut self, admin: Router) -> Result<(), Failure> {
        let listeners = web::bind("metrics", &[self.suite.metrics.listen])?;
        let router = telemetry::router(self.registry.clone(), self.health.clone()).merge(admin);
        self.announcement.metrics(&web::addresses(&listeners)?);
        let limits = Limits::new(CONNECTIONS, CONNECTIONS, &[]);
        let Pages { supervisor, shutdown } = &mut self.pages;
        web::serve(
            supervisor,
            "metrics",
            listeners,
            &limits,
            &Service::plain(router),
            shutdown,
        );
        Ok(())
    }
}
