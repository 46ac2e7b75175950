//! What the clients over TLS and DTLS expect: the very certificate that the settings name. Whether anybody else trusts it
//! is looked at apart.

use std::sync::Arc;

use certificates::{Believer, Certificates, Pair, PairConfig};
use rustls::{
    ClientConfig, Error,
    pki_types::{CertificateDer, ServerName},
};

use super::super::certified::unreadable;

/// RFC 7443 §2: TURN, as clients over TLS name it.
const ALPN: &[u8] = b"stun.turn";

/// The certificate that a server has to show.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    leaf: CertificateDer<'static>,
    pub(super) name: ServerName<'static>,
}

/// Why there is nothing to expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uncertified {
    /// It has not come yet.
    Awaited,
    /// This user may not read it.
    Unreadable,
    /// It cannot be used.
    Unusable,
    /// It is for no name that could be asked for.
    Nameless,
}

impl Uncertified {
    /// What it is, and what to do about it.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Awaited => (
                "the certificate has not come yet",
                "see in the log of the server how its order is doing, and run `watari check` again",
            ),
            Self::Unreadable => (
                "this user may not read the certificate that the server shows",
                "run `watari check` as root, or as the user that the server runs as",
            ),
            Self::Unusable => (
                "the certificate cannot be used",
                "see the findings about certificates",
            ),
            Self::Nameless => (
                "the certificate is for no name",
                "issue one with the names of the server as subjectAltName: most clients go by those alone",
            ),
        }
    }
}

impl Expected {
    /// The first of those that the settings name, as the server shows it.
    pub(super) fn first(files: &[PairConfig]) -> Result<Self, Uncertified> {
        let loaded = Certificates::load(files).map_err(|mistakes| {
            let mut problems = mistakes.iter().map(|mistake| &mistake.problem);
            match problems.any(|problem| unreadable(problem).is_some()) {
                true => Uncertified::Unreadable,
                false => Uncertified::Unusable,
            }
        })?;
        let pairs = loaded.pairs();
        let pair = pairs.first().ok_or(Uncertified::Awaited)?;
        Self::of(pair).ok_or(Uncertified::Nameless)
    }

    /// Nothing if it is for no name.
    fn of(pair: &Pair) -> Option<Self> {
        let name = pair.names.first()?.replace('*', "any");
        Some(Self {
            leaf: pair.chain.first()?.clone(),
            name: ServerName::try_from(name).ok()?,
        })
    }

    /// A client over TLS.
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, Error> {
        let mut config = Believer::client(Some(self.leaf.clone()))?;
        // Where the port is shared with the web, this is for the relay under whatever name.
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Arc::new(config))
    }

    /// A client over DTLS.
    #[cfg(feature = "dtls")]
    pub(super) fn dtls(&self) -> Result<openssl::ssl::SslContext, openssl::error::ErrorStack> {
        use openssl::ssl::{SslContext, SslMethod, SslVerifyMode};
        let mut context = SslContext::builder(SslMethod::dtls())?;
        let leaf = self.leaf.clone();
        context.set_verify_callback(SslVerifyMode::PEER, move |_, shown| {
            let is_leaf = shown.error_depth() == 0;
            let der = shown
                .current_cert()
                .and_then(|certificate| certificate.to_der().ok());
            !is_leaf || der.is_some_and(|der| der == leaf.as_ref())
        });
        Ok(context.build())
    }
}
