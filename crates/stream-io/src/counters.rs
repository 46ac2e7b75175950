//! What is counted of connections; every one that ends has a reason.

/// Declares [`Ending`] once, with its labels beside it.
macro_rules! endings {
    ($($(#[doc = $doc:literal])+ $ending:ident => $name:literal,)+) => {
        /// Says why a connection ended or was turned away. Each reason has its own counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Ending { $($(#[doc = $doc])+ $ending,)+ }

        impl Ending {
            /// Every reason, in the order counters keep them.
            pub const ALL: &'static [Self] = &[$(Self::$ending,)+];

            /// Names the reason as metrics label it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$ending => $name,)+ }
            }
        }
    };
}

endings! {
    /// The client closed it.
    Client => "client",
    /// The network or the client cut it off.
    Reset => "reset",
    /// There are as many connections as there may be.
    TooMany => "too_many",
    /// The address has as many connections as it may have.
    TooManyFromNetwork => "too_many_from_network",
    /// The system could not set it up.
    NotSetUp => "not_set_up",
    /// No complete message came in time.
    HandshakeTime => "handshake_time",
    /// A message was begun and not finished in time.
    FrameTime => "frame_time",
    /// It was silent for long and has no allocation.
    Idle => "idle",
    /// It was given to the web server.
    Web => "web",
    /// The web server did not take it.
    WebRefused => "web_refused",
    /// It wanted a web server, and there is none.
    NoWeb => "no_web",
    /// It wanted TLS, and there is no certificate.
    NoCertificate => "no_certificate",
    /// It began like TLS and did not go on so, or the two sides found no common ground.
    Tls => "tls",
    /// A PROXY header from somebody who is not configured as a proxy.
    ProxyUnknown => "proxy_unknown",
    /// No PROXY header from a proxy.
    ProxyMissing => "proxy_missing",
    /// A PROXY header that cannot be read.
    ProxyInvalid => "proxy_invalid",
    /// It began with nothing that is spoken here.
    Unknown => "unknown_protocol",
    /// What came is neither a STUN message nor ChannelData.
    InvalidFrame => "invalid_frame",
    /// A message longer than whoever has no allocation may send.
    LongFrame => "long_frame",
    /// It asked for the peers of one worker after the other.
    Wandering => "wandering",
}

/// Running totals of one worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections open now: in the clear, and within TLS.
    pub open: [u64; 2],
    /// Connections that ended, by [`Ending`].
    ended: [u64; Ending::ALL.len()],
    /// Connections that were taken out of the frames by [`crate::Streams::take`].
    pub taken: u64,
    /// Attempts to accept that failed for want of descriptors or memory; the client waits then.
    pub accept_failed: u64,
    /// Frames received.
    pub received: u64,
    /// Frames given to a connection.
    pub sent: u64,
    /// Frames dropped because too much waits for that client.
    pub queue_full: u64,
    /// Frames dropped because their connection is gone.
    pub gone: u64,
}

impl Counters {
    /// Connections that ended for this reason.
    pub fn ended(&self, ending: Ending) -> u64 {
        self.ended[ending as usize]
    }

    pub(crate) fn count_end(&mut self, ending: Ending) {
        self.ended[ending as usize] += 1;
    }
}
