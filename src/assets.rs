//! The assets this node trades: the configured ledgers' coins and tokens, by symbol.

use crate::config::Config;
use crate::service::{AssetAmount, ServiceError};
use photon_chains::{Amount, Asset, Ledger};

/// One asset that may be traded here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAsset {
    /// What it is.
    pub asset: Asset,
    /// What we call it.
    pub symbol: String,
    /// Digits after the dot.
    pub decimals: u8,
}

/// Every asset that may be traded here. Nothing outside it is ever offered, taken or sent.
#[derive(Debug, Clone, Default)]
pub struct Assets(Vec<KnownAsset>);

impl Assets {
    /// From the configuration.
    pub fn new(config: &Config) -> Self {
        let mut known = Vec::new();
        for ledger in config.venues() {
            let asset = Asset::Native(ledger);
            known.push(KnownAsset { asset, symbol: asset.to_string(), decimals: ledger.decimals() });
            let evm = match ledger {
                Ledger::Bitcoin | Ledger::Litecoin => &None,
                Ledger::Ethereum | Ledger::EthereumChannel => &config.ethereum,
                Ledger::Smt | Ledger::SmtChannel => &config.smt,
            };
            let behind = if ledger.is_channel() { photon_chains::IN_CHANNEL } else { "" };
            known.extend(evm.iter().flat_map(|evm| &evm.tokens).map(|token| KnownAsset {
                asset: Asset::Token(ledger, token.address),
                symbol: format!("{}{behind}", token.symbol),
                decimals: token.decimals,
            }));
        }
        Self(known)
    }

    /// All of them, in the order of the configuration.
    pub fn all(&self) -> &[KnownAsset] {
        &self.0
    }

    /// What is known of an asset.
    pub fn known(&self, asset: Asset) -> Option<&KnownAsset> {
        self.0.iter().find(|known| known.asset == asset)
    }

    /// Finds one by symbol or full name. Two tokens of one symbol on two ledgers must be named in full.
    pub fn find(&self, text: &str) -> Result<&KnownAsset, ServiceError> {
        let mut fitting = self.0.iter().filter(|known| known.symbol == text || known.asset.to_string() == text);
        match (fitting.next(), fitting.next()) {
            (Some(known), None) => Ok(known),
            (Some(_), Some(_)) => {
                Err(ServiceError::Invalid(format!("more than one asset is called {text}: name it in full, as ethereum:0x...")))
            }
            (None, _) => {
                let have: Vec<&str> = self.0.iter().map(|known| known.symbol.as_str()).collect();
                Err(ServiceError::Invalid(format!("{text:.60} is not configured here; there are: {}", have.join(", "))))
            }
        }
    }

    /// An amount as people and programs see it.
    pub fn show(&self, asset: Asset, amount: Amount) -> AssetAmount {
        match self.known(asset) {
            Some(known) => AssetAmount { asset: known.symbol.clone(), amount, coins: Some(amount.coins(known.decimals)) },
            None => AssetAmount { asset: asset.to_string(), amount, coins: None },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use photon_chains::Address;

    #[test]
    fn a_symbol_that_two_tokens_share_must_be_named_in_full() {
        let token = |ledger, byte| KnownAsset {
            asset: Asset::Token(ledger, Address::from_bytes([byte; 20])),
            symbol: "USDX".to_owned(),
            decimals: 6,
        };
        let assets = Assets(vec![token(Ledger::Ethereum, 1), token(Ledger::Smt, 2)]);
        assert!(assets.find("USDX").is_err());
        let full = format!("smt:0x{}", "02".repeat(20));
        assert_eq!(assets.find(&full).unwrap().asset.ledger(), Ledger::Smt);
        assert!(assets.find("BTC").unwrap_err().to_string().contains("USDX"));
    }
}
