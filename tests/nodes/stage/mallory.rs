//! Mallory: speaks to nodes as a peer does, signs rightly as herself, and says what she likes.

use photon::config::Network;
use photon::demo::party::Party;
use photon::keys::{KeyUse, SeedWords, Wallet};
use photon::peer::{Handler, PeerAddress, PeerError, PeerNet, PeerReply, PeerRequest};
use photon_chains::{Address, Asset, Family, Hash32, PublicKey, Secret};
use photon_swap::{Offer, Salt, Take};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// One identity, and its end of connections.
pub struct Mallory {
    pub wallet: Arc<Wallet>,
    net: PeerNet,
}

struct Deaf;

#[async_trait::async_trait]
impl Handler for Deaf {
    fn knows(&self, _kind: &str) -> bool {
        false
    }

    async fn handle(&self, _from: Address, _request: PeerRequest) -> PeerReply {
        PeerReply::Failed
    }
}

pub fn fresh_wallet() -> Arc<Wallet> {
    Arc::new(Wallet::new(&SeedWords::generate().unwrap(), Network::Regtest).unwrap())
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

impl Mallory {
    /// One who only dials.
    pub async fn new() -> Self {
        let wallet = fresh_wallet();
        let net = PeerNet::start(None, wallet.clone(), Arc::new(Deaf)).await.unwrap();
        Self { wallet, net }
    }

    /// One who is dialled, and answers by this.
    pub async fn listening(wallet: Arc<Wallet>, handler: Arc<dyn Handler>) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let net = PeerNet::start(Some(local), wallet.clone(), handler).await.unwrap();
        Self { wallet, net }
    }

    pub fn identity(&self) -> Address {
        self.wallet.identity_address()
    }

    /// Where others dial her.
    pub fn address(&self) -> String {
        format!("{}@{}", self.identity(), self.net.local_addr().unwrap())
    }

    /// Asks a party's node.
    pub async fn ask(&self, whom: &Party, kind: &str, body: Value) -> Result<Value, PeerError> {
        let address = PeerAddress::at(whom.identity, whom.peer).unwrap();
        self.net.request(&address, kind, body, Duration::from_secs(20)).await
    }

    /// Why she was told no.
    pub async fn refused(&self, whom: &Party, kind: &str, body: Value) -> String {
        let error = self.ask(whom, kind, body).await.unwrap_err();
        assert!(error.is_no(), "{error}");
        error.to_string()
    }

    /// The open offers of a party.
    pub async fn offers(&self, whom: &Party) -> Vec<Offer> {
        let answer = self.ask(whom, "offers", json!({})).await.unwrap();
        let offers = answer["offers"].as_array().unwrap().iter();
        offers.map(|signed| serde_json::from_value(signed["offer"].clone()).unwrap()).collect()
    }

    /// A take of hers.
    pub fn take(&self, offer: &Offer) -> Take {
        let salt = random();
        Take {
            offer: offer.id,
            taker: self.identity(),
            salt: Salt::from_bytes(salt),
            secret_hash: Secret::from_bytes(random()).hash(),
            alpha_refundee: party(&self.wallet, &salt, offer.want.asset, KeyUse::Refund),
            beta_redeemer: party(&self.wallet, &salt, offer.give.asset, KeyUse::Redeem),
            offline_secs: 5,
        }
    }
}

/// How a wallet is named as a party of a lock.
pub fn party(wallet: &Wallet, salt: &[u8; 16], asset: Asset, key_use: KeyUse) -> photon_chains::Party {
    match asset.ledger().family() {
        Family::Evm => photon_chains::Party::Account(wallet.identity_address()),
        Family::Utxo => {
            let key = wallet.lock_key(salt, asset.ledger(), key_use);
            let key = secp256k1::SecretKey::from_slice(key.expose()).unwrap();
            photon_chains::Party::Key(PublicKey::from_bytes(key.public_key(secp256k1::SECP256K1).serialize()))
        }
    }
}

/// A signature as it travels.
pub fn signed(wallet: &Wallet, digest: Hash32) -> String {
    hex::encode(wallet.sign(digest.as_bytes()).as_bytes())
}

/// Anything of the kinds that nodes ask, signed.
pub fn take_message(wallet: &Wallet, take: &Take) -> Value {
    json!({ "take": take, "signature": signed(wallet, take.digest()) })
}
