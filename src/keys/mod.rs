//! The wallet's one root: a BIP-39 seed, kept encrypted in a file, and every key that is made from it.
//!
//! ```mermaid
//! flowchart TD
//!   words[24 words] -->|BIP-39| seed -->|BIP-32| master
//!   master -->|BIP-44 path| account[EVM account = identity]
//!   master -->|BIP-85 path, HMAC-SHA512| app[application key]
//!   app -->|HKDF, salt of the swap| swap[secret, redeem key, refund key]
//!   app -->|HKDF, no salt| own[storage, noise and recovery keys]
//! ```
//!
//! | What | Where it comes from |
//! |---|---|
//! | account and identity, mainnet | `m/44'/60'/0'/0/0`, the first account of common Ethereum wallets |
//! | account and identity, testnet | `m/44'/1'/0'/0/0` (SLIP-44: coin 1 is every coin's test network) |
//! | account and identity, regtest | `m/44'/1'/1'/0/0` |
//! | application key | HMAC-SHA512 keyed `bip-entropy-from-k` over the private key at `m/83696968'/707764'/0'` |
//! | everything else | HKDF-SHA256 of the application key; the info names network, ledger and use |
//!
//! Per swap there is a random salt and no counter: a database restored from an old copy would count on from an old
//! number, and hand out a secret that is already public. On the EVM nothing is salted: the one account is both parties'
//! name for us, so a lost database can't hide money in an address that nobody knows to look at.
//!
//! Choices rejected: a BIP-39 passphrase beside the words (a second thing to lose; the file has a passphrase of its own),
//! one account for all networks (a signature given on a test network must mean nothing on the main one).

mod identity;
mod passphrase;
mod private_file;
mod seed_file;
mod wallet;
mod words;

#[cfg(test)]
mod tests;

pub use identity::{Signature, SignatureError, recover, signer_key, verify};
pub use passphrase::{Passphrase, PassphraseError};
pub use private_file::PrivateFileError;
pub use seed_file::{SeedFileError, create, open};
pub use wallet::{KeyUse, SubKey, Wallet, WalletError};
pub use words::{SeedWords, WordsError, WordsFileError};
