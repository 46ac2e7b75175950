//! The endpoints `/turn` and `/ice`, where other applications fetch TURN credentials.

use std::{sync::Arc, time::Duration, time::Instant};

use axum::{
    Json, RequestExt as _,
    extract::{Form, Query, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::{
    address::{Addresses, client_address},
    config::CredentialsConfig,
    gate::{FOREIGN_HOST, Origins, later, peer_of},
    hub::Hub,
    ice::{Grant, IceServer},
    names::MAX_NAME_CHARS,
    site::Site,
};

/// What the endpoints need to know.
#[derive(Clone)]
pub(crate) struct Endpoints {
    pub(crate) hub: Arc<Hub>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) proxies: Arc<[IpNet]>,
    pub(crate) origins: Arc<Origins>,
    pub(crate) keys: Arc<Keys>,
}

/// Answers `/turn`: the response of draft-uberti-behave-turn-rest-00.
pub(crate) async fn turn(State(endpoints): State<Endpoints>, request: Request) -> Response {
    #[derive(Serialize)]
    struct Answer {
        username: String,
        password: String,
        ttl: u64,
        uris: Vec<String>,
    }
    endpoints
        .answer(request, Service::Required, |grant| {
            Json(Answer {
                username: grant.username,
                password: grant.password,
                ttl: grant.ttl,
                uris: grant.relays,
            })
        })
        .await
}

/// Answers `/ice`: an `RTCConfiguration` ready for `new RTCPeerConnection`.
pub(crate) async fn ice(State(endpoints): State<Endpoints>, request: Request) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        ice_servers: Vec<IceServer>,
        ice_transport_policy: &'static str,
    }
    endpoints
        .answer(request, Service::Optional, |grant| {
            Json(Answer {
                ice_servers: grant.ice_servers(),
                ice_transport_policy: "all",
            })
        })
        .await
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
            Err(refusal) => {
                self.hub.metrics.drop(refusal.reason());
                refusal.into_response()
            }
        }
    }

    async fn grant(&self, request: Request, service: Service) -> Result<Grant, Refusal> {
        let peer = peer_of(&request);
        let address = client_address(peer, request.headers(), &self.proxies);
        self.addresses
            .request(address, Instant::now())
            .map_err(Refusal::TooFast)?;
        let site = Site::of_request(request.uri(), request.headers());
        // A key is something that a rebound page does not have.
        if self.keys.anonymous && !self.origins.admit_host(site.as_ref(), peer, &self.proxies) {
            return Err(Refusal::ForeignHost);
        }
        let header_keys = header_keys(request.headers());
        let params = Params::of_request(request).await?;

        let keys = header_keys.iter().chain(&params.key).chain(&params.api);
        self.keys.admit(keys.map(String::as_str))?;
        match (params.service.as_deref(), service) {
            (Some("turn"), _) | (None, Service::Optional) => {}
            (Some(_), _) | (None, Service::Required) => return Err(Refusal::BadService),
        }
        let user = match params.username.filter(|name| !name.is_empty()) {
            Some(name) if is_user_id(&name) => name,
            Some(_) => return Err(Refusal::BadUsername),
            None => format!("{:032x}", rand::random::<u128>()),
        };
        if site.is_none() && self.hub.ice.needs_host() {
            return Err(Refusal::BadHost);
        }
        let ttl = params.ttl.map(|ttl| Duration::from_secs(ttl.0));
        Ok(self.hub.ice.grant(site.as_ref(), &user, ttl))
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
        if self.anonymous {
            return Ok(());
        }
        if self.digests.is_empty() {
            return Err(Refusal::NotSetUp);
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

fn header_keys(headers: &HeaderMap) -> Vec<String> {
    let plain = headers.get("x-api-key").and_then(|key| key.to_str().ok());
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim());
    [plain, bearer].into_iter().flatten().map(str::to_owned).collect()
}

/// The parameters of a request, from its query and its body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Params {
    service: Option<String>,
    username: Option<String>,
    key: Option<String>,
    api: Option<String>,
    ttl: Option<Seconds>,
}

