//! What stands in place of DTLS in a build without it.

use std::{num::NonZero, ops::Range, time::Instant};

use certificates::Certificates;
use datagram_io::{Outgoing, Slot};
use turn_core::{ConnectionId, Now};

use super::Worker;
use crate::{config, metrics::Shape};

/// Says what this was built with.
pub(crate) fn built_with() -> String {
    "without DTLS".to_owned()
}

/// Nothing is counted.
pub(crate) struct Counters;

/// Names no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {}

impl Figure {
    pub(crate) fn all() -> Vec<Self> {
        Vec::new()
    }

    pub(crate) fn drops() -> Vec<(&'static str, Self)> {
        Vec::new()
    }

    pub(crate) fn shapes() -> Vec<Shape<Self>> {
        Vec::new()
    }

    pub(crate) fn read(self, _: &Counters) -> u64 {
        match self {}
    }
}

/// No sessions.
pub(crate) struct Dtls;

impl Dtls {
    pub(crate) fn new(_: &config::Dtls, _: Certificates, _: &[u8; 32], _: (u16, NonZero<u16>)) -> Self {
        Self
    }

    pub(crate) fn counters(&self) -> &Counters {
        &Counters
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    pub(super) fn begin_round(&mut self) {}

    pub(crate) fn hold(&mut self, _: Now, _: ConnectionId, _: bool) {}

    pub(crate) fn send<'a>(
        &mut self,
        _: &'a mut Slot,
        _: ConnectionId,
        _: Range<usize>,
    ) -> Option<&'a mut Outgoing> {
        None
    }
}

impl Worker {
    pub(super) fn decide_dtls(&mut self, _: Now, _: usize) -> bool {
        false
    }

    pub(super) fn handle_dtls_timeout(&mut self, _: Now) {}

    pub(super) fn close_dtls(&mut self) {}
}
