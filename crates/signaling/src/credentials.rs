//! Where other applications fetch TURN credentials: `/turn`, `/ice`, and the paths of services whose clients there are.

mod params;
mod refusal;
mod revoke;
mod shapes;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use self::{params::Params, refusal::Refusal};
use crate::{
    address::{Addresses, client_address},
    config::CredentialsConfig,
    gate::peer_of,
    hub::Hub,
    ice::{Asker, Grant},
    names::MAX_NAME_CHARS,
    site::Site,
};

pub(crate) use revoke::revoke;
pub(crate) use shapes::{cloudflare, ice, matrix, turn, twilio};

/// What the endpoints need to know.
#[derive(Clone)]
pub(crate) struct Endpoints {
    pub(crate) hub: Arc<Hub>,
    pub(crate) addresses: Arc<Addresses>,
}

/// Whether `service=turn` has to be there; anything else in its place is wrong in either case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Required,
    Optional,
}

impl Endpoints {
    async fn answer<T: IntoResponse>(
        self,
        request: Request,
        service: Service,
        shape: impl FnOnce(Grant) -> T,
    ) -> Response {
        match self.grant(request, service).await {
            Ok(grant) => {
                self.hub.metrics.credentials.inc();
                ([(header::CACHE_CONTROL, "no-store")], shape(grant)).into_response()
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        self.hub.metrics.drop(refusal.reason());
        refusal.into_response()
    }

    async fn grant(&self, request: Request, service: Service) -> Result<Grant, Refusal> {
        let peer = peer_of(&request);
        let terms = self.hub.terms();
        let address = client_address(peer, request.headers(), &terms.proxies);
        self.addresses
            .request(address, Instant::now())
            .map_err(Refusal::TooFast)?;
        let site = Site::of_request(request.uri(), request.headers());
        // A key is something that a rebound page does not have.
        if terms.keys.anonymous && !terms.origins.admit_host(site.as_ref(), peer, &terms.proxies) {
            return Err(Refusal::ForeignHost);
        }
        let header_keys = header_keys(request.headers());
        let params = Params::of_request(request).await?;

        let keys = header_keys.iter().chain(&params.key).chain(&params.api);
        let admitted = terms.keys.admit(keys.clone().map(String::as_str));
        self.tell_wrong_key(address, admitted, keys.count() > 0)?;
        match (params.service.as_deref(), service) {
            (Some("turn"), _) | (None, Service::Optional) => {}
            (Some(_), _) | (None, Service::Required) => return Err(Refusal::BadService),
        }
        let user = match params.username.filter(|name| !name.is_empty()) {
            Some(name) if is_user_id(&name) => name,
            Some(_) => return Err(Refusal::BadUsername),
            None => format!("{:032x}", rand::random::<u128>()),
        };
        if site.is_none() && terms.ice.needs_host() {
            return Err(Refusal::BadHost);
        }
        let ttl = params.ttl.map(|ttl| Duration::from_secs(ttl.0));
        let asker = Asker {
            site: site.as_ref(),
            region: params.region.as_deref(),
            user: &user,
        };
        Ok(terms.ice.grant(asker, ttl))
    }

    /// Passes on whether a key was admitted; who brought a wrong one, and not none at all, is written down if that is asked for.
    fn tell_wrong_key(
        &self,
        address: IpAddr,
        admitted: Result<(), Refusal>,
        brought_one: bool,
    ) -> Result<(), Refusal> {
        if self.hub.terms().log_auth_failures && brought_one && matches!(admitted, Err(Refusal::BadKey)) {
            telemetry::log_wrong_guess("http", address, "wrong_key");
        }
        admitted
    }
}

/// The username on the wire is `<expiry>:<id>`; RFC 8489 §14.3 gives it 508 bytes.
fn is_user_id(id: &str) -> bool {
    id.len() <= MAX_NAME_CHARS * 4 && !id.chars().any(char::is_control)
}

/// The keys that open the endpoints, as digests, so that comparing takes the same time for any key.
#[derive(Debug)]
pub(crate) struct Keys {
    digests: Vec<[u8; 32]>,
    anonymous: bool,
}

impl Keys {
    pub(crate) fn new(config: &CredentialsConfig) -> Self {
        Self {
            digests: config.api_keys.iter().map(|key| digest(&key.0)).collect(),
            anonymous: config.anonymous,
        }
    }

    fn admit<'a>(&self, presented: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
        match self.anonymous {
            true => Ok(()),
            false => self.admit_holder(presented, Refusal::NotSetUp),
        }
    }

    /// The same also where the endpoints are open to everyone; `without` is said where there are no keys.
    fn admit_holder<'a>(
        &self,
        presented: impl Iterator<Item = &'a str>,
        without: Refusal,
    ) -> Result<(), Refusal> {
        if self.digests.is_empty() {
            return Err(without);
        }
        let mut matches = Choice::from(0);
        for presented in presented.map(digest) {
            for known in &self.digests {
                matches |= known.ct_eq(&presented);
            }
        }
        match bool::from(matches) {
            true => Ok(()),
            false => Err(Refusal::BadKey),
        }
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Keys in headers: `X-Api-Key`, a bearer's token, the password of an account whatever its name.
fn header_keys(headers: &HeaderMap) -> Vec<String> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let plain = text(HeaderName::from_static("x-api-key")).map(str::to_owned);
    let authorization = text(header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    let authorized = authorization.and_then(|(scheme, rest)| {
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(rest.trim().to_owned());
        }
        let account = scheme
            .eq_ignore_ascii_case("basic")
            .then(|| STANDARD.decode(rest.trim()).ok())
            .flatten()?;
        let account = String::from_utf8(account).ok()?;
        account.split_once(':').map(|(_, password)| password.to_owned())
    });
    [plain, authorized].into_iter().flatten().collect()
}
