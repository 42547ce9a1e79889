//! What a wallet that is not ours needs to fund or take back a lock with its own hands.

use crate::slot::{Slot, address};
use photon_chains::{Address, Amount, Ledger, Lock};

/// A call of a contract, to be sent by the lock's refundee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// The contract.
    pub to: Address,
    /// Coins that go with the call, in wei.
    pub value: Amount,
    /// The call that funds the lock.
    pub calldata: Vec<u8>,
    /// The same as a link (EIP-681).
    pub uri: String,
    /// A call that must be mined before it: an allowance of exactly the amount, at the token.
    pub approve: Option<(Address, Vec<u8>)>,
    /// The call that takes the lock back once it has opened, whoever sends it.
    pub refund_calldata: Vec<u8>,
}

/// How a lock is funded by hand. None if it is no lock of that ledger's contracts.
pub fn by_hand(lock: &Lock, ledger: Ledger, chain_id: u64) -> Option<ByHand> {
    let slot = Slot::of(lock, ledger, chain_id).ok()?;
    let to = address(slot.contract);
    let terms = &slot.terms;
    let (redeemer, hash) = (address(terms.redeemer), lock.secret_hash);
    let arguments = match terms.token {
        None => format!("bytes32=0x{hash}&address={redeemer}&uint256={}&value={}", terms.word, terms.amount),
        Some(token) => {
            let token = address(token);
            format!("bytes32=0x{hash}&uint256={}&address={token}&address={redeemer}&uint256={}", terms.amount, terms.word)
        }
    };
    Some(ByHand {
        to,
        value: if terms.token.is_some() { Amount::ZERO } else { lock.amount },
        calldata: slot.fund_call(),
        uri: format!("ethereum:{to}@{chain_id}/lock?{arguments}"),
        approve: terms.token.map(|token| (address(token), crate::abi::approve(slot.contract, terms.amount))),
        refund_calldata: slot.refund_call(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use photon_chains::{Asset, BlockHeight, Expiry, Hash32, Party, SecretHash, Template, UnixTime};

    fn lock(asset: Asset) -> Lock {
        let opens_time = UnixTime::from_secs(1_900_000_000);
        let expiry = Expiry { opens_time, opens_block: BlockHeight::new(0), closes: None, lock_by: None, linked: false };
        let party = |byte| Party::Account(Address::from_bytes([byte; 20]));
        Lock {
            asset,
            amount: Amount::from_units(5),
            secret_hash: SecretHash::from_bytes([0xaa; 32]),
            redeemer: party(2),
            refundee: party(3),
            expiry,
            template: Template::Htlc { contract: Address::from_bytes([1; 20]), code_hash: Hash32::from_bytes([4; 32]) },
        }
    }

    #[test]
    fn a_wallet_gets_the_same_call_that_we_would_send() {
        let native = lock(Asset::Native(Ledger::Ethereum));
        let call = by_hand(&native, Ledger::Ethereum, 7).unwrap();
        let slot = Slot::of(&native, Ledger::Ethereum, 7).unwrap();
        assert_eq!((call.calldata, call.value.units(), call.approve), (slot.fund_call(), 5, None));
        let (one, two) = ("01".repeat(20), "02".repeat(20));
        let wanted =
            format!("ethereum:0x{one}@7/lock?bytes32=0x{}&address=0x{two}&uint256={}&value=5", "aa".repeat(32), slot.terms.word);
        assert_eq!(call.uri, wanted);
        let token = lock(Asset::Token(Ledger::Ethereum, Address::from_bytes([9; 20])));
        let call = by_hand(&token, Ledger::Ethereum, 7).unwrap();
        let (at, allowance) = call.approve.unwrap();
        assert_eq!((call.value, at), (Amount::ZERO, Address::from_bytes([9; 20])));
        assert_eq!(crate::abi::read_approve(&allowance).map(|(_, amount)| amount.to_string()).as_deref(), Some("5"));
        assert!(by_hand(&native, Ledger::Smt, 7).is_none());
    }
}
