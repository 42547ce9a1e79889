//! The ways a deposit in tokens comes in: by a call of the payer's, with a permit first, or by a token that calls the contract.

use crate::stage::Stage;
use crate::tokens::{Kind, Token};
use crate::world::Tx;
use crate::{rng::Rng, selector, uint, word_of};
use photon_chains::Address;
use photon_channel::contract::{Brought, Call};
use photon_channel::{Digest32, Signature, keccak};

/// How a deposit is sent.
pub enum Way {
    /// `deposit` or `depositFor`.
    Plain,
    /// `depositPermit`, with these last four words.
    Permit {
        /// Deadline, v, r, s.
        words: [[u8; 32]; 4],
        /// Whether the token takes it.
        is_good: bool,
    },
    /// The token moves it and calls `tokenFallback`.
    Erc223,
    /// The token allows it and calls `receiveApproval`.
    ApproveAndCall,
}

impl Way {
    /// Draws one that the token and the payer have.
    pub fn draw(rng: &mut Rng, stage: &Stage, token: &Token, tx: &Tx) -> Way {
        let Call::Deposit { of, amount, .. } = &tx.call else { return Way::Plain };
        let is_own = tx.key.side_of(&tx.sender) == Some(*of);
        match token.kind {
            Kind::Callback => match rng.between(0, 3) {
                0 | 1 => Way::Erc223,
                2 => Way::ApproveAndCall,
                _ => Way::Plain,
            },
            Kind::Permit if is_own && rng.percent(90) => permit(rng, stage, token, &tx.sender, *amount),
            // Another token has no permits: it refuses, and that does no harm.
            Kind::Silent | Kind::Fee | Kind::False | Kind::Hook if is_own && rng.percent(10) => {
                Way::Permit { words: [uint(u128::MAX), uint(27), uint(1), uint(1)], is_good: false }
            }
            Kind::Native | Kind::Silent | Kind::Fee | Kind::False | Kind::Hook | Kind::Permit => Way::Plain,
        }
    }

    /// What the deposits that come so are counted as.
    pub const fn name(&self) -> &'static str {
        match self {
            Way::Plain => "deposit by a call",
            Way::Permit { is_good: true, .. } => "deposit after a permit",
            Way::Permit { is_good: false, .. } => "deposit after a permit that was refused",
            Way::Erc223 => "deposit by ERC223",
            Way::ApproveAndCall => "deposit by ApproveAndCall",
        }
    }

    /// Whether the token brings it in full, if it comes this way.
    pub fn brings(&self, token: &Token, from: Address, contract: Address, amount: u128) -> Brought {
        match (self, token.kind) {
            // Nobody allows this token anything but by a permit, which is for the one amount.
            (Way::Permit { is_good: true, .. }, Kind::Permit) => token.brings(from, contract, amount),
            (_, Kind::Permit) => Brought::NotInFull,
            _ => token.brings(from, contract, amount),
        }
    }

    /// Where the transaction goes, and its bytes; `plain` are those of the call itself.
    pub fn send(&self, tx: &Tx, contract: Address, plain: Vec<u8>) -> (Address, Vec<u8>) {
        let (Call::Deposit { of, amount, .. }, Some(token)) = (&tx.call, tx.key.token()) else { return (contract, plain) };
        let (party, peer) = (tx.key.parties().of(*of), tx.key.parties().of(of.other()));
        let call = |function: &str| {
            let window = uint(u128::from(tx.key.window().minutes()));
            let head = [word_of(&contract), uint(*amount), uint(0x60), uint(0x60), word_of(party), word_of(peer), window];
            (token, [selector(function), head.concat()].concat())
        };
        match self {
            Way::Plain => (contract, plain),
            Way::Permit { words, .. } => {
                let mut second = word_of(peer);
                second[..12].copy_from_slice(&amount.to_be_bytes()[4..]);
                let head = [tx.key.asset(), second].concat();
                let function = selector("depositPermit(uint256,uint256,uint256,uint8,bytes32,bytes32)");
                (contract, [function, head, words.concat()].concat())
            }
            Way::Erc223 => call("transfer(address,uint256,bytes)"),
            Way::ApproveAndCall => call("approveAndCall(address,uint256,bytes)"),
        }
    }
}

/// EIP-2612, mostly as it must be.
fn permit(rng: &mut Rng, stage: &Stage, token: &Token, owner: &Address, amount: u128) -> Way {
    let address = token.address.unwrap_or(*owner);
    let nonce = token.permits.get(owner).copied().unwrap_or_default();
    let is_good = rng.percent(85);
    let signed_nonce = if is_good { nonce } else { nonce + 1 };
    let domain = keccak(
        &[
            keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            keccak(b"Permit"),
            keccak(b"1"),
            // revm's own.
            uint(1),
            word_of(&address),
        ]
        .concat(),
    );
    let deadline = uint(u128::MAX);
    let kind = keccak(b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    let terms = [kind, word_of(owner), word_of(&stage.contract), uint(amount), uint(signed_nonce), deadline].concat();
    let digest = Digest32(keccak(&[b"\x19\x01".as_slice(), &domain, &keccak(&terms)].concat()));
    let signer = stage.signers.iter().find(|signer| signer.address() == *owner);
    let signature = signer.map_or(Signature::from_bytes([0; 65]), |signer| signer.sign(&digest));
    let bytes = signature.as_bytes();
    let (mut r, mut s) = ([0; 32], [0; 32]);
    r.copy_from_slice(&bytes[..32]);
    s.copy_from_slice(&bytes[32..64]);
    Way::Permit { words: [deadline, uint(u128::from(bytes[64])), r, s], is_good: is_good && signer.is_some() }
}
