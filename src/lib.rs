//! photon
pub mod service;
