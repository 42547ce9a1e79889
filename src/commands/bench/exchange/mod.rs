//! `photon bench exchange`: many clients over HTTP against one coordinator.

mod client;
mod world;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use client::Signer;
