//! The note that is left about a lock on Bitcoin or Litecoin, so that the seed alone finds it again: see [`photon_chains::Port::leave_note`].
//!
//! A script names nobody, and its keys come from a random salt. The note holds what the seed does not give: the salt, the
//! counterparty's key, the hash, the expiry, the amount, and where to begin to look. It is sealed with a key from the seed, so to
//! anybody else who reads the node's wallet it is noise. Where it does not open, it was never ours.

use crate::keys::{KeyUse, Wallet};
use crate::store::Seals;
use photon_chains::{
    Amount, Asset, BlockHeight, Expiry, Family, Ledger, Lock, LockKey, Party, PublicKey, SecretHash, Template, UnixTime,
};
use photon_swap::{Salt, Side};

/// Every note begins with this: a person who meets one in the node's wallet should not wonder.
const PREFIX: &str = "photon:";
const VERSION: u8 = 1;
const PLAIN_BYTES: usize = 1 + 1 + 16 + 33 + 32 + 4 + 8 + 4;

/// What a note says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The lock.
    pub lock: Lock,
    /// Whose money it holds.
    pub side: Side,
    /// From which our key is derived.
    pub salt: Salt,
    /// A block at or below which it was not funded.
    pub since: BlockHeight,
}

impl Note {
    /// The note as text. None where no note is needed: an EVM lock is found in the ledger's own events.
    pub fn seal(&self, wallet: &Wallet) -> Option<String> {
        let ledger = self.lock.asset.ledger();
        let theirs = match (self.side, self.lock.redeemer, self.lock.refundee) {
            (Side::Own, Party::Key(redeemer), _) => redeemer,
            (Side::Peer, _, Party::Key(refundee)) => refundee,
            (Side::Own, Party::Account(_), _) | (Side::Peer, _, Party::Account(_)) => return None,
        };
        let opens = self.lock.expiry.script_time().ok()?;
        let amount = self.lock.amount.to_u64()?;
        // A height that does not fit is one to look at from the first block on.
        let since = u32::try_from(self.since.get()).unwrap_or(0);
        let side = match self.side {
            Side::Own => 0,
            Side::Peer => 1,
        };
        let plain = [
            &[VERSION, side][..],
            self.salt.as_bytes(),
            theirs.as_bytes(),
            self.lock.secret_hash.as_bytes(),
            &opens.to_be_bytes(),
            &amount.to_be_bytes(),
            &since.to_be_bytes(),
        ]
        .concat();
        let sealed = seals(wallet)?.seal(place(ledger).as_bytes(), &plain).ok()?;
        Some(format!("{PREFIX}{}", hex::encode(sealed)))
    }

    /// Reads a note that was found on that ledger, where `party` says how a key of ours is named. None for any other text.
    pub fn open(text: &str, wallet: &Wallet, ledger: Ledger, party: impl Fn(&LockKey) -> Option<Party>) -> Option<Self> {
        if ledger.family() != Family::Utxo {
            return None;
        }
        let sealed = hex::decode(text.strip_prefix(PREFIX)?).ok()?;
        let plain = seals(wallet)?.open(place(ledger).as_bytes(), &sealed, "note").ok()?;
        let plain: &[u8; PLAIN_BYTES] = plain.as_slice().try_into().ok()?;
        let ([version, side], rest) = plain.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (theirs, rest) = rest.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let (opens, rest) = rest.split_first_chunk()?;
        let (amount, rest) = rest.split_first_chunk()?;
        let (since, _) = rest.split_first_chunk()?;
        let salt = Salt::from_bytes(*salt);
        let theirs = Party::Key(PublicKey::from_bytes(*theirs));
        let key = |key_use| party(&wallet.lock_key(salt.as_bytes(), ledger, key_use));
        let (side, redeemer, refundee) = match (*version, *side) {
            (VERSION, 0) => (Side::Own, theirs, key(KeyUse::Refund)?),
            (VERSION, 1) => (Side::Peer, key(KeyUse::Redeem)?, theirs),
            (_, _) => return None,
        };
        let lock = Lock {
            asset: Asset::Native(ledger),
            amount: Amount::from_units(u128::from(u64::from_be_bytes(*amount))),
            redeemer,
            refundee,
            secret_hash: SecretHash::from_bytes(*hash),
            expiry: Expiry::at(UnixTime::from_secs(u64::from(u32::from_be_bytes(*opens)))),
            template: Template::P2wsh,
        };
        Some(Self { lock, side, salt, since: BlockHeight::new(u64::from(u32::from_be_bytes(*since))) })
    }
}

fn seals(wallet: &Wallet) -> Option<Seals> {
    Seals::new(wallet.recovery_key().expose()).ok()
}

/// A note that is moved to another ledger does not open.
fn place(ledger: Ledger) -> String {
    format!("photon/note/1/{ledger}")
}
