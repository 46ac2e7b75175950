//! The TURN server as a state machine: allocations, permissions, channels, authentication, quota, peer policy.
