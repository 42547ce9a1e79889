//! Logs in the bytes of `contracts/src/IChannels.sol`.

use crate::uint;
use photon_channel::Side;
use photon_channel::contract::*;

/// Fields from bit 0 up, each with its width.
fn pack(fields: &[(usize, &[u8])]) -> [u8; 32] {
    let mut word = [0; 32];
    let mut at = 0;
    for (width, value) in fields {
        let bytes = width / 8;
        let value = &value[value.len().saturating_sub(bytes)..];
        word[32 - at - value.len()..32 - at].copy_from_slice(value);
        at += bytes;
    }
    word
}

fn units(value: u128) -> [u8; 16] {
    value.to_be_bytes()
}

/// What a log holds.
pub fn log(said: &Said) -> Vec<u8> {
    let paid = |closer: Side, pays: &photon_channel::Both<photon_channel::Units>| {
        (units(pays.of(closer).get()), units(pays.of(closer.other()).get()))
    };
    let kind_of = |first: u8, side: Side| first + u8::from(side == Side::B);
    let secrets = |taken: &[Taken]| -> Vec<u8> {
        let each = |one: &Taken| match one {
            Taken::Shown(secret) => *secret.expose(),
            Taken::Registered(hash) => *hash.as_bytes(),
        };
        taken.iter().flat_map(each).collect()
    };
    match said {
        Said::Deposit(open) => [vec![1], open.word().to_vec()].concat(),
        Said::Withdrawal(pays, number) => {
            let (a, b) = paid(Side::A, pays);
            [vec![3], pack(&[(96, &a), (96, &b), (32, &number.to_be_bytes())]).to_vec()].concat()
        }
        Said::CooperativeClose(pays) => {
            let (a, b) = paid(Side::A, pays);
            [vec![4], pack(&[(96, &a), (96, &b)]).to_vec()].concat()
        }
        Said::Close(closer, open, income, taken) => {
            let mut log = [vec![kind_of(5, *closer)], open.word().to_vec(), income.figures().to_vec()].concat();
            if income.list != List::default() {
                log.extend(income.list.locks);
            }
            log.extend(secrets(taken));
            log
        }
        Said::Update(shown) => {
            let mut log = [vec![7], shown.income().figures().to_vec()].concat();
            if shown.pending.locks != [0; 32] {
                log.extend(shown.pending.locks);
            }
            log
        }
        Said::Unlock(payee, taken) => [vec![kind_of(8, *payee)], secrets(taken)].concat(),
        Said::Release(payee, hashes) => {
            let hashes = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
            [vec![kind_of(10, *payee)], hashes].concat()
        }
        Said::Settle(closer, pays) => {
            let (to_closer, to_other) = paid(*closer, pays);
            [vec![12], pack(&[(96, &to_closer), (96, &to_other)]).to_vec()].concat()
        }
        Said::Punishment(paid) => [vec![13], uint(paid.get()).to_vec()].concat(),
    }
}
