//! What was found out, as scripts read it.

use std::{io, net::SocketAddr};

use serde::Serialize;
use thiserror::Error;

use super::{
    Setting,
    advice::{self, Advice},
    binding::Answer,
    probe::Unanswered,
};

/// What a mapping or a filter looks at besides this machine's own address (RFC 4787 §4.1, §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Dependence {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

/// The result of one test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Finding<T> {
    Found(T),
    Unknown(Unknown),
}

/// Why a test has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Error)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unknown {
    #[error("the server has no second address")]
    NoSecondAddress,
    #[error("the server's second address does not answer")]
    SecondAddressSilent,
    #[error("the server refuses to answer from elsewhere, with error {code}")]
    ChangeRefused { code: u16 },
    #[error("the server does not answer from where it was asked to")]
    ChangeIgnored,
    #[error("the server does not answer to another port")]
    ResponsePortUnanswered,
    #[error("there is no NAT")]
    NoNat,
    #[error("the server has stopped answering")]
    Silence,
    #[error("the server answered with error {code}")]
    Refused { code: u16 },
    #[error("{reason}")]
    Network { reason: String },
}

impl From<Unanswered> for Unknown {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Silence => Self::Silence,
            Unanswered::Refused(code) => Self::Refused { code },
            Unanswered::Network(error) => error.into(),
        }
    }
}

impl From<io::Error> for Unknown {
    fn from(error: io::Error) -> Self {
        Self::Network {
            reason: error.to_string(),
        }
    }
}

/// How long an idle binding lives, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Lifetime {
    pub(super) alive_after: u64,
    /// The first idle time after which it was gone.
    pub(super) gone_after: Option<u64>,
}

/// Everything that was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    pub(super) server: SocketAddr,
    pub(super) second_address: Option<SocketAddr>,
    pub(super) local: SocketAddr,
    pub(super) public: SocketAddr,
    pub(super) nat: bool,
    pub(super) port_kept: bool,
    pub(super) mapping: Finding<Dependence>,
    pub(super) filtering: Finding<Dependence>,
    pub(super) hairpinning: Finding<bool>,
    /// Absent unless it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lifetime: Option<Finding<Lifetime>>,
    pub(super) webrtc: Advice,
}

impl Report {
    pub(super) fn new(
        setting: &Setting,
        (local, answer): (SocketAddr, &Answer),
        mapping: Finding<Dependence>,
        filtering: Finding<Dependence>,
        hairpinning: Finding<bool>,
        lifetime: Option<Finding<Lifetime>>,
    ) -> Self {
        let nat = answer.mapped != local;
        Self {
            server: setting.server,
            second_address: setting.other,
            local,
            public: answer.mapped,
            nat,
            port_kept: answer.mapped.port() == local.port(),
            webrtc: advice::advice(nat, &mapping, &filtering),
            mapping,
            filtering,
            hairpinning,
            lifetime,
        }
    }
}
