//! The signed messages: five EIP-712 types, each with its own type hash, so that none can be taken for another.

use crate::eip712::{Abi, Digest32, Domain, keccak};
use crate::key::{ChannelRef, Side};
use crate::lock::{Commitment, LockNo};
use crate::units::{Nonce, Units};
use photon_chains::{Address, SecretHash, UnixTime};
use serde::{Deserialize, Serialize};

/// A message that is signed for the contract.
pub trait Signed {
    /// Its type, as EIP-712 writes it.
    const TYPE: &'static str;

    /// Its fields, in the order of the type.
    fn fields(&self, out: Abi) -> Abi;

    /// The hash of the struct.
    fn struct_hash(&self) -> [u8; 32] {
        keccak(&self.fields(Abi::new().word(&keccak(Self::TYPE.as_bytes()))).finish())
    }

    /// What is signed.
    fn digest(&self, domain: &Domain) -> Digest32 {
        domain.digest(&self.struct_hash())
    }
}

fn channel(out: Abi, of: &ChannelRef) -> Abi {
    out.word(of.channel.as_bytes()).u64(u64::from(of.epoch.0))
}

/// The payer's word: so much has gone over in all, and so much more may. The one with the highest nonce counts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BalanceProof {
    /// Which channel.
    pub of: ChannelRef,
    /// Who pays, and signs.
    pub payer: Side,
    /// Strictly rises.
    pub nonce: Nonce,
    /// All that the payer has ever paid in this channel.
    pub transferred: Units,
    /// The pending locks.
    pub pending: Commitment,
}

impl Signed for BalanceProof {
    const TYPE: &'static str =
        "BalanceProof(bytes32 channel,uint32 epoch,bool ofA,uint64 nonce,uint96 transferred,uint96 locked,bytes32 locks)";

    fn fields(&self, out: Abi) -> Abi {
        channel(out, &self.of)
            .bool(self.payer.is_a())
            .u64(self.nonce.0)
            .units(self.transferred)
            .units(self.pending.locked)
            .word(&self.pending.locks)
    }
}

/// Both parties' word that the channel ends now, with so much gone from B to A in all. Relative, so that a stranger's deposit
/// can't make it stale. It needs that no lock is pending on either side.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CooperativeClose {
    /// Which channel.
    pub of: ChannelRef,
    /// What B has transferred less what A has. Fits 104 bits.
    pub paid_to_a: i128,
    /// The last second at which it counts.
    pub deadline: UnixTime,
}

impl Signed for CooperativeClose {
    const TYPE: &'static str = "CooperativeClose(bytes32 channel,uint32 epoch,int104 paidToA,uint40 deadline)";

    fn fields(&self, out: Abi) -> Abi {
        channel(out, &self.of).i128(self.paid_to_a).u64(self.deadline.secs())
    }
}

/// Both parties' word that so much leaves the channel, which stays open. It voids no proof.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Withdraw {
    /// Which channel.
    pub of: ChannelRef,
    /// How many withdrawals were mined before it in this life of the channel: each number is mined at most once.
    pub number: u32,
    /// What party A takes out.
    pub amount_a: Units,
    /// What party B takes out.
    pub amount_b: Units,
    /// The last second at which it counts.
    pub deadline: UnixTime,
}

impl Signed for Withdraw {
    const TYPE: &'static str =
        "Withdraw(bytes32 channel,uint32 epoch,uint32 number,uint96 amountA,uint96 amountB,uint40 deadline)";

    fn fields(&self, out: Abi) -> Abi {
        channel(out, &self.of).u64(u64::from(self.number)).units(self.amount_a).units(self.amount_b).u64(self.deadline.secs())
    }
}

/// The payee's word that it gives up one lock for ever. Whoever unlocks such a lock all the same loses its balance.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Disposal {
    /// Which channel.
    pub of: ChannelRef,
    /// Whose lock it is: the payer's side, not the signer's.
    pub payer: Side,
    /// Which lock.
    pub number: LockNo,
    /// Its hash.
    pub secret_hash: SecretHash,
}

impl Signed for Disposal {
    const TYPE: &'static str = "Disposal(bytes32 channel,uint32 epoch,bool ofA,uint64 lockId,bytes32 secretHash)";

    fn fields(&self, out: Abi) -> Abi {
        channel(out, &self.of).bool(self.payer.is_a()).u64(self.number.0).word(self.secret_hash.as_bytes())
    }
}

/// A party's word that an account may act for it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Delegation {
    /// Which channel.
    pub of: ChannelRef,
    /// Who may act.
    pub delegate: Address,
    /// Bit 0: update. Bit 1: unlock.
    pub rights: u8,
    /// The last second at which it counts.
    pub deadline: UnixTime,
}

impl Delegation {
    /// The right to update.
    pub const UPDATE: u8 = 1;
    /// The right to unlock.
    pub const UNLOCK: u8 = 2;
}

impl Signed for Delegation {
    const TYPE: &'static str = "Delegation(bytes32 channel,uint32 epoch,address delegate,uint8 rights,uint40 deadline)";

    fn fields(&self, out: Abi) -> Abi {
        channel(out, &self.of).address(&self.delegate).u64(u64::from(self.rights)).u64(self.deadline.secs())
    }
}
