//! The live set as rustls wants it.

use std::sync::Arc;

use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version,
};

use crate::{Certificates, MinVersion, Pair};

const FROM_12: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
const FROM_13: &[&SupportedProtocolVersion] = &[&version::TLS13];

pub(crate) fn server_config(
    certificates: &Certificates,
    alpn: &[&[u8]],
    min: MinVersion,
) -> Arc<ServerConfig> {
    let versions = match min {
        MinVersion::Tls12 => FROM_12,
        MinVersion::Tls13 => FROM_13,
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let Ok(builder) = builder.with_protocol_versions(versions) else {
        unreachable!("the provider has cipher suites for both versions");
    };
    let mut config = builder
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Resolver(certificates.clone())));
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // Sessions are resumed from what the client keeps; a stranger leaves nothing behind here. Without a source
    // of randomness for the tickets there is just no resumption.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if let Ok(ticketer) = aws_lc_rs::Ticketer::new() {
        config.ticketer = ticketer;
    }
    config.send_tls13_tickets = 1;
    Arc::new(config)
}

#[derive(Debug)]
struct Resolver(Certificates);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pairs = self.0.pairs();
        choose(&pairs, &hello).map(|pair| pair.certified.clone())
    }
}

/// The first pair for the name whose key the client can verify; failing that the first it can verify at all.
fn choose<'a>(pairs: &'a [Pair], hello: &ClientHello<'_>) -> Option<&'a Pair> {
    let is_verifiable = |pair: &&Pair| {
        let schemes = hello.signature_schemes();
        pair.certified.key.choose_scheme(schemes).is_some()
    };
    let named = |pair: &&Pair| hello.server_name().is_some_and(|name| pair.covers(name));
    let verifiable = || pairs.iter().filter(is_verifiable);
    verifiable().find(named).or_else(|| verifiable().next())
}

#[cfg(test)]
mod tests;
