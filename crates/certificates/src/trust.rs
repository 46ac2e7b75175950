//! Whether clients that trust some authorities will trust a chain.

use std::{sync::Arc, time::Duration};

use rustls::{
    CertificateError, Error, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{Pair, pair::seconds_since_1970};

/// What clients that trust some authorities find in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It leads to an authority that they trust.
    Trusted,
    /// It ends with a certificate that nobody but itself vouches for.
    OwnAuthority {
        /// Whose it is.
        name: String,
    },
    /// It ends below an authority that they do not know, and that is not in it.
    UnknownIssuer {
        /// The authority that is missing.
        name: String,
    },
    /// It is for no name by which a client could come.
    Nameless,
    /// They refuse it for another reason.
    Refused(String),
}

impl Pair {
    /// Judges the chain as clients do that trust these authorities. Names and the leaf's expiry are not looked at:
    /// [`names`](Self::names) and [`not_after`](Self::not_after) tell those.
    pub fn trust(&self, roots: Arc<RootCertStore>) -> Trust {
        let Some((leaf, rest)) = self.chain.split_first() else {
            return Trust::Refused("the chain is empty".to_owned());
        };
        let Some(name) = self.some_name() else {
            return Trust::Nameless;
        };
        let provider = aws_lc_rs::default_provider().into();
        let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(roots, provider).build() else {
            // There is no authority at all.
            return self.end();
        };
        match verifier.verify_server_cert(leaf, rest, &name, &[], self.while_valid()) {
            Ok(_) => Trust::Trusted,
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => self.end(),
            // A leaf that is its own authority is refused for being one.
            Err(error) => match self.end() {
                end @ Trust::OwnAuthority { .. } if rest.is_empty() => end,
                Trust::OwnAuthority { .. }
                | Trust::UnknownIssuer { .. }
                | Trust::Trusted
                | Trust::Nameless
                | Trust::Refused(_) => Trust::Refused(error.to_string()),
            },
        }
    }

    /// The first certificate of the chain that was not issued by the one after it, counted from 0.
    pub fn misplaced(&self) -> Option<usize> {
        let parties: Vec<_> = self.chain.iter().filter_map(parties).collect();
        parties
            .windows(2)
            .position(|pair| pair[0].issuer != pair[1].subject)
    }

    /// Where it ends for clients, who go from the leaf to who issued that, in whatever order those stand, and so on.
    fn end(&self) -> Trust {
        let mut parties: Vec<_> = self.chain.iter().filter_map(parties).collect();
        if parties.len() < self.chain.len() {
            return Trust::Refused("a certificate of it cannot be read".to_owned());
        }
        let mut last = parties.remove(0);
        while last.subject != last.issuer
            && let Some(place) = parties.iter().position(|one| one.subject == last.issuer)
        {
            last = parties.remove(place);
        }
        match last.subject == last.issuer {
            true => Trust::OwnAuthority { name: last.issuer },
            false => Trust::UnknownIssuer { name: last.issuer },
        }
    }

    fn some_name(&self) -> Option<ServerName<'static>> {
        let name = self.names.first()?;
        ServerName::try_from(name.replace('*', "any")).ok()
    }

    /// Now, or the nearest time at which the leaf is valid.
    fn while_valid(&self) -> UnixTime {
        let last = (self.not_after - 1).max(self.not_before);
        let time = seconds_since_1970().clamp(self.not_before, last);
        UnixTime::since_unix_epoch(Duration::from_secs(time.try_into().unwrap_or(0)))
    }
}

/// Whom a certificate is for and by, as their names stand in it.
struct Parties {
    subject: String,
    issuer: String,
}

fn parties(certificate: &CertificateDer<'_>) -> Option<Parties> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(Parties {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use super::*;
    use crate::{PairConfig, testing};

    fn named(name: &str, is_ca: bool) -> CertificateParams {
        let names = if is_ca { Vec::new() } else { vec![name.to_owned()] };
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    fn key() -> KeyPair {
        KeyPair::generate().unwrap()
    }

    /// The PEM of a root, of an intermediate, and of a leaf with its key.
    fn chain() -> (String, String, String, String, CertificateDer<'static>) {
        let root = CertifiedIssuer::self_signed(named("Root", true), key()).unwrap();
        let middle = CertifiedIssuer::signed_by(named("Middle", true), key(), &root).unwrap();
        let leaf_key = key();
        let leaf = named("turn.example.org", false)
            .signed_by(&leaf_key, &middle)
            .unwrap();
        (
            root.pem(),
            middle.pem(),
            leaf.pem(),
            leaf_key.serialize_pem(),
            root.der().clone(),
        )
    }

    fn pair(chain: &str, key: &str) -> Pair {
        let folder = tempfile::tempdir().unwrap();
        let files = PairConfig {
            certificate: testing::put(folder.path(), "chain.pem", chain),
            key: testing::put(folder.path(), "key.pem", key),
            awaited: false,
        };
        Pair::read(&files).unwrap()
    }

    fn roots(der: Option<CertificateDer<'static>>) -> Arc<RootCertStore> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(der);
        Arc::new(store)
    }

    #[test]
    fn a_whole_chain_is_trusted_by_those_who_trust_its_root() {
        let (_, middle, leaf, key, der) = chain();
        let pair = pair(&format!("{leaf}{middle}"), &key);
        assert_eq!(pair.trust(roots(Some(der))), Trust::Trusted);
        assert_eq!(pair.misplaced(), None);
    }

    #[test]
    fn a_chain_without_its_middle_names_who_is_missing() {
        let (_, _, leaf, key, der) = chain();
        let name = "CN=Middle".to_owned();
        assert_eq!(
            pair(&leaf, &key).trust(roots(Some(der))),
            Trust::UnknownIssuer { name }
        );
    }

    #[test]
    fn a_root_above_the_gap_does_not_hide_who_is_missing() {
        let (root, _, leaf, key, der) = chain();
        let pair = pair(&format!("{leaf}{root}"), &key);
        for known in [Some(der), None] {
            let name = "CN=Middle".to_owned();
            assert_eq!(pair.trust(roots(known)), Trust::UnknownIssuer { name });
        }
    }

    #[test]
    fn a_certificate_for_no_name_is_told_as_one() {
        let root = CertifiedIssuer::self_signed(named("Root", true), key()).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "turn.example.org");
        let leaf_key = key();
        let leaf = params.signed_by(&leaf_key, &root).unwrap();
        let pair = pair(&leaf.pem(), &leaf_key.serialize_pem());
        for known in [Some(root.der().clone()), None] {
            assert_eq!(pair.trust(roots(known)), Trust::Nameless);
        }
    }

    #[test]
    fn a_chain_that_goes_up_to_a_root_of_ones_own_says_whose_it_is() {
        let (root, middle, leaf, key, _) = chain();
        let name = "CN=Root".to_owned();
        let pair = pair(&format!("{leaf}{middle}{root}"), &key);
        assert_eq!(pair.trust(roots(None)), Trust::OwnAuthority { name });
    }

    #[test]
    fn certificates_out_of_order_are_told() {
        let (root, middle, leaf, key, _) = chain();
        let pair = pair(&format!("{leaf}{root}{middle}"), &key);
        assert_eq!(pair.misplaced(), Some(0));
    }
}
