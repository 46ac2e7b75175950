//! The page with signaling and credentials beside it, plainly and over HTTPS.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use certificates::{Challenge, Challenges};
use signaling::Signaling;
use tokio::net::TcpListener;

use super::{
    changing::{self, Site},
    ice::IceMaker,
    limited::Limits,
    redirect, secured,
    service::Service,
    start::{Relay, Start},
    visitors::Visitors,
    web,
};
use crate::{failure::Failure, suite::OnTurnPorts};

/// Connections for the page and the credential endpoints, beside those that signaling may hold.
const SPARE_CONNECTIONS: usize = 256;
/// A browser opens six; a few of them may share an address.
const SPARE_CONNECTIONS_PER_ADDRESS: usize = 32;

/// What HTTPS speaks. WebSockets, which the page lives on, need no more than this.
const ALPN: &[&[u8]] = &[b"http/1.1"];

/// Where the devices of a network fetch the authority's certificate.
const AUTHORITY_PATH: &str = "/authority.crt";
/// Phones offer to install what is of this type.
const AUTHORITY_TYPE: &str = "application/x-x509-ca-cert";

impl Start<'_> {
    /// Serves the page to all who come to its listeners or through the door of the relay, and beside it signaling,
    /// which hands out credentials for `relay`. Without any such place there is none of it.
    pub(super) async fn site(
        &mut self,
        relay: &Relay,
        visitors: Option<Visitors>,
    ) -> Result<Option<Site>, Failure> {
        let plain = web::bind("web", &self.suite.web.listen)?;
        let secure = web::bind("https", self.suite.listen_https())?;
        let proving = web::bind("acme", self.listen_acme())?;
        if plain.is_empty() && secure.is_empty() && proving.is_empty() && visitors.is_none() {
            return Ok(None);
        }
        let (plain_at, secure_at) = (web::addresses(&plain)?, web::addresses(&secure)?);
        self.announcement.dialects(&self.suite.signaling);
        self.announcement.web(&plain_at);
        let pairs = self.secured.certificates.pairs();
        self.announcement.https(&secure_at, &pairs);
        if visitors.is_some() {
            self.announcement.https(&relay.tls, &pairs);
        }
        let (router, site) = self.routes(relay).await?;
        let limits = self.limits.clone();
        self.serve_site(plain, &limits, &Service::plain(self.provable(router.clone())));
        let https = secure_at.first().or(relay.tls.first());
        let elsewhere = self.provable(redirect::router(https.map_or(443, SocketAddr::port)));
        self.serve_site(proving, &limits, &Service::plain(elsewhere.clone()));
        if let Some(visitors) = visitors {
            let plain = match self.suite.web.on_turn_ports {
                OnTurnPorts::Page => self.provable(router.clone()),
                OnTurnPorts::Https | OnTurnPorts::Nothing => elsewhere.clone(),
            };
            let service = self.secure(router.clone(), plain);
            web::receive(&mut self.supervisor, visitors, service, &self.shutdown);
        }
        self.serve_site(secure, &limits, &self.secure(router, elsewhere));
        self.health.set_ready("web", true);
        Ok(Some(site))
    }

    /// Where a directory looks for its page.
    fn listen_acme(&self) -> &[SocketAddr] {
        let acme = &self.suite.tls.acme;
        if acme.is_on() && acme.challenge == Challenge::Http01 {
            &acme.listen
        } else {
            &[]
        }
    }

    /// The routes with those that a directory looks for.
    fn provable(&self, router: Router) -> Router {
        match &self.secured.challenges {
            Some(challenges) => router.merge(proofs(challenges.clone())),
            None => router,
        }
    }

    fn serve_site(&mut self, listeners: Vec<TcpListener>, limits: &Limits, service: &Service) {
        web::serve(
            &mut self.supervisor,
            "web",
            listeners,
            limits,
            service,
            &self.shutdown,
        );
    }

    /// Page, signaling and credential endpoints; nothing here administers anything.
    async fn routes(&mut self, relay: &Relay) -> Result<(Router, Site), Failure> {
        let page = demo_web::Config {
            signaling: self.suite.web.signaling.clone(),
            ..Default::default()
        };
        let config = changing::of_signaling(self.suite, self.secrets);
        let ice = IceMaker::of(self, relay);
        let servers = ice.servers(self.suite)?;
        let Signaling {
            router,
            drained,
            reloader,
        } = Signaling::start(&config, servers, &self.registry, self.shutdown.clone()).await?;
        let site = Site {
            signaling: reloader,
            ice,
        };
        let shutdown = self.shutdown.clone();
        self.supervisor.task("signaling", async move {
            shutdown.wait().await;
            drained.wait().await;
            Ok::<(), Infallible>(())
        });
        Ok((demo_web::router(&page).merge(router), site))
    }

    /// The site over TLS; who comes without is answered by `plain`.
    fn secure(&self, router: Router, plain: Router) -> Service {
        let tls = self
            .secured
            .certificates
            .server_config(ALPN, self.suite.tls.min_version);
        // A browser that was told to come over TLS only could not use a plain listener of this name any more.
        let is_plain_elsewhere = self.suite.web.listen.iter().any(|at| !at.ip().is_loopback())
            || self.suite.web.on_turn_ports == OnTurnPorts::Page;
        let is_strict = self.secured.authority.is_none() && !is_plain_elsewhere;
        let router = match &self.secured.authority {
            Some(authority) => router.route(AUTHORITY_PATH, certificate_of(authority)),
            None => router,
        };
        Service::plain(plain)
            .or_secure(tls, router, is_strict)
            .with_challenges(self.secured.challenges.clone())
    }
}

/// How many connections the page, signaling and the credential endpoints may have together.
pub(super) fn limits(config: &signaling::Config) -> Limits {
    let (all, per_address) = counts(config);
    Limits::new(all, per_address, &config.trusted_proxies)
}

/// Has them have other numbers from here on.
pub(super) fn set_limits(limits: &Limits, config: &signaling::Config) {
    let (all, per_address) = counts(config);
    limits.set(all, per_address, &config.trusted_proxies);
}

/// In all, and of one address.
fn counts(config: &signaling::Config) -> (usize, usize) {
    let limits = &config.limits;
    (
        limits.connections + SPARE_CONNECTIONS,
        limits.connections_per_address as usize + SPARE_CONNECTIONS_PER_ADDRESS,
    )
}

/// Answers a directory that looks whether a domain leads here (RFC 8555 §8.3).
fn proofs(challenges: Challenges) -> Router {
    let path = format!("{}{{token}}", Challenges::PATH);
    let page = get(move |Path(token): Path<String>| async move {
        let page = challenges.page(&token).ok_or(StatusCode::NOT_FOUND)?;
        Ok::<_, StatusCode>(([(CONTENT_TYPE, "application/octet-stream")], page))
    });
    Router::new().route(&path, page)
}

/// The authority's certificate as it is now; it holds no secret.
fn certificate_of(authority: &secured::Local) -> axum::routing::MethodRouter {
    let pem = authority.pem.clone();
    get(move || {
        let pem = pem.clone();
        async move { ([(CONTENT_TYPE, AUTHORITY_TYPE)], pem) }
    })
}
