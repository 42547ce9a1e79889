//! What was agreed about a piece of locked money.

use crate::amount::Amount;
use crate::asset::{Asset, Family};
use crate::canon::Canon;
use crate::fixed_bytes;
use crate::party::{Address, Hash32, Party};
use crate::secret::SecretHash;
use crate::time::{BlockHeight, UnixTime};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// When a lock may be redeemed and refunded. On Bitcoin and Litecoin only `opens_time` exists (an OP_CHECKLOCKTIMEVERIFY
/// with a unix time, BIP-65); on the EVM all five fields are one 256-bit word, [`Expiry::word`].
///
/// Not linked: redeem while the lock stands and (`closes` is none or now < `closes`); refund while it stands and time ≥
/// `opens_time` and block ≥ `opens_block`. Both conditions, so that a chain that halts does not rob the redeemer.
/// Linked: the secret registry alone decides whether the secret was public in time.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    /// Refund from this second on.
    pub opens_time: UnixTime,
    /// ... and from this block on. Zero where blocks don't matter.
    pub opens_block: BlockHeight,
    /// Redeeming ends at this second. None: only the refund ends it.
    pub closes: Option<UnixTime>,
    /// The lock may not be funded after this second. None: any time.
    pub lock_by: Option<UnixTime>,
    /// Judged by the secret registry.
    pub linked: bool,
}

/// Why an expiry can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    /// A field does not fit its 40 bits.
    #[error("a time or block of the expiry does not fit 40 bits")]
    TooLarge,
    /// Redeeming would end after the refund opens.
    #[error("redeeming would still be open when the refund opens")]
    ClosesAfterOpening,
    /// Bits that mean nothing are set.
    #[error("reserved bits of the expiry word are set")]
    ReservedBits,
    /// A unix time below 500,000,000 would be read as a block height by Bitcoin, and one above 2^32 − 1 does not fit.
    #[error("the expiry is no unix time that Bitcoin script can hold")]
    NotAScriptTime,
    /// Bitcoin script knows only `opens_time`.
    #[error("a script lock has no block, closing time, funding deadline or link")]
    NotForScripts,
}

const FIELD_BYTES: usize = 5;

impl Expiry {
    /// An expiry at a time alone.
    pub const fn at(opens_time: UnixTime) -> Self {
        Self { opens_time, opens_block: BlockHeight::new(0), closes: None, lock_by: None, linked: false }
    }

    /// The EVM word: bits 0–39 `opens_time`, 40–79 `opens_block`, 80–119 `closes`, 120–159 `lock_by`, 160 *linked*, the
    /// rest zero; big-endian bytes as the ABI encodes a `uint256`. A closing time or funding deadline of zero means none.
    pub fn word(&self) -> Result<[u8; 32], ExpiryError> {
        if self.closes.is_some_and(|closes| closes > self.opens_time) {
            return Err(ExpiryError::ClosesAfterOpening);
        }
        let fields = [
            self.opens_time.secs(),
            self.opens_block.get(),
            self.closes.map_or(0, UnixTime::secs),
            self.lock_by.map_or(0, UnixTime::secs),
            u64::from(self.linked),
        ];
        let mut word = [0; 32];
        for (slot, value) in word.rchunks_exact_mut(FIELD_BYTES).zip(fields) {
            let [high @ .., a, b, c, d, e] = value.to_be_bytes();
            if high != [0; 3] {
                return Err(ExpiryError::TooLarge);
            }
            slot.copy_from_slice(&[a, b, c, d, e]);
        }
        Ok(word)
    }

    /// Reads an EVM word.
    pub fn from_word(word: &[u8; 32]) -> Result<Self, ExpiryError> {
        let mut fields = [0u64; 5];
        for (value, slot) in fields.iter_mut().zip(word.rchunks_exact(FIELD_BYTES)) {
            *value = slot.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        }
        let [opens_time, opens_block, closes, lock_by, flags] = fields;
        let unused = word.iter().take(32 - 5 * FIELD_BYTES).any(|byte| *byte != 0);
        if unused || flags > 1 {
            return Err(ExpiryError::ReservedBits);
        }
        if closes > opens_time {
            return Err(ExpiryError::ClosesAfterOpening);
        }
        let time = |secs: u64| (secs != 0).then(|| UnixTime::from_secs(secs));
        Ok(Self {
            opens_time: UnixTime::from_secs(opens_time),
            opens_block: BlockHeight::new(opens_block),
            closes: time(closes),
            lock_by: time(lock_by),
            linked: flags == 1,
        })
    }

