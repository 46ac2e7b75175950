//! What was counted.

/// Everything counted since the start of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    dropped: [u64; DropReason::ALL.len()],
    outcomes: [u64; Outcome::ALL.len()],
    /// HelloVerifyRequests sent.
    pub cookies: u64,
    /// Sessions now whose handshake is done.
    pub open: u64,
    /// Sessions now whose handshake is going on.
    pub half_open: u64,
}

impl Counters {
    /// Counts datagrams that died of `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Counts handshakes, begun with a good cookie, that ended like this.
    pub fn handshakes(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }

    pub(crate) fn count_outcome(&mut self, outcome: Outcome) {
        self.outcomes[outcome as usize] += 1;
    }
}

/// Declares a label set once: variants, their list and their names.
macro_rules! labels {
    ($(#[doc = $doc:literal])+ $label:ident { $($(#[doc = $variant_doc:literal])+ $variant:ident => $name:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $label { $($(#[doc = $variant_doc])+ $variant,)+ }

        impl $label {
            /// All of them, in the order counters keep them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Gives the text metrics label it with.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

labels! {
    /// Says why a datagram died.
    DropReason {
        /// It does not begin with a whole record.
        Malformed => "dtls_malformed",
        /// A ClientHello in parts, which could not be answered without keeping some.
        Fragment => "dtls_fragment",
        /// There is no certificate to show.
        NoCertificate => "dtls_no_certificate",
        /// There is no session at this path that it could be for.
        NoSession => "dtls_no_session",
        /// The hello of a handshake that is over.
        Repeated => "dtls_repeated",
        /// A handshake too many: for the server or for this address.
        Full => "dtls_full",
        /// Another handshake at a path where one has just begun.
        TooSoon => "dtls_too_soon",
        /// A handshake too many for this turn of the worker's loop.
        Busy => "dtls_busy",
        /// A part of a handshake that has no place in it yet.
        Unexpected => "dtls_unexpected",
        /// A record that is forged, broken, replayed or too late.
        Unreadable => "dtls_unreadable",
        /// Plaintext for a session that is gone, or too long for a record.
        NotSealed => "dtls_not_sealed",
    }
}

labels! {
    /// Says how a handshake ended.
    Outcome {
        /// There is a session.
        Completed => "completed",
        /// The two do not agree, or the client broke it off.
        Failed => "failed",
        /// It took too long.
        TimedOut => "timed_out",
        /// A newer one took its place.
        Evicted => "evicted",
    }
}
