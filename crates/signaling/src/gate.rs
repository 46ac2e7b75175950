//! Decides who may open a connection: which pages, from where, and how many.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use ipnet::IpNet;
use lifecycle::Shutdown;

use crate::{
    address::{Addresses, Crowded, Lease, client_address},
    config::Config,
    hub::Hub,
    ice::Asker,
    journal::{self, Trail},
    site::Site,
};

/// What is known of a client since its first request; the connection keeps it.
#[derive(Debug)]
pub(crate) struct Visit {
    /// How the client reached this server.
    site: Site,
    /// The connection in the log.
    pub(crate) trail: Trail,
    /// Where the client says it is, if a TURN node is there.
    region: Option<Box<str>>,
    /// Counts the connection for as long as something of it exists.
    lease: Lease,
}

impl Visit {
    /// Whom TURN credentials of this connection are for.
    pub(crate) fn asker(&self) -> Asker<'_> {
        Asker {
            site: Some(&self.site),
            region: self.region.as_deref(),
            user: self.lease.relay_user(),
        }
    }
}

#[cfg(test)]
impl Visit {
    /// A visit to `localhost` that counts for nobody else.
    pub(crate) fn local() -> Self {
        let addresses = Addresses::new(crate::address::AddressLimits::from(&Config::default()), &[]);
        Self {
            site: Site::parse("localhost").unwrap(),
            trail: Trail::begin(None),
            region: None,
            lease: addresses.connect([127, 0, 0, 1].into(), Instant::now()).unwrap(),
        }
    }
}

/// Stands before every dialect.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) shutdown: Shutdown,
}

/// Lets a request through with its [`Visit`] attached, or refuses it.
pub(crate) async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match gate.visit(&request) {
        Ok(Some(visit)) => {
            request.extensions_mut().insert(Arc::new(visit));
            next.run(request).await
        }
        Ok(None) => next.run(request).await,
        Err(refusal) => {
            gate.hub.metrics.drop(refusal.reason());
            journal::refused(refusal.reason(), gate.address_to_log(&request));
            refusal.into_response()
        }
    }
}

impl Gate {
    /// Checks a request; one that belongs to a session which was let in before makes no new visit.
    fn visit(&self, request: &Request) -> Result<Option<Visit>, Refusal> {
        let peer = peer_of(request);
        let terms = self.hub.terms();
        let site = Site::of_request(request.uri(), request.headers()).ok_or(Refusal::BadHost)?;
        if !terms.origins.admit_host(Some(&site), peer, &terms.proxies) {
            return Err(Refusal::ForeignHost);
        }
        if !terms.origins.admit(request.headers(), &site) {
            return Err(Refusal::Origin);
        }
        if has_session(request) {
            return Ok(None);
        }
        if self.shutdown.requested() {
            return Err(Refusal::Closing);
        }
        let address = client_address(peer, request.headers(), &terms.proxies);
        let lease = self.addresses.connect(address, Instant::now())?;
        let region = terms.ice.region_of(request.uri().query());
        let trail = Trail::begin(terms.log_addresses.then_some(address));
        Ok(Some(Visit {
            site,
            trail,
            region,
            lease,
        }))
    }

    fn address_to_log(&self, request: &Request) -> Option<IpAddr> {
        let terms = self.hub.terms();
        let address = || client_address(peer_of(request), request.headers(), &terms.proxies);
        terms.log_addresses.then(address)
    }
}

/// The address of the connection, if the server that owns the listener says it.
pub(crate) fn peer_of(request: &Request) -> Option<SocketAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(peer)| *peer)
}

/// Tells whether the request names an Engine.IO session; whether that exists, Engine.IO checks.
fn has_session(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.uri().path().starts_with("/socket.io") && query.split('&').any(|pair| pair.starts_with("sid="))
}

/// The pages that may use this server from a browser.
#[derive(Debug)]
pub(crate) struct Origins {
    listed: Vec<String>,
    sites: Vec<Site>,
    any: bool,
}

