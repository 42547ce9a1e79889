//! A swap to look at: Alice is the Initiator and takes Bob's offer.
#![allow(dead_code)] // each test program uses its own part

use photon_chains::*;
use photon_swap::*;

pub const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
pub const HEIGHT: BlockHeight = BlockHeight::new(5_000);

pub fn secret() -> Secret {
    Secret::from_bytes([7; 32])
}

pub fn address(byte: u8) -> Address {
    Address::from_bytes([byte; 20])
}

pub fn hash(byte: u8) -> Hash32 {
    Hash32::from_bytes([byte; 32])
}

pub fn txid(byte: u8) -> TxId {
    TxId::from_bytes([byte; 32])
}

pub const ALICE: u8 = 0xa1;
pub const BOB: u8 = 0xb0;

/// A party's key or account on that ledger.
pub fn party(ledger: Ledger, byte: u8) -> Party {
    if ledger.family() == Family::Evm && !ledger.is_channel() {
        return Party::Account(address(byte));
    }
    let mut key = [byte; 33];
    key[0] = 2;
    Party::Key(PublicKey::from_bytes(key))
}

pub fn timing(ledger: Ledger) -> Timing {
    let rule = match ledger.family() {
        Family::Utxo => ClockRule::MedianTimePast { early_secs: 4, settle_secs: 8, late_secs: 40 },
        Family::Evm => ClockRule::BlockTime {
            min_block_secs: 1,
            worst_block_millis: 2_500,
            inclusion_blocks: 3,
            final_blocks: 4,
            halt_secs: 10,
            late_secs: 1,
        },
    };
    Timing { block_secs: 1, confirmations: 2, final_confirmations: 3, confirm_secs: 9, stale_tip_secs: 60, rule }
}

pub fn tip(at: UnixTime, height: BlockHeight) -> Tip {
    Tip { block: BlockRef { height, hash: hash(9) }, time: at, lock_clock: at }
}

pub fn leg_rules(ledger: Ledger) -> LegRules {
    let (template, chain_id) = match ledger.family() {
        Family::Utxo => (Template::P2wsh, None),
        Family::Evm if ledger.is_channel() => (Template::Channel { contract: address(0xce), reach: 1 }, chain_id(ledger)),
        Family::Evm => (Template::Htlc { contract: address(0xcc), code_hash: hash(0xcd) }, chain_id(ledger)),
    };
    LegRules {
        timing: timing(ledger),
        template,
        genesis: hash(ledger.chain() as u8),
        chain_id,
        decimals: ledger.decimals(),
        tip: tip(NOW, HEIGHT),
    }
}

fn chain_id(ledger: Ledger) -> Option<u64> {
    Some(1_000 + ledger.chain() as u64)
}

pub fn rules(alpha: Ledger, beta: Ledger) -> Rules {
    let profile = Profile::REGTEST;
    Rules { now: NOW, profile, alpha: leg_rules(alpha), beta: leg_rules(beta), max_lock_secs: 3_600 }
}

pub fn money(ledger: Ledger, units: u128) -> Money {
    Money { asset: Asset::Native(ledger), amount: Amount::from_units(units) }
}

pub fn offer(alpha: Ledger, beta: Ledger) -> Offer {
    let salt = Salt::from_bytes([3; 16]);
    Offer::new(address(BOB), money(beta, 2_000), money(alpha, 1_000), NOW.plus_secs(60), salt)
}

pub fn take(offer: &Offer) -> Take {
    Take {
        offer: offer.id,
        taker: address(ALICE),
        salt: Salt::from_bytes([4; 16]),
        secret_hash: secret().hash(),
        alpha_refundee: party(offer.want.asset.ledger(), ALICE),
        beta_redeemer: party(offer.give.asset.ledger(), ALICE + 1),
        offline_secs: 5,
    }
}

pub fn maker_half(offer: &Offer) -> MakerHalf {
    MakerHalf {
        maker: address(BOB),
        salt: Salt::from_bytes([5; 16]),
        alpha_redeemer: party(offer.want.asset.ledger(), BOB),
        beta_refundee: party(offer.give.asset.ledger(), BOB + 1),
    }
}

pub fn terms(alpha: Ledger, beta: Ledger) -> Terms {
    let offer = offer(alpha, beta);
    build_terms(&offer, &take(&offer), &maker_half(&offer), &rules(alpha, beta)).expect("the fixture makes a swap")
}

pub fn block(byte: u8) -> BlockRef {
    BlockRef { height: HEIGHT.plus(1), hash: hash(byte) }
}

pub fn seen(status: LockStatus) -> Sighting {
    Sighting { status, spend: None, secret: None, faults: Vec::new() }
}

pub fn absent() -> Sighting {
    Sighting::absent()
}

pub fn pending(depth: u32) -> Sighting {
    seen(LockStatus::Pending { txid: txid(1), depth })
}

pub fn funded() -> Sighting {
    seen(LockStatus::Funded { txid: txid(1), at: block(1), depth: 2 })
}

pub fn redeemed() -> Sighting {
    Sighting { secret: Some(secret()), ..seen(LockStatus::Redeemed { txid: txid(2), at: block(2) }) }
}

pub fn refunded() -> Sighting {
    seen(LockStatus::Refunded { txid: txid(3), at: block(3) })
}

pub fn with_spend(sighting: Sighting, kind: SpendKind, depth: u32) -> Sighting {
    let secret = (kind == SpendKind::Redeem).then(secret);
    Sighting { spend: Some(Spend { kind, txid: txid(4), depth }), secret, ..sighting }
}

pub fn with_fault(sighting: Sighting, fault: Fault) -> Sighting {
    Sighting { faults: vec![fault], ..sighting }
}

pub fn leg(sighting: Option<Sighting>, at: UnixTime) -> LegView {
    let height = HEIGHT.plus(at.secs_since(NOW));
    LegView { tip: Some(tip(at, height)), healthy: true, sighting, cancelled: false, swept: false }
}

/// Both ledgers seen, their clocks and ours at the same second, everything well, agreed.
pub fn view(at: UnixTime, alpha: Sighting, beta: Sighting) -> View {
    View {
        now_lo: at.minus_secs(1),
        now_hi: at,
        alpha: leg(Some(alpha), at),
        beta: leg(Some(beta), at),
        facts: Facts { agreed: true, ..Facts::default() },
        may_risk: true,
    }
}
