//! For fuzzing: what a stranger may say in a negotiation, read as it would be.

use super::messages::{Accepted, AskAccept, AskOffers, AskQuote, AskTake, Offers, Proposal, SignedOffer};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a body as every kind there is; answers those that it is, written again.
pub fn bodies(bytes: &[u8]) -> Vec<Vec<u8>> {
    fn again<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Option<Vec<u8>> {
        serde_json::from_slice::<T>(bytes).ok().and_then(|body| serde_json::to_vec(&body).ok())
    }
    let asks = [again::<AskOffers>(bytes), again::<AskQuote>(bytes), again::<AskTake>(bytes), again::<AskAccept>(bytes)];
    let answers = [again::<SignedOffer>(bytes), again::<Offers>(bytes), again::<Proposal>(bytes), again::<Accepted>(bytes)];
    asks.into_iter().chain(answers).flatten().collect()
}
