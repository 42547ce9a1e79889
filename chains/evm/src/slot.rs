//! A lock as our HTLC contracts know it: its terms as words, its slot, and the calls that fund, redeem and refund it. Pure.

use crate::abi::{Erc20Htlc, Native};
use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::sol_types::{SolCall, SolValue};
use photon_chains::{Asset, ExpiryError, Ledger, Lock, Party, Secret, Template};

/// Which of the two HTLC contracts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// For the ledger's own coin.
    Native,
    /// For ERC20 tokens.
    Token,
}

/// The terms of a lock as the contract's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) token: Option<Address>,
    pub(crate) hash: B256,
    pub(crate) amount: U256,
    pub(crate) redeemer: Address,
    pub(crate) refundee: Address,
    pub(crate) word: U256,
}

/// A slot of an HTLC contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) contract: Address,
    pub(crate) terms: Terms,
    /// Where the contract keeps it, as `hashValues` computes it.
    pub(crate) key: B256,
}

/// Why a lock can't stand on this ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SlotError {
    #[error("the lock's asset is not of this ledger")]
    OtherLedger,
    #[error("the lock's template is not a slot of an HTLC contract")]
    NoContract,
    #[error("the lock's parties are not accounts")]
    NoAccount,
    #[error("a lock of nothing, or for nobody")]
    Nothing,
    #[error("the lock's secret hash is one that everybody can open")]
    Degenerate,
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
}

impl Slot {
    pub(crate) fn new(contract: Address, chain_id: u64, terms: Terms) -> Self {
        let domain = (contract, U256::from(chain_id));
        let Terms { token, hash, amount, redeemer, refundee, word } = &terms;
        let words = match token {
            None => (*hash, *amount, *redeemer, *word, *refundee, domain.0, domain.1).abi_encode(),
            Some(token) => (*hash, *amount, *token, *redeemer, *word, *refundee, domain.0, domain.1).abi_encode(),
        };
        Self { contract, key: keccak256(words), terms }
    }

    /// The slot of a lock, wherever its template says.
    pub(crate) fn of(lock: &Lock, ledger: Ledger, chain_id: u64) -> Result<Self, SlotError> {
        if lock.asset.ledger() != ledger {
            return Err(SlotError::OtherLedger);
        }
        let Template::Htlc { contract, .. } = lock.template else { return Err(SlotError::NoContract) };
        let (Party::Account(redeemer), Party::Account(refundee)) = (lock.redeemer, lock.refundee) else {
            return Err(SlotError::NoAccount);
        };
        let (redeemer, refundee) = (account(redeemer), account(refundee));
        if lock.amount.is_zero() || redeemer.is_zero() || refundee.is_zero() {
            return Err(SlotError::Nothing);
        }
        if lock.secret_hash.is_degenerate() {
            return Err(SlotError::Degenerate);
        }
        let token = match lock.asset {
            Asset::Native(_) => None,
            Asset::Token(_, token) => Some(account(token)),
        };
        let terms = Terms {
            token,
            hash: B256::new(*lock.secret_hash.as_bytes()),
            amount: U256::from(lock.amount.units()),
            redeemer,
            refundee,
            word: U256::from_be_bytes(lock.expiry.word()?),
        };
        Ok(Self::new(account(contract), chain_id, terms))
    }

    pub(crate) fn kind(&self) -> Kind {
        if self.terms.token.is_some() { Kind::Token } else { Kind::Native }
    }

    /// The coin that goes with the funding call.
    pub(crate) fn value(&self) -> U256 {
        if self.terms.token.is_some() { U256::ZERO } else { self.terms.amount }
    }

    /// The calldata that asks the contract for the key.
    pub(crate) fn key_call(&self) -> Vec<u8> {
        let Terms { token, hash, amount, redeemer, refundee, word } = self.terms;
        match token {
            None => Native::hashValuesCall {
                preimageHash: hash,
                amount,
                claimAddress: redeemer,
                refundAddress: refundee,
                timelock: word,
            }
            .abi_encode(),
            Some(token) => Erc20Htlc::hashValuesCall {
                preimageHash: hash,
                amount,
                tokenAddress: token,
                claimAddress: redeemer,
                refundAddress: refundee,
                timelock: word,
            }
            .abi_encode(),
        }
    }

    /// The calldata that funds it. Only the refundee may send it.
    pub(crate) fn fund_call(&self) -> Vec<u8> {
        let Terms { token, hash, amount, redeemer, word, .. } = self.terms;
        match token {
            None => Native::lockCall { preimageHash: hash, claimAddress: redeemer, timelock: word }.abi_encode(),
            Some(token) => {
                Erc20Htlc::lockCall { preimageHash: hash, amount, tokenAddress: token, claimAddress: redeemer, timelock: word }
                    .abi_encode()
            }
        }
    }

    /// The calldata that redeems it, whoever sends it.
    pub(crate) fn redeem_call(&self, secret: &Secret) -> Vec<u8> {
        let Terms { token, amount, redeemer, refundee, word, .. } = self.terms;
        let preimage = B256::new(*secret.expose());
        match token {
            None => Native::claimCall { preimage, amount, claimAddress: redeemer, refundAddress: refundee, timelock: word }
                .abi_encode(),
            Some(token) => Erc20Htlc::claimCall {
                preimage,
                amount,
                tokenAddress: token,
                claimAddress: redeemer,
                refundAddress: refundee,
                timelock: word,
            }
            .abi_encode(),
        }
    }

    /// The calldata that refunds it, whoever sends it.
    pub(crate) fn refund_call(&self) -> Vec<u8> {
        let Terms { token, hash, amount, redeemer, refundee, word } = self.terms;
        match token {
            None => {
                Native::refundCall { preimageHash: hash, amount, claimAddress: redeemer, refundAddress: refundee, timelock: word }
                    .abi_encode()
            }
            Some(token) => Erc20Htlc::refundCall {
                preimageHash: hash,
                amount,
                tokenAddress: token,
                claimAddress: redeemer,
                refundAddress: refundee,
                timelock: word,
            }
            .abi_encode(),
        }
    }
}

/// Our address as alloy's.
pub(crate) fn account(address: photon_chains::Address) -> Address {
    Address::new(*address.as_bytes())
}

/// Alloy's address as ours.
pub(crate) fn address(address: Address) -> photon_chains::Address {
    photon_chains::Address::from_bytes(address.into_array())
}
