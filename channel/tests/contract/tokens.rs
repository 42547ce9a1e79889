//! The tokens, odd ones among them, and a mirror of what each does: so it can be said beforehand how a transfer will end.

use crate::evm::Chain;
use crate::{uint, word_of};
use photon_chains::Address;
use photon_channel::contract::Brought;
use photon_channel::keccak;
use std::collections::BTreeMap;

/// How a token behaves.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The chain's own coin.
    Native,
    /// Answers nothing, moves what it is told.
    Silent,
    /// Keeps a share, while a fee is set.
    Fee,
    /// Answers and moves as it is told to.
    False,
    /// Calls its holders' hooks.
    Hook,
    /// Calls the receiver's contract (ERC223, ApproveAndCall); keeps a share, while a fee is set.
    Callback,
    /// Takes permits, and was never allowed anything otherwise. It needs today's rules.
    Permit,
}

/// What a transfer of [`Kind::False`] answers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    True,
    False,
    TrueAndMore,
    Short,
    Two,
}

impl Answer {
    pub const ALL: [Answer; 6] = [Answer::Nothing, Answer::True, Answer::False, Answer::TrueAndMore, Answer::Short, Answer::Two];

    fn bytes(self) -> Vec<u8> {
        match self {
            Answer::Nothing => Vec::new(),
            Answer::True => uint(1).to_vec(),
            Answer::False => uint(0).to_vec(),
            Answer::TrueAndMore => [uint(1), uint(7)].concat(),
            Answer::Short => vec![1],
            Answer::Two => uint(2).to_vec(),
        }
    }

    fn is_yes(self) -> bool {
        match self {
            Answer::Nothing | Answer::True | Answer::TrueAndMore => true,
            Answer::False | Answer::Short | Answer::Two => false,
        }
    }
}

/// How an account takes what it is paid: its code for coins, its hook for [`Kind::Hook`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Temper {
    Takes,
    Refuses,
    /// Burns all the gas there is.
    Burns,
}

impl Temper {
    /// Code that behaves so.
    pub fn code(self) -> &'static [u8] {
        match self {
            Temper::Takes => &[0x00],
            // PUSH1 0, DUP1, REVERT
            Temper::Refuses => &[0x60, 0x00, 0x80, 0xfd],
            // JUMPDEST, PUSH1 0, JUMP
            Temper::Burns => &[0x5b, 0x60, 0x00, 0x56],
        }
    }
}

/// A token, as the mirror knows it.
#[derive(Clone, Debug)]
pub struct Token {
    pub kind: Kind,
    /// None for the coin.
    pub address: Option<Address>,
    pub balances: BTreeMap<Address, u128>,
    pub fee_per_mille: u128,
    pub moves: bool,
    pub answer: Answer,
    /// Accounts that can't be paid.
    pub unwilling: BTreeMap<Address, Temper>,
    pub collector: Address,
    /// How many permits of an owner a [`Kind::Permit`] token has taken.
    pub permits: BTreeMap<Address, u128>,
}

/// How a transfer ends.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Ending {
    /// The token says that it was done.
    good: bool,
    /// What moved, and what of that arrived.
    moved: u128,
    arrives: u128,
}

const FAILED: Ending = Ending { good: false, moved: 0, arrives: 0 };

impl Token {
    pub fn balance(&self, of: Address) -> u128 {
        self.balances.get(&of).copied().unwrap_or_default()
    }

    fn ending(&self, from: Address, to: Address, amount: u128) -> Ending {
        let full = Ending { good: true, moved: amount, arrives: amount };
        let has = self.balance(from) >= amount;
        match self.kind {
            Kind::Native | Kind::Hook if self.temper(to) != Temper::Takes => FAILED,
            // The hooks of both are asked.
            Kind::Hook if self.temper(from) != Temper::Takes => FAILED,
            Kind::Native | Kind::Silent | Kind::Hook | Kind::Permit => {
                if has {
                    full
                } else {
                    FAILED
                }
            }
            Kind::Fee | Kind::Callback if has => Ending { arrives: amount - amount * self.fee_per_mille / 1000, ..full },
            Kind::Fee | Kind::Callback => FAILED,
            Kind::False if !self.moves => Ending { good: self.answer.is_yes(), ..FAILED },
            Kind::False if has => Ending { good: self.answer.is_yes(), ..full },
            Kind::False => FAILED,
        }
    }