impl Origins {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            listed: config.allowed_origins.clone(),
            sites: config
                .allowed_origins
                .iter()
                .filter_map(|origin| site_of(origin))
                .collect(),
            any: config.allowed_origins.iter().any(|origin| origin == "*"),
        }
    }

    /// Tells whether a page of another host is admitted by name.
    pub(crate) fn lists(&self, origin: &HeaderValue) -> bool {
        let is_listed = |text| self.listed.iter().any(|listed| listed == text);
        self.any || origin.to_str().is_ok_and(is_listed)
    }

    /// Tells whether a request may name this host.
    ///
    /// Any stranger's DNS can call this machine `evil.example`, and pages of that name are then of the same
    /// origin (DNS rebinding). What comes over the loopback interface comes from a browser on this machine or
    /// from a proxy, so it has to use a name that no DNS can give us, unless it is a proxy we know.
    pub(crate) fn admit_host(
        &self,
        site: Option<&Site>,
        peer: Option<SocketAddr>,
        proxies: &[IpNet],
    ) -> bool {
        let Some(peer) = peer.map(|peer| peer.ip().to_canonical()) else {
            return true;
        };
        if self.any || !peer.is_loopback() || proxies.iter().any(|net| net.contains(&peer)) {
            return true;
        }
        site.is_some_and(|site| {
            site.is_local_or_address() || self.sites.iter().any(|listed| listed.shares_host(site))
        })
    }

    /// A browser always says where a page that opens a WebSocket or reads another host's answers came
    /// from, so a request without `Origin` is our own page's or comes from no browser.
    fn admit(&self, headers: &HeaderMap, site: &Site) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        origins.all(|origin| self.lists(origin) || origin.to_str().is_ok_and(|origin| site.is_origin(origin)))
    }
}

fn site_of(origin: &str) -> Option<Site> {
    let (_, authority) = origin.split_once("://")?;
    Site::parse(authority)
}

/// What to do about a host name that is refused.
pub(crate) const FOREIGN_HOST: &str = "this host name is not admitted over the loopback interface: list its origin \
in signaling.allowed_origins, or the proxy that passed it on in signaling.trusted_proxies";

/// Why a connection is not opened.
#[derive(Debug)]
enum Refusal {
    BadHost,
    ForeignHost,
    Origin,
    Crowded(Crowded),
    Closing,
}

impl From<Crowded> for Refusal {
    fn from(crowded: Crowded) -> Self {
        Self::Crowded(crowded)
    }
}

impl Refusal {
    fn reason(&self) -> &'static str {
        match self {
            Self::BadHost => "bad_host",
            Self::ForeignHost => "foreign_host",
            Self::Origin => "origin",
            Self::Crowded(Crowded::Address | Crowded::Arrivals(_)) => "address_limit",
            Self::Crowded(Crowded::Server) => "connection_limit",
            Self::Closing => "closing",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::BadHost => (StatusCode::BAD_REQUEST, "the Host header names no host\n").into_response(),
            Self::ForeignHost => (StatusCode::FORBIDDEN, format!("{FOREIGN_HOST}\n")).into_response(),
            Self::Origin => (
                StatusCode::FORBIDDEN,
                "pages of this origin are not admitted; see signaling.allowed_origins\n",
            )
                .into_response(),
            Self::Crowded(Crowded::Address) => {
                later(Duration::ZERO, "too many connections from this address\n")
            }
            Self::Crowded(Crowded::Arrivals(wait)) => {
                later(wait, "too many new connections from this address\n")
            }
            Self::Crowded(Crowded::Server) => unavailable("the server has as many connections as it takes\n"),
            Self::Closing => unavailable("the server is stopping\n"),
        }
    }
}

fn unavailable(text: &'static str) -> Response {
    let retry = [(header::RETRY_AFTER, "5")];
    (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response()
}

/// Answers 429 with the whole seconds after which trying again makes sense.
pub(crate) fn later(wait: Duration, body: impl IntoResponse) -> Response {
    let seconds = wait.as_secs() + 1;
    let retry = [(header::RETRY_AFTER, seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, retry, body).into_response()
}

#[cfg(test)]
mod tests;
