//! photon
pub mod assets;
pub mod clock;
pub mod config;
pub mod ledgers;
pub mod keys;
pub mod service;
