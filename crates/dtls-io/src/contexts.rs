//! OpenSSL's settings: one context for each certificate, chosen by the name a client asks for.

use std::{ptr, sync::Arc};

use certificates::{Certificates, Pair, for_name};
use openssl::{
    error::ErrorStack,
    pkey::PKey,
    ssl::{
        AlpnError, NameType, SniError, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions,
        SslSessionCacheMode, SslVerifyMode, SslVersion, select_next_proto,
    },
    x509::X509,
};
use tracing::error;

/// Bytes of a handshake datagram: passes every path of IPv6 (1280) with tunnels on it.
const MTU: u32 = 1200;
/// RFC 7443 §5, each with its length in front.
const ALPN: &[u8] = b"\x09stun.turn\x12stun.nat-discovery";
/// Forward secrecy and authenticated encryption (RFC 9325 §4.2).
const CIPHERS: &str = "ECDHE+AESGCM:ECDHE+CHACHA20";

/// What handshakes begin with.
#[derive(Default)]
pub(crate) struct Contexts {
    certificates: Certificates,
    /// The certificates that were last looked at.
    generation: Option<u64>,
    /// The context of the first certificate, which changes to that of another one by name.
    first: Option<SslContext>,
}

impl Contexts {
    pub(crate) fn new(certificates: Certificates) -> Self {
        Self {
            certificates,
            generation: None,
            first: None,
        }
    }

    /// Tells whether there is a certificate to show; looks at those that have come since.
    pub(crate) fn are_there(&mut self) -> bool {
        let generation = self.certificates.generation();
        if self.generation != Some(generation) {
            self.generation = Some(generation);
            match first(self.certificates.pairs()) {
                Ok(first) => self.first = first,
                Err(error) => {
                    error!("OpenSSL cannot use the certificates, DTLS goes on without them: {error}")
                }
            }
        }
        self.first.is_some()
    }

    /// Makes a session that waits for a ClientHello; `None` without certificates.
    pub(crate) fn session(&self) -> Result<Option<Ssl>, ErrorStack> {
        let Some(first) = &self.first else { return Ok(None) };
        let mut ssl = Ssl::new(first)?;
        ssl.set_mtu(MTU)?;
        ssl.set_accept_state();
        Ok(Some(ssl))
    }
}

fn first(pairs: Arc<Vec<Pair>>) -> Result<Option<SslContext>, ErrorStack> {
    let Some(first) = pairs.first() else {
        return Ok(None);
    };
    let mut first = context(first)?;
    let all: Vec<_> = pairs
        .iter()
        .map(|pair| context(pair).map(SslContextBuilder::build))
        .collect::<Result<_, _>>()?;
    first.set_servername_callback(move |ssl, _| {
        let chosen = for_name(&pairs, ssl.servername(NameType::HOST_NAME));
        let chosen = pairs
            .iter()
            .zip(&all)
            .find(|(pair, _)| chosen.is_some_and(|chosen| ptr::eq(chosen, *pair)));
        match chosen {
            Some((_, context)) => ssl.set_ssl_context(context).map_err(|_| SniError::ALERT_FATAL),
            None => Err(SniError::NOACK),
        }
    });
    Ok(Some(first.build()))
}

fn context(pair: &Pair) -> Result<SslContextBuilder, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::dtls_server())?;
    // RFC 8996 has done away with DTLS 1.0.
    context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_cipher_list(CIPHERS)?;
    context.set_verify(SslVerifyMode::NONE);
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_options(
        SslOptions::COOKIE_EXCHANGE
            | SslOptions::NO_QUERY_MTU
            | SslOptions::NO_TICKET
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_COMPRESSION
            | SslOptions::CIPHER_SERVER_PREFERENCE,
    );
    // Cookies were made and recognised before OpenSSL hears of a client; this one only goes in a circle.
    context.set_cookie_generate_cb(|_, cookie| {
        cookie[0] = 0;
        Ok(1)
    });
    context.set_cookie_verify_cb(|_, _| true);
    context.set_alpn_select_callback(|_, offered| {
        select_next_proto(ALPN, offered).ok_or(AlpnError::ALERT_FATAL)
    });
    for (place, certificate) in pair.chain.iter().enumerate() {
        let certificate = X509::from_der(certificate)?;
        if place == 0 {
            context.set_certificate(&certificate)?;
        } else {
            context.add_extra_chain_cert(certificate)?;
        }
    }
    let key = PKey::private_key_from_der(pair.key.secret_der())?;
    context.set_private_key(&key)?;
    context.check_private_key()?;
    Ok(context)
}
