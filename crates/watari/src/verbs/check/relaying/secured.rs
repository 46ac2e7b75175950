//! What the clients over TLS and DTLS expect: the very certificate that the settings name. Whether anybody else trusts it
//! is looked at apart.

use std::sync::Arc;

use certificates::Pair;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
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
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Only {
            leaf: self.leaf.clone(),
            provider: provider.clone(),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
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

/// Believes one certificate, and checks that the server has its key.
#[derive(Debug)]
struct Only {
    leaf: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *shown == self.leaf {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            )),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
