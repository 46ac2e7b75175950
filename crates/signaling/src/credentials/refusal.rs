//! Why a request gets no credential, and what it is told.

use std::time::Duration;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::gate::{FOREIGN_HOST, later};

/// Why a request gets no credential.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    TooFast(Duration),
    NotSetUp,
    NoKeys,
    ForeignHost,
    BadKey,
    BadService,
    BadUsername,
    BadAccount,
    BadParameters,
    BadHost,
    BadType,
    TooLarge,
    NotOurs,
    NoAdmin,
}

impl Refusal {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::TooFast(_) => "credential_rate",
            Self::NotSetUp | Self::NoKeys | Self::NoAdmin => "credential_not_set_up",
            Self::ForeignHost => "foreign_host",
            Self::BadKey => "credential_key",
            Self::BadService
            | Self::BadUsername
            | Self::BadAccount
            | Self::BadParameters
            | Self::BadHost
            | Self::BadType
            | Self::TooLarge
            | Self::NotOurs => "credential_request",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::TooFast(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotSetUp | Self::NoKeys | Self::ForeignHost | Self::BadKey => StatusCode::FORBIDDEN,
            Self::BadService | Self::BadUsername | Self::BadParameters | Self::BadHost | Self::NotOurs => {
                StatusCode::BAD_REQUEST
            }
            Self::NoAdmin => StatusCode::NOT_IMPLEMENTED,
            Self::BadAccount => StatusCode::NOT_FOUND,
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
            Self::NoKeys => {
                "who revokes needs a key, also where the endpoints are open to everyone: set signaling.credentials.api_keys"
            }
            Self::ForeignHost => FOREIGN_HOST,
            Self::BadKey => {
                "give a valid key as key=, X-Api-Key, Authorization: Bearer, or the password of Authorization: Basic"
            }
            Self::BadAccount => "an account is at most 64 letters and digits",
            Self::BadService => "service must be turn",
            Self::BadUsername => "username has at most 256 bytes and no control characters",
            Self::BadParameters => "the parameters cannot be read; ttl is a whole number of seconds",
            Self::BadHost => "the Host header names no host",
            Self::BadType => "send the parameters in the query, as a form or as JSON",
            Self::TooLarge => "the body is too large",
            Self::NotOurs => {
                "only a username that expires within 30 days, as it was given here, can be revoked"
            }
            Self::NoAdmin => {
                "no TURN server can be told: set signaling.ice.admin, or admin of each of signaling.ice.nodes"
            }
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
        if let Self::TooFast(wait) = self {
            return later(wait, body);
        }
        (self.status(), body).into_response()
    }
}
