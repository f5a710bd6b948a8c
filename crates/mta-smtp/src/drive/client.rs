//! Runs the client's machines over a socket.
