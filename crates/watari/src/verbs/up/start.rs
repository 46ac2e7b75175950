//! Starts the parts of the suite, each where its table says.

use std::{io, net::SocketAddr};

use axum::Router;
use lifecycle::{Shutdown, Supervisor};
use telemetry::{Health, prometheus::Registry};
use turn_server::Revoker;

use super::{
    announcement::Announcement,
    changing::{self, Changing},
    limited::Limits,
    secured::{self, Secured},
    service::Service,
    visitors::Entrance,
    web,
};
use crate::{
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

/// Where the suite's own relay listens, and how it is told things.
pub(super) struct Relay {
    pub(super) udp: Vec<SocketAddr>,
    pub(super) tcp: Vec<SocketAddr>,
    pub(super) tls: Vec<SocketAddr>,
    pub(super) revoker: Revoker,
    reloader: turn_server::Reloader,
    /// What its administrators may ask for, beside the metrics.
    admin: Router,
}

impl Start<'_> {
    /// Starts every part; returns once all of them listen, with what changes them then.
    pub(super) async fn everything(&mut self) -> Result<Changing, Failure> {
        self.secured()?;
        let (entrance, visitors) = Entrance::new(self.limits.clone());
        let relay = self.turn(entrance)?;
        self.stun()?;
        let visitors = self.suite.has_door().then_some(visitors);
        let site = self.site(&relay, visitors).await?;
        self.acme();
        self.metrics(relay.admin)?;
        Ok(Changing {
            secrets: self.secrets.clone(),
            turn: relay.reloader,
            site,
            limits: self.limits.clone(),
            certificates: self.secured.certificates.clone(),
        })
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
        let mut config = changing::of_turn(self.suite, self.secrets);
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
            reloader: running.reloader(),
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
