//! What the clients over TLS and DTLS expect: the very certificate that the settings name. Whether anybody else trusts it
//! is looked at apart.

use std::sync::Arc;

use certificates::{Believer, Pair};
use rustls::{
    ClientConfig, Error,
    pki_types::{CertificateDer, ServerName},
};

/// RFC 7443 §2: TURN, as clients over TLS name it.
const ALPN: &[u8] = b"stun.turn";

/// The certificate that a server has to show.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    leaf: CertificateDer<'static>,
    pub(super) name: ServerName<'static>,
}

impl Expected {
    /// Nothing if it is for no name.
    pub(super) fn of(pair: &Pair) -> Option<Self> {
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
