//! A client of an exchange: a taker that holds its own keys.

use crate::commands::bench::chain::party;
use crate::keys::{SeedWords, Wallet};
use crate::service::{NewAcceptance, NewProposal, NewQuote, ProposalView};
use anyhow::Context;
use photon_chains::{Amount, Ledger, Secret};
use photon_swap::{Consent, OfferId, Profile, Role, Salt, Take};

/// Signs what a taker signs. Its keys hold nothing.
pub struct Signer {
    wallet: Wallet,
}

impl Signer {
    /// A fresh one.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { wallet: Wallet::new(&SeedWords::generate()?, photon_chains::Network::Mainnet)? })
    }

    /// A wish for so much ether.
    pub fn quote(give_wei: u128) -> NewQuote {
        NewQuote {
            give: "ETH".to_owned(),
            want: "BTC".to_owned(),
            give_amount: Some(Amount::from_units(give_wei)),
            want_amount: None,
            peer: None,
        }
    }

    /// Its half of a swap on that quote.
    pub fn take(&self, quote: &str) -> anyhow::Result<NewProposal> {
        let (mut salt, mut secret) = ([0; 16], [0; 32]);
        getrandom::fill(&mut salt).ok().context("no random bytes")?;
        getrandom::fill(&mut secret).ok().context("no random bytes")?;
        let offer: OfferId = quote.parse().ok().context("a quote without an id")?;
        let take = Take {
            offer,
            taker: self.wallet.identity_address(),
            salt: Salt::from_bytes(salt),
            secret_hash: Secret::from_bytes(secret).hash(),
            alpha_refundee: party(Ledger::Bitcoin, 2),
            beta_redeemer: party(Ledger::Ethereum, 3),
            offline_secs: Profile::STANDARD.offline_secs,
        };
        Ok(NewProposal { take, signature: hex::encode(self.wallet.sign(take.digest().as_bytes()).as_bytes()) })
    }

    /// Its consent.
    pub fn accept(&self, proposal: &ProposalView) -> NewAcceptance {
        let digest = proposal.terms.digest(Consent::Accept, Role::Initiator);
        NewAcceptance { swap: proposal.swap.clone(), signature: hex::encode(self.wallet.sign(digest.as_bytes()).as_bytes()) }
    }
}
