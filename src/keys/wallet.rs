//! Every key that is made from the seed.

use super::identity::{self, Signature};
use super::words::SeedWords;
use crate::config::Network;
use bitcoin::NetworkKind;
use bitcoin::bip32::{ChildNumber, Xpriv};
use hkdf::Hkdf;
use hkdf::hmac::{Hmac, Mac};
use photon_chains::{Address, Canon, Family, Ledger, LockKey, Secret};
use secp256k1::{SECP256K1, SecretKey};
use sha2::{Sha256, Sha512};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What a lock's key is for. A ledger shows both, so one key for both would tie two legs together for everybody to see.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// Takes the counterparty's lock.
    Redeem,
    /// Takes our own lock back.
    Refund,
}

/// 32 secret bytes for one use inside this program. Wiped when dropped; `Debug` shows nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SubKey([u8; 32]);

impl SubKey {
    /// The bytes, for the one place that uses them.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubKey(hidden)")
    }
}

/// The seed led to no key. Happens by chance once in 2^127 seeds: make another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this seed gives no valid key: make a new one")]
pub struct WalletError;

/// The keys of one seed on one network. It signs as the identity; it never shows the seed, which it doesn't keep.
pub struct Wallet {
    network: Network,
    app: Zeroizing<[u8; 64]>,
    account: SecretKey,
    address: Address,
}

impl Wallet {
    /// Derives what is needed, and forgets the rest.
    pub fn new(words: &SeedWords, network: Network) -> Result<Self, WalletError> {
        let seed = words.seed();
        // The kind only matters where an extended key is written down, which never happens here.
        let mut master = Xpriv::new_master(NetworkKind::Main, &*seed).map_err(|_| WalletError)?;
        let account = derive(&master, &account_path(network));
        let app = derive(&master, &[hard(83_696_968), hard(707_764), hard(0)]);
        master.private_key.non_secure_erase();
        let (account, mut app) = (account?, app?);
        let address = identity::address_of(&account.public_key(SECP256K1));
        let wallet = Self { network, app: application_key(&app)?, account, address };
        app.non_secure_erase();
        Ok(wallet)
    }

    /// The network all its keys belong to.
    pub const fn network(&self) -> Network {
        self.network
    }

    /// Who we are: our account on every EVM ledger, and our name between nodes.
    pub const fn identity_address(&self) -> Address {
        self.address
    }

    /// The key of our EVM account.
    pub fn evm_account_key(&self) -> LockKey {
        LockKey::from_bytes(self.account.secret_bytes())
    }

    /// Signs a digest as the identity. What the digest commits to (EIP-712: domain, type, fields) is the caller's business;
    /// a digest that came from outside is never signed.
    pub fn sign(&self, digest: &[u8; 32]) -> Signature {
        identity::sign(&self.account, digest)
    }

    /// The secret of the swap with this salt. Never all zeros.
    pub fn secret(&self, salt: &[u8; 16]) -> Secret {
        Secret::from_bytes(*self.expand(salt, "secret", "", |bytes| bytes != &[0; 32]))
    }

    /// The key for one lock. On Bitcoin and Litecoin it is made for this salt and use and never used again; on an EVM ledger
    /// it is always our account's, whatever the salt.
    pub fn lock_key(&self, salt: &[u8; 16], ledger: Ledger, key_use: KeyUse) -> LockKey {
        match ledger.family() {
            Family::Evm => self.evm_account_key(),
            Family::Utxo => {
                let purpose = match key_use {
                    KeyUse::Redeem => "redeem",
                    KeyUse::Refund => "refund",
                };
                LockKey::from_bytes(*self.expand(salt, purpose, ledger.name(), is_scalar))
            }
        }
    }

    /// Encrypts columns of the database that hold secrets.
    pub fn storage_key(&self) -> SubKey {
        self.own_key("storage")
    }

    /// The X25519 private key of our end of every connection.
    pub fn noise_static(&self) -> SubKey {
        self.own_key("noise-x25519")
    }

    /// Encrypts what lets a lost database be rebuilt, wherever that is kept.
    pub fn recovery_key(&self) -> SubKey {
        self.own_key("recovery")
    }

    fn own_key(&self, purpose: &str) -> SubKey {
        SubKey(*self.expand(&[], purpose, "", |_| true))
    }

    /// HKDF-SHA256 (RFC 5869) of the application key. Redrawn with the next counter until `good`: a second draw is needed once
    /// in 2^127.
    fn expand(&self, salt: &[u8], purpose: &str, ledger: &str, good: impl Fn(&[u8; 32]) -> bool) -> Zeroizing<[u8; 32]> {
        let hkdf = Hkdf::<Sha256>::new(Some(salt), &*self.app);
        let mut bytes = Zeroizing::new([0; 32]);
        for counter in 0..=u8::MAX {
            let info = Canon::tagged("photon/keys/1").text(self.network.name()).text(ledger).text(purpose).u8(counter).finish();
            // It refuses only outputs longer than 255 hashes; ours is one.
            if hkdf.expand(&info, &mut *bytes).is_ok() && good(&bytes) {
                break;
            }
        }
        bytes
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet").field("network", &self.network).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Wallet {
    fn drop(&mut self) {
        self.account.non_secure_erase();
    }
}

fn is_scalar(bytes: &[u8; 32]) -> bool {
    SecretKey::from_slice(bytes).is_ok()
}

const fn hard(index: u32) -> ChildNumber {
    ChildNumber::Hardened { index }
}

const fn account_path(network: Network) -> [ChildNumber; 5] {
    let (coin, account) = match network {
        Network::Mainnet => (60, 0),
        Network::Testnet => (1, 0),
        Network::Regtest => (1, 1),
    };
    let first = ChildNumber::Normal { index: 0 };
    [hard(44), hard(coin), hard(account), first, first]
}

fn derive(master: &Xpriv, path: &[ChildNumber]) -> Result<SecretKey, WalletError> {
    let mut child = master.derive_priv(SECP256K1, &path).map_err(|_| WalletError)?;
    let key = child.private_key;
    child.private_key.non_secure_erase();
    Ok(key)
}

/// As BIP-85 makes entropy: an application that learns it learns nothing of the wallet's other keys.
fn application_key(key: &SecretKey) -> Result<Zeroizing<[u8; 64]>, WalletError> {
    let mut mac = Hmac::<Sha512>::new_from_slice(b"bip-entropy-from-k").map_err(|_| WalletError)?;
    let mut input = Zeroizing::new(key.secret_bytes());
    mac.update(&*input);
    input.zeroize();
    Ok(Zeroizing::new(mac.finalize().into_bytes().into()))
}
