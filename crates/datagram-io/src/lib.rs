//! Batches of datagrams in and out of UDP sockets; worker threads; the only unsafe code of the workspace.
