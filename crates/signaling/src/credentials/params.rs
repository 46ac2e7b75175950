//! What a request asks for, wherever it says so.

use axum::{
    Json, RequestExt as _,
    extract::{Form, Query, Request},
    http::{Method, StatusCode, header},
};
use serde::{Deserialize, Deserializer, de};

use super::Refusal;

/// The parameters of a request, from its query and its body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Params {
    pub(super) service: Option<String>,
    #[serde(alias = "customIdentifier")]
    pub(super) username: Option<String>,
    pub(super) key: Option<String>,
    pub(super) api: Option<String>,
    #[serde(alias = "Ttl")]
    pub(super) ttl: Option<Seconds>,
    pub(super) region: Option<String>,
}

impl Params {
    /// A body's parameters count before those of the query.
    pub(super) async fn of_request(request: Request) -> Result<Self, Refusal> {
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
            region: self.region.or(other.region),
        }
    }
}

/// A whole number of seconds; JSON clients write it as a number or as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub(super) u64);

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
