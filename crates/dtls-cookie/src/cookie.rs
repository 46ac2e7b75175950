//! Cookies that prove where a client is and cost nothing to remember (RFC 6347 §4.2.1).

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::hello::{COOKIE, ClientHello};

/// A cookie is good in the slice of time it was made in and in the next one.
const SLICE_SECONDS: u64 = 30;

/// Between whom a cookie is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Where the client is.
    pub client: SocketAddr,
    /// The address of ours it sends to.
    pub server: SocketAddr,
}

/// Makes and recognises cookies with one secret.
pub struct Cookies {
    /// Ready for the first byte.
    mac: Hmac<Sha256>,
    since: Instant,
}

impl Cookies {
    /// Begins to count time at `now`; `secret` is 32 bytes that nobody can guess.
    pub fn new(secret: &[u8; 32], now: Instant) -> Self {
        Self {
            mac: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"),
            since: now,
        }
    }

    /// Makes the cookie of this client for this hello.
    pub fn mint(&self, now: Instant, way: Way, hello: &ClientHello<'_>) -> [u8; COOKIE] {
        self.of_slice(self.slice(now), way, hello)
    }

    /// Tells whether the hello carries a cookie that was made for it, and not long ago.
    pub fn recognise(&self, now: Instant, way: Way, hello: &ClientHello<'_>) -> bool {
        let slice = self.slice(now);
        let made_in = |slice| bool::from(self.of_slice(slice, way, hello)[..].ct_eq(hello.cookie()));
        hello.cookie().len() == COOKIE && (made_in(slice) || slice.checked_sub(1).is_some_and(made_in))
    }

    fn slice(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs() / SLICE_SECONDS
    }

    fn of_slice(&self, slice: u64, way: Way, hello: &ClientHello<'_>) -> [u8; COOKIE] {
        let mut mac = self.mac.clone();
        mac.update(&slice.to_be_bytes());
        update_address(&mut mac, way.client);
        update_address(&mut mac, way.server);
        for part in hello.parameters() {
            mac.update(&(part.len() as u32).to_be_bytes());
            mac.update(part);
        }
        let tag = mac.finalize().into_bytes();
        let mut cookie = [0; COOKIE];
        cookie.copy_from_slice(&tag[..COOKIE]);
        cookie
    }
}

fn update_address(mac: &mut Hmac<Sha256>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            mac.update(&[4]);
            mac.update(&ip.octets());
        }
        IpAddr::V6(ip) => {
            mac.update(&[6]);
            mac.update(&ip.octets());
        }
    }
    mac.update(&address.port().to_be_bytes());
}

#[cfg(test)]
mod tests;
