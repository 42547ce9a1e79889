//! Swaps to be carried: made as a negotiation makes them, written through the store's own door.

use super::chain::{FIRST_BLOCK, party, template, timing};
use crate::store::{FactRow, NewSwap, StepRows, Store};
use anyhow::Context;
use futures::future::try_join_all;
use photon_chains::{Address, Amount, Asset, BlockHeight, BlockRef, Family, Hash32, Ledger, Secret, SecretHash, Tip, UnixTime};
use photon_swap::{
    Fact, LONGEST_LOCK_SECS, LegRules, MakerHalf, Money, Offer, Outcome, Profile, Role, Rules, Salt, Take, Terms, build_terms,
};

/// Alpha and Beta of the pairs that are traded.
const PAIRS: [(Ledger, Ledger); 4] = [
    (Ledger::Bitcoin, Ledger::Ethereum),
    (Ledger::Litecoin, Ledger::Smt),
    (Ledger::Ethereum, Ledger::Bitcoin),
    (Ledger::Smt, Ledger::Litecoin),
];

/// Swaps written in one go.
const AT_ONCE: u64 = 1_000;

/// Where swaps that have ended are counted from: no number is used twice.
pub const ENDED_FROM: u64 = 1 << 32;

/// The secret of a swap, which its number gives away: there is nothing to win here.
pub fn secret(number: u64) -> Secret {
    let mut bytes = [0x5e; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Secret::from_bytes(bytes)
}

/// The number of the swap with that salt.
pub fn number_of(salt: &Salt) -> u64 {
    salt.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn salt(number: u64) -> Salt {
    let mut bytes = [0x5a; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Salt::from_bytes(bytes)
}

fn leg_rules(ledger: Ledger, now: UnixTime) -> anyhow::Result<LegRules> {
    let block = BlockRef { height: FIRST_BLOCK, hash: Hash32::from_bytes([1; 32]) };
    let chain_id = match ledger.family() {
        Family::Utxo => None,
        Family::Evm => Some(1 + ledger as u64),
    };
    Ok(LegRules {
        timing: timing(ledger).context("a ledger without a timing")?,
        template: template(ledger),
        genesis: Hash32::from_bytes([ledger as u8; 32]),
        chain_id,
        decimals: ledger.decimals(),
        tip: Tip { block, time: now, lock_clock: now },
    })
}

fn terms(number: u64, us: Address, now: UnixTime) -> anyhow::Result<Terms> {
    let taker = Address::from_bytes([0xa1; 20]);
    let pair = usize::try_from(number % PAIRS.len() as u64)?;
    let (alpha, beta) = PAIRS.get(pair).copied().context("no such pair")?;
    let money = |ledger, units| Money { asset: Asset::Native(ledger), amount: Amount::from_units(units) };
    let offer = Offer::new(us, money(beta, 2_000_000), money(alpha, 1_000_000), now.plus_secs(60), salt(number));
    let secret_hash: SecretHash = secret(number).hash();
    let take = Take {
        offer: offer.id,
        taker,
        salt: salt(number ^ 1 << 62),
        secret_hash,
        alpha_refundee: party(alpha, 2),
        beta_redeemer: party(beta, 3),
        offline_secs: Profile::STANDARD.offline_secs,
    };
    let half = MakerHalf { maker: us, salt: salt(number), alpha_redeemer: party(alpha, 4), beta_refundee: party(beta, 5) };
    let rules = Rules {
        now,
        profile: Profile::STANDARD,
        alpha: leg_rules(alpha, now)?,
        beta: leg_rules(beta, now)?,
        max_lock_secs: LONGEST_LOCK_SECS,
    };
    Ok(build_terms(&offer, &take, &half, &rules)?)
}

/// A swap that was agreed just now, in which we are the maker.
pub fn agreed(number: u64, us: Address) -> anyhow::Result<Terms> {
    terms(number, us, crate::clock::now())
}

/// Writes swaps: both locks funded and deep, the taker's redeem awaited; or completed.
pub async fn write(store: &Store, us: Address, numbers: std::ops::Range<u64>, completed: bool) -> anyhow::Result<()> {
    let now = crate::clock::now();
    let mut from = numbers.start;
    while from < numbers.end {
        let until = numbers.end.min(from + AT_ONCE);
        try_join_all((from..until).map(|number| write_one(store, us, number, now, completed))).await?;
        from = until;
    }
    Ok(())
}

async fn write_one(store: &Store, us: Address, number: u64, now: UnixTime, completed: bool) -> anyhow::Result<()> {
    let terms = terms(number, us, now)?;
    let reserved = store.reserve_hash(terms.secret_hash()).await?;
    let swap = NewSwap {
        id: terms.id(),
        role: Role::Participant,
        peer: terms.initiator,
        peer_endpoint: String::new(),
        terms: serde_json::to_string(&terms)?,
        own_signature: vec![1; 65],
        peer_signature: Some(vec![2; 65]),
        salt: terms.participant_salt,
        alpha_since: BlockHeight::new(0),
        beta_since: BlockHeight::new(0),
        offer: None,
    };
    store.insert_swap(reserved, swap).await?;
    let mut rows = StepRows { facts: vec![FactRow::of(&Fact::FundIntent)?], ..StepRows::default() };
    if completed {
        rows.facts.push(FactRow::of(&Fact::Secret { secret: secret(number) })?);
        rows.facts.push(FactRow::of(&Fact::Ended { outcome: Outcome::Completed })?);
        rows.end = Some("completed".to_owned());
    }
    store.commit_step(terms.id(), rows).await?;
    Ok(())
}
