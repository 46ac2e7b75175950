//! How a command ends when it cannot go on.

use std::{fmt, net::SocketAddr};

use lifecycle::{exit, passed_listener};
use tokio::net::TcpListener;

/// What the command says in the end, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    code: u8,
    what: String,
}

impl End {
    /// Ends with a code of [`lifecycle::exit`].
    pub fn new(code: u8, what: impl fmt::Display) -> Self {
        Self {
            code,
            what: what.to_string(),
        }
    }

    /// Ends because something failed while running.
    pub fn failure(what: impl fmt::Display) -> Self {
        Self::new(exit::FAILURE, what)
    }

    /// Ends because the configuration is wrong.
    pub fn config(what: impl fmt::Display) -> Self {
        Self::new(exit::CONFIG, what)
    }

    pub(crate) const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Listens on TCP `address`, which the user chose by `key`, by the service manager's socket where it has opened one there.
///
/// # Errors
/// [`exit::UNAVAILABLE`] with advice if the address cannot be had.
pub async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, End> {
    let bound = match passed_listener(address) {
        Ok(Some(listener)) => TcpListener::from_std(listener),
        Ok(None) => TcpListener::bind(address).await,
        Err(error) => Err(error),
    };
    bound.map_err(|error| {
        let what = format!("cannot listen on TCP {address}: {error}. Change {key}, or see `ss -ltnp`");
        End::new(exit::UNAVAILABLE, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_named_with_the_key_that_chose_it() {
        let holder = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "tea.listen")
            .await
            .unwrap();
        let address = holder.local_addr().unwrap();
        let end = bind(address, "tea.listen").await.unwrap_err();
        assert_eq!(end.code(), exit::UNAVAILABLE);
        let said = end.to_string();
        assert!(
            said.contains(&address.to_string()) && said.contains("tea.listen"),
            "{said}"
        );
    }
}