    pub fn temper(&self, of: Address) -> Temper {
        self.unwilling.get(&of).copied().unwrap_or(Temper::Takes)
    }

    /// What becomes of a deposit.
    pub fn brings(&self, from: Address, contract: Address, amount: u128) -> Brought {
        // What a token answers does not matter here: the balance says it.
        if self.ending(from, contract, amount).arrives == amount { Brought::InFull } else { Brought::NotInFull }
    }

    /// Moves it. False: the token says that it did not.
    pub fn transfer(&mut self, from: Address, to: Address, amount: u128) -> bool {
        let Ending { good, moved, arrives } = self.ending(from, to, amount);
        *self.balances.entry(from).or_default() -= moved;
        *self.balances.entry(to).or_default() += arrives;
        *self.balances.entry(self.collector).or_default() += moved - arrives;
        good
    }

    /// What the chain says an account has.
    pub fn on_chain(&self, chain: &mut Chain, of: Address) -> u128 {
        match self.address {
            None => chain.coins(of),
            Some(token) => {
                // Ledger.sol: the balances are its second variable; OpenZeppelin's are the first.
                let variable = if self.kind == Kind::Permit { 0 } else { 1 };
                let place = keccak(&[word_of(&of), uint(variable)].concat());
                let word = chain.slot(token, place);
                u128::from_be_bytes(word[16..].try_into().unwrap())
            }
        }
    }

    /// Sets what a [`Kind::False`] token does and says.
    pub fn tell(&mut self, chain: &mut Chain, moves: bool, answer: Answer) {
        let bytes = answer.bytes();
        let mut data = crate::selector("set(bool,bytes)");
        data.extend([uint(u128::from(moves)), uint(0x40), uint(bytes.len() as u128)].concat());
        data.extend(&bytes);
        data.resize(data.len().next_multiple_of(32) + 4, 0);
        assert!(chain.send(self.collector, self.address.unwrap(), 0, data).ok);
        (self.moves, self.answer) = (moves, answer);
    }

    /// Sets the share that a token keeps.
    pub fn set_fee(&mut self, chain: &mut Chain, per_mille: u128) {
        let data = [crate::selector("setFee(uint256)"), uint(per_mille).to_vec()].concat();
        assert!(chain.send(self.collector, self.address.unwrap(), 0, data).ok);
        self.fee_per_mille = per_mille;
    }

    /// Sets how an account takes this token. For the coin it is the account's own code, for hooks a contract that has it.
    pub fn set_temper(&mut self, chain: &mut Chain, of: Address, temper: Temper) {
        match (self.kind, self.address) {
            (Kind::Native, None) => chain.set_code(of, if temper == Temper::Takes { &[] } else { temper.code() }),
            (Kind::Hook, Some(token)) => {
                let hook = hook_of(temper);
                let data = [crate::selector("setHook(address)"), word_of(&hook).to_vec()].concat();
                assert!(chain.send(of, token, 0, data).ok);
            }
            (Kind::Native | Kind::Hook | Kind::Silent | Kind::Fee | Kind::False | Kind::Callback | Kind::Permit, _) => return,
        }
        self.unwilling.insert(of, temper);
    }
}

/// Where the hooks' code stands.
pub fn hook_of(temper: Temper) -> Address {
    match temper {
        Temper::Takes => Address::from_bytes([0; 20]),
        Temper::Refuses => Address::from_bytes([0xf1; 20]),
        Temper::Burns => Address::from_bytes([0xf2; 20]),
    }
}
