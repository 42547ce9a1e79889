//! Notes about our locks, kept by the node's own wallet: after the database was lost, they and the seed are all there is.
//!
//! A script shows nobody whose it is, and its keys come from a salt that only we knew. So before any money moves, what is
//! needed to know the lock again is written as a *label* of its address. Bitcoin Core and Litecoin Core keep a label for any
//! address, also one that is not the wallet's own, in the wallet's file, which the node's owner backs up anyway.
//! Rejected: an output with data in the funding transaction (it costs 92 vbytes each time and marks the payment for everybody);
//! importing the script as watch-only (a descriptor wallet with keys refuses it, and the keys would still be missing).

use super::UtxoAdapter;
use crate::address;
use crate::rpc::To;
use photon_chains::{Found, Lock, PortError};
use serde_json::{Value, json};

/// No note is longer; a label that is longer is no note.
const NOTE_CAP: usize = 1024;

impl UtxoAdapter {
    /// Labels the lock's address. Saying it again is harmless; another note replaces it, an empty one takes it away.
    pub(super) async fn label(&self, lock: &Lock, note: &str) -> Result<(), PortError> {
        let script = self.script_of(lock)?.output_script();
        if note.len() > NOTE_CAP {
            return Err(self.refused("such a note can't be kept"));
        }
        let address = address::encode(&self.params, &script).ok_or_else(|| self.refused("this lock has no address"))?;
        let done: Result<Value, _> = self.rpc.call(To::Wallet, "setlabel", json!([address, note])).await;
        done.map(|_| ()).map_err(|error| self.failed(error))
    }

    /// Every label of the wallet that may be a note.
    pub(super) async fn notes(&self) -> Result<Found, PortError> {
        let mut notes: Vec<String> =
            self.rpc.call(To::Wallet, "listlabels", json!([])).await.map_err(|error| self.failed(error))?;
        notes.retain(|note| !note.is_empty() && note.len() <= NOTE_CAP);
        Ok(Found { locks: Vec::new(), notes })
    }
}