impl Params {
    /// A body's parameters count before those of the query.
    async fn of_request(request: Request) -> Result<Self, Refusal> {
        let Query(query) = Query::<Self>::try_from_uri(request.uri()).map_err(|_| Refusal::BadParameters)?;
        if request.method() != Method::POST {
            return Ok(query);
        }
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(|kind| kind.to_str().unwrap_or("?").to_owned());
        let body = match kind.as_deref().map(|kind| kind.split(';').next().unwrap_or(kind)) {
            None => return Ok(query),
            Some("application/json") => {
                let body = request.extract::<Json<Self>, _>().await;
                body.map(|Json(body)| body).map_err(|error| error.status())
            }
            Some("application/x-www-form-urlencoded") => {
                let body = request.extract::<Form<Self>, _>().await;
                body.map(|Form(body)| body).map_err(|error| error.status())
            }
            Some(_) => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        };
        match body {
            Ok(body) => Ok(body.or(query)),
            Err(status) if status == StatusCode::PAYLOAD_TOO_LARGE => Err(Refusal::TooLarge),
            Err(status) if status == StatusCode::UNSUPPORTED_MEDIA_TYPE => Err(Refusal::BadType),
            Err(_) => Err(Refusal::BadParameters),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            service: self.service.or(other.service),
            username: self.username.or(other.username),
            key: self.key.or(other.key),
            api: self.api.or(other.api),
            ttl: self.ttl.or(other.ttl),
        }
    }
}

/// A whole number of seconds; JSON clients write it as a number or as text.
#[derive(Debug, Clone, Copy)]
struct Seconds(u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Seconds;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number of seconds")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Seconds, E> {
                Ok(Seconds(seconds))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                text.parse().map(Seconds).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Why a request gets no credential.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    TooFast(Duration),
    NotSetUp,
    ForeignHost,
    BadKey,
    BadService,
    BadUsername,
    BadParameters,
    BadHost,
    BadType,
    TooLarge,
}

impl Refusal {
    fn reason(self) -> &'static str {
        match self {
            Self::TooFast(_) => "credential_rate",
            Self::NotSetUp => "credential_not_set_up",
            Self::ForeignHost => "foreign_host",
            Self::BadKey => "credential_key",
            Self::BadService
            | Self::BadUsername
            | Self::BadParameters
            | Self::BadHost
            | Self::BadType
            | Self::TooLarge => "credential_request",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::TooFast(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotSetUp | Self::ForeignHost | Self::BadKey => StatusCode::FORBIDDEN,
            Self::BadService | Self::BadUsername | Self::BadParameters | Self::BadHost => {
                StatusCode::BAD_REQUEST
            }
            Self::BadType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::TooFast(_) => "too many requests from this address",
            Self::NotSetUp => {
                "this endpoint is closed: set signaling.credentials.api_keys, or signaling.credentials.anonymous = true to open it to everyone"
            }
            Self::ForeignHost => FOREIGN_HOST,
            Self::BadKey => "give a valid key as key=, X-Api-Key or Authorization: Bearer",
            Self::BadService => "service must be turn",
            Self::BadUsername => "username has at most 256 bytes and no control characters",
            Self::BadParameters => "the parameters cannot be read; ttl is a whole number of seconds",
            Self::BadHost => "the Host header names no host",
            Self::BadType => "send the parameters in the query, as a form or as JSON",
            Self::TooLarge => "the body is too large",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
        }
        let body = Json(Body {
            error: self.message(),
        });
        match self {
            Self::TooFast(wait) => later(wait, body),
            Self::NotSetUp
            | Self::ForeignHost
            | Self::BadKey
            | Self::BadService
            | Self::BadUsername
            | Self::BadParameters
            | Self::BadHost
            | Self::BadType
            | Self::TooLarge => (self.status(), body).into_response(),
        }
    }
}
