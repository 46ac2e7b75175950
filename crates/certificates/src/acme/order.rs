//! The talk with a directory.

use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationHandle, AuthorizationStatus, CertificateIdentifier,
    ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs;
use tokio::time::timeout;
use tracing::debug;

use super::{ACCOUNT, Acme, AcmeError, Challenge, challenges::Answer, nonces::asked_again, schedule::Window};
use crate::{Pair, files};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the directory may look at a domain, or sign.
const RETRIES: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

impl Acme {
    /// Key and chain of a new certificate for all domains, in PEM.
    pub(super) async fn obtain(&self, replaced: Option<&Pair>) -> Result<String, AcmeError> {
        let obtained = timeout(PATIENCE, self.order(replaced)).await;
        obtained.map_err(|_| AcmeError::TooSlow(PATIENCE))?
    }

    /// When the directory would like this certificate to be renewed, if it says so (RFC 9773).
    pub(super) async fn window(&self, pair: &Pair) -> Option<Window> {
        let id = CertificateIdentifier::try_from(pair.chain.first()?).ok()?;
        let asked = async { self.account().await.ok()?.renewal_info(&id).await.ok() };
        let (info, _) = timeout(PATIENCE, asked).await.ok().flatten()?;
        let window = info.suggested_window;
        Some(Window {
            start: window.start.unix_timestamp(),
            end: window.end.unix_timestamp(),
        })
    }

    async fn order(&self, replaced: Option<&Pair>) -> Result<String, AcmeError> {
        let account = self.account().await?;
        let mut order = self.new_order(&account, replaced).await?;
        self.prove(&mut order).await?;

        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(self.config.domains.clone())?;
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key)?;
        asked_again!(order.finalize_csr(request.der())).map_err(|error| self.failed(error))?;
        let chain = asked_again!(order.poll_certificate(&RETRIES)).map_err(|error| self.failed(error))?;
        Ok(key.serialize_pem() + &chain)
    }

    /// An order, said to replace that certificate if the directory takes it so. One that was replaced already (RFC 9773
    /// §5) is replaced without being named, and so it is at directories that do not repeat its name as they should.
    async fn new_order(&self, account: &Account, replaced: Option<&Pair>) -> Result<Order, AcmeError> {
        let domains = self.config.domains.iter();
        let identifiers: Vec<_> = domains.map(|domain| identifier(domain)).collect();
        let new = || match self.config.profile.as_str() {
            "" => NewOrder::new(&identifiers),
            profile => NewOrder::new(&identifiers).profile(profile),
        };
        let id = replaced.and_then(|pair| CertificateIdentifier::try_from(pair.chain.first()?).ok());
        if let Some(id) = id {
            let new = new().replaces(id);
            match asked_again!(account.new_order(&new)) {
                Ok(order) => return Ok(order),
                Err(error) => debug!(%error, "ordering without naming what is replaced"),
            }
        }
        let new = new();
        asked_again!(account.new_order(&new)).map_err(|error| self.failed(error))
    }

    /// Answers for every domain until the directory has looked at all of them.
    async fn prove(&self, order: &mut Order) -> Result<(), AcmeError> {
        asked_again!(read_authorizations(order)).map_err(|error| self.failed(error))?;
        let mut answers = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let authorization = authorization.map_err(|error| self.failed(error))?;
            if authorization.status != AuthorizationStatus::Valid {
                answers.push(self.answer(authorization).await?);
            }
        }
        let status = asked_again!(order.poll_ready(&RETRIES));
        drop(answers);
        match status {
            Ok(OrderStatus::Ready) => Ok(()),
            Ok(_) | Err(Error::Api(_)) => Err(self.refusal(order, status.err()).await),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn answer(&self, mut authorization: AuthorizationHandle<'_>) -> Result<Answer, AcmeError> {
        let domain = authorization.identifier().to_string();
        let kind = match self.config.challenge {
            Challenge::Http01 => ChallengeType::Http01,
            Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
        };
        let Some(mut challenge) = authorization.challenge(kind) else {
            let challenge = self.config.challenge;
            return Err(AcmeError::NoChallenge { domain, challenge });
        };
        let key = challenge.key_authorization();
        let answer = match self.config.challenge {
            Challenge::Http01 => self.challenges.answer_page(&challenge.token, &key),
            Challenge::TlsAlpn01 => self.challenges.answer_handshake(&domain, key.digest().as_ref())?,
        };
        debug!(domain, challenge = %self.config.challenge, "the directory may look");
        asked_again!(challenge.set_ready()).map_err(|error| self.failed(error))?;
        Ok(answer)
    }

    /// Which domain was refused and why, as the directory tells beside the authorization.
    async fn refusal(&self, order: &mut Order, error: Option<Error>) -> AcmeError {
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            // What cannot be refreshed has nothing to tell.
            let _ = asked_again!(async { authorization.refresh().await.map(drop) });
            let problem = authorization
                .challenges
                .iter()
                .find_map(|challenge| challenge.error.clone());
            if let Some(problem) = problem {
                return AcmeError::Refused {
                    domain: authorization.identifier().to_string(),
                    reason: problem.detail.unwrap_or_else(|| "no reason is given".to_owned()),
                };
            }
        }
        self.failed(error.unwrap_or(Error::Str("a valid order")))
    }

    /// The account at the directory, made the first time and kept.
    async fn account(&self) -> Result<Account, AcmeError> {
        // Another provider may be in the process already; each is good enough for the directory.
        let _ = aws_lc_rs::default_provider().install_default();
        let path = self.folder.join(ACCOUNT);
        let builder = || match &self.config.directory_ca {
            Some(root) => Account::builder_with_root(root),
            None => Account::builder(),
        };
        if path.exists() {
            files::refuse_if_open(&path)?;
            let kept = serde_json::from_str::<Kept>(&files::read(&path)?).ok();
            if let Some(kept) = kept.filter(|kept| kept.directory == self.config.directory) {
                let builder = builder().map_err(|error| self.failed(error))?;
                let account = builder.from_credentials(kept.credentials).await;
                return account.map_err(|error| self.failed(error));
            }
        }
        let contact: Vec<_> = self
            .config
            .contact
            .iter()
            .map(|mail| format!("mailto:{mail}"))
            .collect();
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = || self.config.directory.clone();
        let made = asked_again!(async { builder()?.create(&new, directory(), None).await });
        let (account, credentials) = made.map_err(|error| self.failed(error))?;
        let kept = Kept {
            directory: directory(),
            credentials,
        };
        let text = serde_json::to_string_pretty(&kept).map_err(|error| self.failed(error.into()))?;
        files::write(&path, &text, 0o600)?;
        Ok(account)
    }

    fn failed(&self, error: Error) -> AcmeError {
        AcmeError::Directory {
            directory: self.config.directory.clone(),
            error,
        }
    }
}

/// The account in its file; one of another directory is of no use.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

/// Has the order know all of its authorizations, so that looking at them asks for nothing more.
async fn read_authorizations(order: &mut Order) -> Result<(), Error> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        authorization?;
    }
    Ok(())
}

fn identifier(domain: &str) -> Identifier {
    domain
        .parse()
        .map_or_else(|_| Identifier::Dns(domain.to_owned()), Identifier::Ip)
}