    /// The 32-bit unix time of a script lock.
    pub fn script_time(&self) -> Result<u32, ExpiryError> {
        if *self != Expiry::at(self.opens_time) {
            return Err(ExpiryError::NotForScripts);
        }
        u32::try_from(self.opens_time.secs()).ok().filter(|secs| *secs >= 500_000_000).ok_or(ExpiryError::NotAScriptTime)
    }
}

/// How a lock is made on its ledger.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Template {
    /// The 97-byte witness script shared by decred/atomicswap, DCRDEX, comit and BasicSwap, paid to as P2WSH (BIP-141).
    P2wsh,
    /// A slot of our HTLC contract.
    Htlc {
        /// The contract.
        contract: Address,
        /// keccak256 of its runtime code: what stands at the address is checked before every step that trusts it.
        code_hash: Hash32,
    },
    /// A payment over channels that its payee holds until it has the secret. Its parties are the nodes' public keys: a payee that
    /// is no neighbour is found by its key alone.
    Channel {
        /// The contract of the channels, whose one secret registry judges the lock.
        contract: Address,
        /// So many mediators may stand between payer and payee. Each makes the payer's own lock end later than the agreed one, so
        /// it is part of the terms.
        reach: u8,
    },
}

impl Template {
    /// Whether the secret registry alone says if the lock was opened in time.
    pub const fn is_linked(&self) -> bool {
        match self {
            Template::Channel { .. } => true,
            Template::P2wsh | Template::Htlc { .. } => false,
        }
    }

    /// Whether the ledger itself refuses a funding that comes too late. Where it does not, the funding must be one that can be
    /// taken back for good.
    pub const fn has_funding_deadline(&self) -> bool {
        match self {
            Template::Htlc { .. } => true,
            Template::P2wsh | Template::Channel { .. } => false,
        }
    }

    /// Whether one fact judges locks of both templates, on one chain: then a lock that covers the other needs no gap to it.
    pub fn shares_judge(&self, other: &Template) -> bool {
        match (self, other) {
            (Template::Channel { contract: one, .. }, Template::Channel { contract: other, .. }) => one == other,
            (Template::P2wsh | Template::Htlc { .. } | Template::Channel { .. }, _) => false,
        }
    }

    /// What was offered, if it asks for no more than this; else this.
    #[must_use]
    pub fn or_less(self, offered: Template) -> Template {
        match (self, offered) {
            (Template::Channel { contract: one, reach: most }, Template::Channel { contract: other, reach })
                if one == other && reach <= most =>
            {
                offered
            }
            (Template::P2wsh | Template::Htlc { .. } | Template::Channel { .. }, _) => self,
        }
    }
}

/// Agreed terms of one piece of locked money: everything needed to recompute the script or the contract slot.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// What is locked.
    pub asset: Asset,
    /// How much, exactly.
    pub amount: Amount,
    /// Who may take it with the secret.
    pub redeemer: Party,
    /// Who may take it back after the expiry. On the EVM also the only one who can fund it.
    pub refundee: Party,
    /// What opens it.
    pub secret_hash: SecretHash,
    /// Until when.
    pub expiry: Expiry,
    /// How.
    pub template: Template,
}

fixed_bytes!(
    /// Names a lock: SHA-256 of all its terms. Two locks with the same terms are the same lock.
    LockId, 32, ""
);

impl Lock {
    /// The lock's name.
    pub fn id(&self) -> LockId {
        LockId::from_bytes(Sha256::digest(self.canon(Canon::tagged("photon/lock/1")).finish()).into())
    }

