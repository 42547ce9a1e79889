//! The command line as a client of a running node's HTTP API.
