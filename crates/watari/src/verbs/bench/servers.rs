//! The servers that are measured, as the flags name them.

use std::{io, path::Path};

use thiserror::Error;
use turn_credentials::Secret;
use turn_load::{Account, Server, Tls, Transport, TrustError, Trusted};

use super::url::Url;
use crate::{
    cli::{BenchArgs, Scenario},
    failure::Failure,
    secret,
};

/// One that is measured.
pub(super) struct Contestant {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) pid: Option<u32>,
    own: Transport,
    server: Server,
    /// For rows that come by another transport than the URL's.
    other: Vec<(Transport, Server)>,
}

/// Why a server cannot be measured.
#[derive(Debug, Error)]
pub(crate) enum Unusable {
    #[error("cannot find {url}: {error}")]
    Unresolved { url: String, error: io::Error },
    #[error("this machine has no way to {url}")]
    NoWay { url: String },
    #[error(
        "nobody to allocate for: give --user and --password-file, or the server's shared secret with --secret-file or in \
         the environment as WATARI_SECRET"
    )]
    NoAccount,
    #[error(
        "{user} needs a password: give it by {user_password}-file, in the environment as {variable}, or by {user_password}"
    )]
    NoPassword {
        user: &'static str,
        user_password: &'static str,
        variable: &'static str,
    },
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl Contestant {
    pub(super) fn server(&self, transport: Transport) -> &Server {
        let other = self.other.iter().find(|(one, _)| *one == transport);
        other
            .filter(|_| transport != self.own)
            .map_or(&self.server, |(_, server)| server)
    }
}

/// The first server, and the one it is measured against.
pub(super) fn of(arguments: &BenchArgs) -> Result<Vec<Contestant>, Failure> {
    let account = account(arguments)?;
    let first = contestant(
        arguments,
        &arguments.server,
        account.clone(),
        arguments.pid,
        arguments.name.as_deref(),
    )?;
    let Some(url) = &arguments.against.against else {
        return Ok(vec![first]);
    };
    let against = &arguments.against;
    let account = match &against.against_user {
        Some(username) => user(
            username,
            against.against_password.as_deref(),
            against.against_password_file.as_deref(),
            [
                "--against-user",
                "--against-password",
                "WATARI_BENCH_AGAINST_PASSWORD",
            ],
        )?,
        None => account,
    };
    let second = contestant(
        arguments,
        url,
        account,
        against.against_pid,
        against.against_name.as_deref(),
    )?;
    Ok(vec![first, second])
}

fn contestant(
    arguments: &BenchArgs,
    url: &Url,
    account: Account,
    pid: Option<u32>,
    name: Option<&str>,
) -> Result<Contestant, Unusable> {
    let own = arguments.load.transport.unwrap_or(url.transport);
    let by = |transport| server(arguments, url, account.clone(), pid, transport);
    let other = if arguments.load.scenario.contains(&Scenario::All) {
        vec![
            (Transport::Udp, by(Transport::Udp)?),
            (Transport::Tcp, by(Transport::Tcp)?),
        ]
    } else {
        Vec::new()
    };
    Ok(Contestant {
        name: name.map_or_else(|| url.to_string(), str::to_owned),
        url: url.to_string(),
        pid,
        own,
        server: by(own)?,
        other,
    })
}

fn server(
    arguments: &BenchArgs,
    url: &Url,
    account: Account,
    pid: Option<u32>,
    transport: Transport,
) -> Result<Server, Unusable> {
    let unresolved = |error| Unusable::Unresolved {
        url: url.to_string(),
        error,
    };
    let address = url.resolve(transport).map_err(unresolved)?;
    let way = || datagram_io::local_address_towards(address.ip());
    let peer = arguments
        .peer
        .or_else(way)
        .ok_or_else(|| Unusable::NoWay { url: url.to_string() })?;
    let trusted = match &arguments.ca {
        _ if arguments.insecure => Trusted::Anyone,
        Some(file) => Trusted::File(file.clone()),
        None => Trusted::System,
    };
    let tls = (transport == Transport::Tls).then(|| Tls::new(url.host(), &trusted));
    Ok(Server {
        address,
        account,
        peer,
        pid,
        tls: tls.transpose()?,
    })
}

fn account(arguments: &BenchArgs) -> Result<Account, Failure> {
    let flags = &arguments.account;
    if let Some(username) = &flags.user {
        return user(
            username,
            flags.password.as_deref(),
            flags.password_file.as_deref(),
            ["--user", "--password", "WATARI_BENCH_PASSWORD"],
        );
    }
    let secret = match &flags.secret_file {
        Some(path) => secret::of_file(path)?,
        None => secret::of_environment("WATARI_SECRET")?.ok_or(Unusable::NoAccount)?,
    };
    Ok(Account::Secret(Secret::new(secret)))
}

/// A user, whose password is in the flags, in a file or in the environment; by these names, should it be in none.
fn user(
    username: &str,
    password: Option<&str>,
    file: Option<&Path>,
    [user, user_password, variable]: [&'static str; 3],
) -> Result<Account, Failure> {
    let password = match (password, file) {
        (Some(password), _) => password.to_owned(),
        (None, Some(path)) => secret::of_file(path)?,
        (None, None) => secret::of_environment(variable)?.ok_or(Unusable::NoPassword {
            user,
            user_password,
            variable,
        })?,
    };
    Ok(Account::User {
        username: username.to_owned(),
        password,
    })
}