    /// Writes every term.
    pub fn canon(&self, out: Canon) -> Canon {
        let out = out.text(&self.asset.to_string()).u128(self.amount.units());
        let out = canon_party(canon_party(out, &self.redeemer), &self.refundee).bytes(self.secret_hash.as_bytes());
        let expiry = &self.expiry;
        let out = out
            .u64(expiry.opens_time.secs())
            .u64(expiry.opens_block.get())
            .optional_u64(expiry.closes.map(UnixTime::secs))
            .optional_u64(expiry.lock_by.map(UnixTime::secs))
            .u8(u8::from(expiry.linked));
        match &self.template {
            Template::P2wsh => out.u8(1),
            Template::Htlc { contract, code_hash } => out.u8(2).bytes(contract.as_bytes()).bytes(code_hash.as_bytes()),
            Template::Channel { contract, reach } => out.u8(3).bytes(contract.as_bytes()).u8(*reach),
        }
    }

    /// True if parties, template and asset belong to the same kind of ledger: keys and scripts, or accounts and contracts.
    pub fn is_consistent(&self) -> bool {
        let is_account = |party: &Party| matches!(party, Party::Account(_));
        match self.asset.ledger().family() {
            Family::Utxo => {
                self.template == Template::P2wsh
                    && !is_account(&self.redeemer)
                    && !is_account(&self.refundee)
                    && self.expiry.script_time().is_ok()
            }
            Family::Evm => {
                let is_channel = self.asset.ledger().is_channel();
                let fits = match self.template {
                    Template::Htlc { .. } => !is_channel,
                    Template::Channel { .. } => is_channel,
                    Template::P2wsh => false,
                };
                let is_right = |party: &Party| is_account(party) != is_channel;
                fits && is_right(&self.redeemer) && is_right(&self.refundee) && self.expiry.word().is_ok()
            }
        }
    }
}

fn canon_party(out: Canon, party: &Party) -> Canon {
    match party {
        Party::Key(key) => out.u8(1).bytes(key.as_bytes()),
        Party::Account(address) => out.u8(2).bytes(address.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn expiry() -> impl Strategy<Value = Expiry> {
        let bound = (1u64 << 40) - 1;
        (0..=bound, 0..=bound, 0..=bound, 0..=bound, any::<bool>()).prop_map(|(opens, block, closes, lock_by, linked)| {
            let time = |secs: u64| (secs != 0).then(|| UnixTime::from_secs(secs));
            Expiry {
                opens_time: UnixTime::from_secs(opens),
                opens_block: BlockHeight::new(block),
                closes: time(closes.min(opens)),
                lock_by: time(lock_by),
                linked,
            }
        })
    }

    proptest! {
        #[test]
        fn a_word_reads_back(expiry in expiry()) {
            prop_assert_eq!(Expiry::from_word(&expiry.word().unwrap()), Ok(expiry));
        }

        #[test]
        fn any_word_is_read_exactly_or_refused(word: [u8; 32]) {
            if let Ok(expiry) = Expiry::from_word(&word) {
                prop_assert_eq!(expiry.word().unwrap(), word);
            }
        }
    }

    #[test]
    fn a_plain_unix_time_is_a_word() {
        let mut word = [0; 32];
        word[28..].copy_from_slice(&1_800_000_000u32.to_be_bytes());
        assert_eq!(Expiry::from_word(&word), Ok(Expiry::at(UnixTime::from_secs(1_800_000_000))));
    }

    #[test]
    fn impossible_words_are_refused() {
        let base = Expiry::at(UnixTime::from_secs(1000));
        let late = Expiry { closes: Some(UnixTime::from_secs(1001)), ..base };
        assert_eq!(late.word(), Err(ExpiryError::ClosesAfterOpening));
        assert_eq!(Expiry::at(UnixTime::from_secs(1 << 40)).word(), Err(ExpiryError::TooLarge));
        for byte in 0..12 {
            let mut word = base.word().unwrap();
            word[byte] |= 2;
            assert_eq!(Expiry::from_word(&word), Err(ExpiryError::ReservedBits), "byte {byte}");
        }
    }

    #[test]
    fn a_script_time_is_a_unix_time_and_nothing_else() {
        let at = |secs| Expiry::at(UnixTime::from_secs(secs));
        assert_eq!(at(1_800_000_000).script_time(), Ok(1_800_000_000));
        assert_eq!(at(499_999_999).script_time(), Err(ExpiryError::NotAScriptTime));
        assert_eq!(at(1 << 32).script_time(), Err(ExpiryError::NotAScriptTime));
        assert_eq!(Expiry { linked: true, ..at(1_800_000_000) }.script_time(), Err(ExpiryError::NotForScripts));
    }
}
