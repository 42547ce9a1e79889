//! A ledger on which every channel has long been open, with the same money on both sides.

use photon_chains::{
    Address, BlockHeight, BlockRef, Called, ContractCall, ContractPort, Hash32, Heads, IntentKey, News, Past, PortError,
    Progress, Said, Sent, Stamp, TxId, UnixTime,
};
use photon_channel::contract::Open;
use photon_channel::{Epoch, Holdings, Units};

/// As signed messages name it.
pub const CHAIN_ID: u64 = 31_337;
/// Where nothing is.
pub const CONTRACT: Address = Address::from_bytes([0xcc; 20]);
/// Where no secret is ever registered.
pub const REGISTRY: Address = Address::from_bytes([0xee; 20]);
/// What each side has in each channel.
pub const DEPOSIT: u128 = 1 << 80;
/// A block comes every so many seconds.
pub const BLOCK_SECS: u64 = 12;
/// The depth that is relied on.
const DEPTH: u64 = 12;

/// See the module.
pub struct StillChain {
    account: Address,
}

impl StillChain {
    /// As that account sees it.
    pub const fn new(account: Address) -> Self {
        Self { account }
    }
}

fn stamp(height: u64) -> Stamp {
    let mut hash = [0; 32];
    hash.split_at_mut(8).0.copy_from_slice(&height.to_be_bytes());
    let block = BlockRef { height: BlockHeight::new(height), hash: Hash32::from_bytes(hash) };
    Stamp { block, time: UnixTime::from_secs(height * BLOCK_SECS) }
}

fn open_word() -> Vec<u8> {
    let half = Units::new(DEPOSIT).unwrap_or(Units::MAX);
    let total = half.checked_add(half).unwrap_or(Units::MAX);
    let open = Open { epoch: Epoch(1), withdrawals: 0, holdings: Holdings { total, net_a: half.signed() } };
    open.word().to_vec()
}

#[async_trait::async_trait]
impl ContractPort for StillChain {
    fn account(&self) -> Address {
        self.account
    }

    fn chain_id(&self) -> u64 {
        CHAIN_ID
    }

    fn channels(&self) -> Option<Address> {
        Some(CONTRACT)
    }

    fn registry(&self) -> Address {
        REGISTRY
    }

    fn block_secs(&self) -> u64 {
        BLOCK_SECS
    }

    fn watch_name(&self, _contract: Address, _name: Hash32, _since: BlockHeight) {}

    fn unwatch_name(&self, _name: &Hash32) {}

    async fn look(&self) -> Result<News, PortError> {
        let height = crate::clock::now().secs() / BLOCK_SECS;
        let heads = Heads { latest: stamp(height), deep: stamp(height - DEPTH) };
        Ok(News { heads, changed: Vec::new() })
    }

    fn said(&self, _name: &Hash32) -> Vec<Said> {
        Vec::new()
    }

    async fn past(&self, from: BlockHeight, _to: BlockHeight) -> Result<(BlockHeight, Vec<Past>), PortError> {
        Ok((from, Vec::new()))
    }

    async fn sent(&self, txids: &[TxId]) -> Result<Vec<Option<Sent>>, PortError> {
        Ok(txids.iter().map(|_| None).collect())
    }

    async fn views(&self, asks: &[(Address, Vec<u8>)], _at: Option<BlockHeight>) -> Result<Vec<Option<Vec<u8>>>, PortError> {
        Ok(asks.iter().map(|(to, _)| (*to == CONTRACT).then(open_word)).collect())
    }

    async fn call(&self, _call: &ContractCall) -> Result<Called, PortError> {
        Ok(Called::Under(Progress::Done))
    }

    fn unwant(&self, _intent: &IntentKey) {}

    async fn holds(&self, _token: Option<Address>) -> Result<u128, PortError> {
        Ok(u128::MAX)
    }
}
