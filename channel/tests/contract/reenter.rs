//! A payee that calls the contract back while it is paid.

use crate::tokens::Temper;
use crate::world::{Tx, World};
use photon_chains::Address;
use photon_channel::Side;
use photon_channel::contract::{Call, Done};

/// Another call on the contract, made by the receiver of a payout in coins.
pub struct Reentry {
    /// Who is paid, and calls.
    pub payee: Side,
    /// What it calls.
    pub tx: Tx,
}

impl World<'_> {
    /// Draws a call for one of those that a call pays: as if that were done already, so that it could be taken.
    pub fn reentry(&mut self, tx: &Tx, done: &Done) -> Option<Reentry> {
        if tx.key.token().is_some() || self.rng.percent(50) {
            return None;
        }
        let payee = Side::BOTH.into_iter().find(|side| !done.pays.of(*side).is_zero())?;
        let account = *tx.key.parties().of(payee);
        if self.temper_for_coins(account) != Temper::Takes {
            return None;
        }
        let before = self.model.clone();
        self.model.apply(&tx.key, done);
        // It sends no coins along, so it deposits none.
        let inner =
            (0..20).map(|_| self.draw()).find(|inner| inner.sender == account && !matches!(inner.call, Call::Deposit { .. }));
        self.model = before;
        Some(Reentry { payee, tx: inner? })
    }
}

/// Code that makes one call whenever it runs, and does not care how it ends.
pub fn code(to: &Address, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16).to_be_bytes();
    // PUSH2 length, PUSH2 where the data is, PUSH1 0, CODECOPY
    let mut code = vec![0x61, length[0], length[1], 0x61, 0, 0, 0x60, 0, 0x39];
    // PUSH1 0, PUSH1 0, PUSH2 length, PUSH1 0, PUSH1 0, PUSH20 to, GAS, CALL, STOP
    code.extend([0x60, 0, 0x60, 0, 0x61, length[0], length[1], 0x60, 0, 0x60, 0, 0x73]);
    code.extend(to.as_bytes());
    code.extend([0x5a, 0xf1, 0x00]);
    code[5] = code.len() as u8;
    code.extend(data);
    code
}
