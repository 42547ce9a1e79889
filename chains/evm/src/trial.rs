//! Trying a transaction out before it is signed: nothing is sent that would revert, above all nothing that shows a secret.

use crate::abi::token_said_yes;
use crate::chain::{Ask, At, Simulated};
use crate::node::Node;
use crate::wallet::Order;
use alloy::primitives::{Address, U256, keccak256};
use alloy::sol_types::{Revert, SolError};
use photon_chains::PortError;

/// What a function returns that worked.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    /// Nothing, as those of our contracts. SMT's old node does not say that a call reverted, it only returns the reason.
    Nothing,
    /// Nothing or true, as ERC20 tokens do.
    TrueOrNothing,
    /// Nothing or whole words, as any function does. The reason for a revert is four bytes longer.
    Words,
    /// Whatever: a plain payment, or a contract's creation.
    Anything,
}

/// How a trial ended.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Trial {
    /// It works, as this order.
    Works(Order),
    /// It reverts, for that reason.
    Reverts(String),
}

/// No payment or lock gets more gas, however much a token's code asks for.
pub(crate) const MOST_GAS: u64 = 3_000_000;
/// No contract that is deployed, and no call on behalf of a channel, gets more: a block of the smaller chain holds it.
pub(crate) const MOST_GAS_OF_A_CONTRACT: u64 = 6_000_000;
/// Half as much again is given as was measured; but not more than this, where an eighth is less.
const MUCH_MARGIN: u64 = 500_000;

/// What a call needs.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) input: Vec<u8>,
    pub(crate) returns: Returns,
    /// It gets at least that much gas.
    pub(crate) least_gas: u64,
    /// And never more than that.
    pub(crate) most_gas: u64,
}

impl Node {
    /// Runs a call at the tip as `from` would send it, and measures its gas.
    pub(crate) async fn try_out(&self, from: Address, wanted: Wanted) -> Result<Trial, PortError> {
        let Wanted { to, value, input, returns, least_gas, most_gas } = wanted;
        let ask = Ask { from, to, value, input };
        match self.at(self.rpc.simulate(&ask, At::Latest).await)? {
            Simulated::Reverts(output) => return Ok(Trial::Reverts(reason(&output))),
            Simulated::Works(output) if returns == Returns::Nothing && !output.is_empty() => {
                return Ok(Trial::Reverts(reason(&output)));
            }
            Simulated::Works(output) if returns == Returns::Words && output.len() % 32 != 0 => {
                return Ok(Trial::Reverts(reason(&output)));
            }
            Simulated::Works(output) if returns == Returns::TrueOrNothing && !token_said_yes(&output) => {
                return Ok(Trial::Reverts("the token said no".into()));
            }
            Simulated::Works(_) => {}
        }
        let Some(gas) = self.at(self.rpc.estimate(&ask).await)? else {
            return Ok(Trial::Reverts("it would run out of gas".into()));
        };
        if gas > most_gas {
            return Ok(Trial::Reverts("it would use more gas than one transaction should".into()));
        }
        let margin = (gas / 2).min(MUCH_MARGIN.max(gas / 8));
        let gas = gas.saturating_add(margin).max(least_gas).min(most_gas);
        let Ask { to, value, input, .. } = ask;
        Ok(Trial::Works(Order { to, value, input, gas }))
    }
}

/// Errors that our contracts and good tokens revert with, in words.
const REASONS: &[(&str, &str)] = &[
    ("ZeroAmount()", "a lock of nothing"),
    ("BadAddress()", "an address of the lock is none"),
    ("DegenerateHash()", "everybody can open that secret hash"),
    ("LockExists()", "the same terms are locked already"),
    ("NoSuchLock()", "no such lock stands"),
    ("RedeemClosed()", "redeeming has ended"),
    ("RefundNotOpen()", "the refund is not open yet"),
    ("SecretRegisteredInTime()", "the secret was registered in time, so the lock is the redeemer's"),
    ("ReservedBitsSet()", "the expiry has bits that mean nothing"),
    ("OpensInThePast()", "the refund would be open already"),
    ("ClosesAfterOpening()", "redeeming would still be open when the refund opens"),
    ("FundedTooLate()", "the time to fund it is over"),
    ("TransferFailed()", "the receiver refuses the coin"),
    ("BadChannel()", "no such channel can be: its window, or a party, is out of bounds"),
    ("BadAmount()", "an amount of nothing, or more than a channel holds"),
    ("NotOpen()", "the channel is not open"),
    ("NotThisState()", "the closed channel is in another state by now"),
    ("BadSignature()", "a signature is not that of who must have signed"),
    ("DeadlinePassed()", "what was signed has run out"),
    ("NotNewer()", "what was shown before is as new"),
    ("WindowOver()", "the window after the close is over"),
    ("WindowOpen()", "the window after the close is not over yet"),
    ("BadList()", "the locks are not those that count"),
    ("LockClosed()", "a lock can't be unlocked, by now or so"),
    ("LockStands()", "a lock can't be released yet"),
    ("NotTaken()", "no lock that was given up was unlocked"),
    ("NothingToPay()", "there is nothing to pay out yet"),
    ("BadRights()", "the delegation gives no such right"),
    ("ZeroSecret()", "a secret of zeros is none"),
    ("TokenTransferFailed()", "the token refuses the transfer"),
    ("NotReceivedInFull()", "the token takes a fee from transfers or changes amounts, so it can't be locked"),
];

/// Why a call reverted, as far as its bytes tell.
pub(crate) fn reason(output: &[u8]) -> String {
    if let Ok(revert) = Revert::abi_decode(output) {
        return crate::wire::clean(revert.reason());
    }
    let known = REASONS.iter().find(|(name, _)| output.get(..4) == keccak256(name).get(..4));
    known.map_or_else(|| "the contract refuses it".into(), |(_, words)| (*words).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reasons_are_told_in_words() {
        let selector = |name: &str| keccak256(name)[..4].to_vec();
        assert_eq!(reason(&selector("FundedTooLate()")), "the time to fund it is over");
        assert_eq!(reason(&Revert::from("ERC20: paused").abi_encode()), "ERC20: paused");
        assert_eq!(reason(&[]), "the contract refuses it");
    }

    proptest! {
        #[test]
        fn a_strangers_revert_is_read_without_panic_and_in_a_line(output: Vec<u8>) {
            prop_assert!(reason(&output).chars().count() <= 160);
        }
    }
}
