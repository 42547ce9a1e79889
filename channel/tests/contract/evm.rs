//! A chain without a network: revm, with the blocks, the coins and the code that a test wants.
//!
//! Every call is a transaction of its own in the block that stands. Gas costs nothing, so balances move by value alone.

use photon_chains::Address;
use revm::bytecode::Bytecode;
use revm::context::result::{ExecutionResult, Output};
use revm::context::{BlockEnv, CfgEnv, Journal, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address as Account, Bytes, Log, TxKind, U256};
use revm::{Context, ExecuteCommitEvm, MainBuilder, MainnetEvm};
use std::path::Path;

/// The rules of the oldest chain there is, and today's.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Rules {
    Byzantium,
    Prague,
}

type World = Context<BlockEnv, TxEnv, CfgEnv, CacheDB<EmptyDB>, Journal<CacheDB<EmptyDB>>, ()>;

/// The chain.
pub struct Chain {
    evm: MainnetEvm<World>,
}

/// What a transaction came to.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub ok: bool,
    /// The answer; or the revert's data; or in words why the machine stopped.
    pub answer: Bytes,
    pub logs: Vec<Log>,
}

/// Enough for whatever is tested, and below the limit of a single transaction.
const GAS: u64 = 16_000_000;

impl Chain {
    pub fn new(rules: Rules) -> Self {
        let spec = match rules {
            Rules::Byzantium => SpecId::BYZANTIUM,
            Rules::Prague => SpecId::PRAGUE,
        };
        let mut cfg = CfgEnv::new_with_spec(spec);
        cfg.disable_nonce_check = true;
        // Parties of the tests have keys and code at once, as accounts that delegate to code have.
        cfg.disable_eip3607 = true;
        let world: World = Context::new(CacheDB::new(EmptyDB::new()), spec).with_cfg(cfg);
        Chain { evm: world.build_mainnet() }
    }

    /// A copy of the state, to go back to.
    pub fn keep(&self) -> CacheDB<EmptyDB> {
        self.evm.ctx.journaled_state.database.clone()
    }

    /// Back to a copy.
    pub fn go_back(&mut self, to: &CacheDB<EmptyDB>) {
        self.evm.ctx.journaled_state.database = to.clone();
    }

    /// The block that the next transactions are in.
    pub fn set_block(&mut self, number: u64, time: u64) {
        self.evm.ctx.block.number = U256::from(number);
        self.evm.ctx.block.timestamp = U256::from(time);
    }

    /// Gives an account coins.
    pub fn set_coins(&mut self, account: Address, coins: u128) {
        let account = to_account(account);
        let db = &mut self.evm.ctx.journaled_state.database;
        let mut info = db.load_account(account).unwrap().info.clone();
        info.balance = U256::from(coins);
        db.insert_account_info(account, info);
    }

    /// Puts code at an address.
    pub fn set_code(&mut self, account: Address, code: &[u8]) {
        let account = to_account(account);
        let db = &mut self.evm.ctx.journaled_state.database;
        let mut info = db.load_account(account).unwrap().info.clone();
        let code = Bytecode::new_legacy(Bytes::copy_from_slice(code));
        info.code_hash = code.hash_slow();
        info.code = Some(code);
        db.insert_account_info(account, info);
    }

    /// Deploys an artefact, with the arguments of its constructor.
    pub fn deploy(&mut self, from: Address, name: &str, arguments: &[u8]) -> Address {
        let mut code = creation_code(name);
        code.extend_from_slice(arguments);
        let tx = TxEnv { caller: to_account(from), kind: TxKind::Create, data: code.into(), gas_limit: GAS, ..self.tx() };
        match self.evm.transact_commit(tx).unwrap() {
            ExecutionResult::Success { output: Output::Create(_, Some(address)), .. } => {
                Address::from_bytes(address.into_array())
            }
            other => panic!("{name} is not deployed: {other:?}"),
        }
    }

    /// Sends a transaction.
    pub fn send(&mut self, from: Address, to: Address, value: u128, data: Vec<u8>) -> Receipt {
        let (caller, kind, value) = (to_account(from), TxKind::Call(to_account(to)), U256::from(value));
        let tx = TxEnv { caller, kind, value, data: data.into(), gas_limit: GAS, ..self.tx() };
        let result = self.evm.transact_commit(tx).unwrap();
        match result {
            ExecutionResult::Success { logs, output, .. } => Receipt { ok: true, answer: output.into_data(), logs },
            ExecutionResult::Revert { output, .. } => Receipt { ok: false, answer: output, logs: Vec::new() },
            ExecutionResult::Halt { reason, .. } => {
                Receipt { ok: false, answer: format!("{reason:?}").into_bytes().into(), logs: Vec::new() }
            }
        }
    }

    /// A slot of a contract.
    pub fn slot(&mut self, contract: Address, slot: [u8; 32]) -> [u8; 32] {
        let db = &mut self.evm.ctx.journaled_state.database;
        revm::Database::storage(db, to_account(contract), U256::from_be_bytes(slot)).unwrap().to_be_bytes()
    }

    /// An account's coins.
    pub fn coins(&mut self, account: Address) -> u128 {
        let db = &mut self.evm.ctx.journaled_state.database;
        db.load_account(to_account(account)).unwrap().info.balance.to()
    }

    fn tx(&self) -> TxEnv {
        TxEnv { gas_price: 0, chain_id: None, ..TxEnv::default() }
    }
}

/// The creation code of an artefact as it is checked in.
fn creation_code(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/artifacts").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let artefact: serde_json::Value = serde_json::from_str(&text).unwrap();
    hex::decode(artefact["bytecode"].as_str().unwrap().strip_prefix("0x").unwrap()).unwrap()
}

fn to_account(address: Address) -> Account {
    Account::from(*address.as_bytes())
}
