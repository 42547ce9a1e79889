//! photon
