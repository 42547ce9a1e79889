//! For fuzzing: one answer of a node, read as every kind of answer that we ever read.

use super::answers::{
    Acceptance, Balances, ChainFacts, FeeEstimate, HeaderFacts, PoolFacts, Signed, Unspent, WalletFacts, WalletTx,
};
use super::{Reply, accept, read};
use serde::de::DeserializeOwned;

/// How many kinds of answer these bytes are.
pub fn answers(bytes: &[u8]) -> usize {
    fn is<T: DeserializeOwned>(bytes: &[u8]) -> usize {
        usize::from(read::<Reply>(bytes).and_then(accept::<T>).is_ok())
    }
    let batch = usize::from(read::<Vec<Reply>>(bytes).is_ok());
    let chain = is::<ChainFacts>(bytes) + is::<HeaderFacts>(bytes) + is::<PoolFacts>(bytes) + is::<FeeEstimate>(bytes);
    let wallet = is::<WalletFacts>(bytes) + is::<Vec<Unspent>>(bytes) + is::<Balances>(bytes) + is::<WalletTx>(bytes);
    batch + chain + wallet + is::<Signed>(bytes) + is::<Vec<Acceptance>>(bytes)
}
