//! What every sequence begins with.

use crate::evm::{Chain, Rules};
use crate::tokens::{Answer, Kind, Temper, Token, hook_of};
use crate::{selector, uint, word_of};
use photon_chains::Address;
use photon_channel::{Domain, Signer};
use std::collections::BTreeMap;

const CHAIN_ID: u64 = 20_180_430;
pub const BLOCK_SECS: u64 = 15;
pub const DEPLOYER: Address = Address::from_bytes([0xdd; 20]);
pub const STRANGER: Address = Address::from_bytes([0x57; 20]);
/// Where the token that calls back brings its fees.
const FEE: Address = {
    let mut bytes = [0; 20];
    (bytes[18], bytes[19]) = (0x0f, 0xee);
    Address::from_bytes(bytes)
};

/// Lets the contract take all that an account has of a token.
pub fn allow_all(chain: &mut Chain, account: Address, token: Address, contract: Address) {
    let words = [word_of(&contract), [0xff; 32]].concat();
    let approval = [selector("approve(address,uint256)"), words].concat();
    assert!(chain.send(account, token, 0, approval).ok);
}

/// What every sequence begins with: the contracts, deployed, and accounts that have money.
pub struct Stage {
    pub rules: Rules,
    pub chain: revm::database::CacheDB<revm::database::EmptyDB>,
    pub tokens: Vec<Token>,
    pub signers: Vec<Signer>,
    pub domain: Domain,
    pub contract: Address,
    pub registry: Address,
}

impl Stage {
    pub fn new(rules: Rules) -> Self {
        let mut chain = Chain::new(rules);
        chain.set_block(1000, 1_800_000_000);
        let registry = chain.deploy(DEPLOYER, "SecretRegistry", &[]);
        let arguments = [uint(u128::from(CHAIN_ID)), word_of(&registry), uint(u128::from(BLOCK_SECS))].concat();
        let contract = chain.deploy(DEPLOYER, "Channels", &arguments);
        let signers: Vec<Signer> = (1..=4).map(|seed| Signer::new([seed; 32]).unwrap()).collect();
        for temper in [Temper::Refuses, Temper::Burns] {
            chain.set_code(hook_of(temper), temper.code());
        }
        let mut accounts: Vec<Address> = signers.iter().map(Signer::address).collect();
        accounts.push(STRANGER);
        let plenty = 1u128 << 100;
        let mut tokens = Vec::new();
        let mut kinds = vec![Kind::Native, Kind::Silent, Kind::Fee, Kind::False, Kind::Hook, Kind::Callback];
        if rules == Rules::Prague {
            kinds.push(Kind::Permit);
        }
        for kind in kinds {
            let supply = uint(plenty << 10);
            let address = match kind {
                Kind::Native => None,
                Kind::Silent => Some(chain.deploy(DEPLOYER, "test/SilentToken", &supply)),
                Kind::Fee => Some(chain.deploy(DEPLOYER, "test/FeeToken", &[supply, uint(0)].concat())),
                Kind::False => Some(chain.deploy(DEPLOYER, "test/FalseToken", &supply)),
                Kind::Hook => Some(chain.deploy(DEPLOYER, "test/HookToken", &[supply, uint(0)].concat())),
                Kind::Callback => Some(chain.deploy(DEPLOYER, "test/CallbackToken", &supply)),
                Kind::Permit => {
                    let mut name = [0; 32];
                    name[..6].copy_from_slice(b"Permit");
                    let words = [uint(0x60), uint(0xa0), supply, uint(6), name, uint(6), name].concat();
                    Some(chain.deploy(DEPLOYER, "test/PermitToken", &words))
                }
            };
            let mut token = Token {
                kind,
                address,
                balances: BTreeMap::new(),
                fee_per_mille: 0,
                moves: true,
                answer: Answer::True,
                unwilling: BTreeMap::new(),
                collector: if kind == Kind::Callback { FEE } else { DEPLOYER },
                permits: BTreeMap::new(),
            };
            if kind == Kind::False {
                token.tell(&mut chain, true, Answer::True);
            }
            for account in &accounts {
                match address {
                    None => chain.set_coins(*account, plenty),
                    Some(token) => {
                        if kind != Kind::Permit {
                            allow_all(&mut chain, *account, token, contract);
                        }
                        let words = [word_of(account), uint(plenty)].concat();
                        assert!(chain.send(DEPLOYER, token, 0, [selector("transfer(address,uint256)"), words].concat()).ok);
                    }
                }
                token.balances.insert(*account, plenty);
            }
            token.balances.insert(DEPLOYER, if address.is_some() { (plenty << 10) - 5 * plenty } else { 0 });
            tokens.push(token);
        }
        let domain = Domain::new(CHAIN_ID, contract);
        Stage { rules, chain: chain.keep(), tokens, signers, domain, contract, registry }
    }
}
