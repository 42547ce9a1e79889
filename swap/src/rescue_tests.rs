#![allow(clippy::unwrap_used)]
use super::*;
use photon_chains::{
    Amount, Asset, BlockHeight, BlockRef, Expiry, Fault, Hash32, Ledger, Party, PublicKey, SecretHash, Sighting, Spend,
    SpendKind, Template, Tip, TxId, UnixTime,
};

const OPENS: UnixTime = UnixTime::from_secs(2_000_000_000);
const SECRET: [u8; 32] = [7; 32];

fn lock() -> Lock {
    let key = Party::Key(PublicKey::from_bytes([2; 33]));
    Lock {
        asset: Asset::Native(Ledger::Bitcoin),
        amount: Amount::from_units(1000),
        redeemer: key,
        refundee: key,
        secret_hash: Secret::from_bytes(SECRET).hash(),
        expiry: Expiry::at(OPENS),
        template: Template::P2wsh,
    }
}

const TXID: TxId = TxId::from_bytes([1; 32]);
const AT: BlockRef = BlockRef { height: BlockHeight::new(9), hash: Hash32::from_bytes([3; 32]) };

fn statuses() -> [LockStatus; 5] {
    [
        LockStatus::Absent,
        LockStatus::Pending { txid: TXID, depth: 1 },
        LockStatus::Funded { txid: TXID, at: AT, depth: 3 },
        LockStatus::Redeemed { txid: TXID, at: AT },
        LockStatus::Refunded { txid: TXID, at: AT },
    ]
}

fn view(status: Option<LockStatus>, open: bool) -> LegView {
    let clock = if open { OPENS } else { OPENS.minus_secs(1) };
    LegView {
        tip: Some(Tip { block: AT, time: clock, lock_clock: clock }),
        healthy: true,
        sighting: status.map(|status| Sighting { status, ..Sighting::absent() }),
        ..LegView::default()
    }
}

fn alone(side: Side, view: &LegView, secret: Option<&Secret>) -> Fate {
    rescue(&[Orphan { side, lock: &lock(), view }], secret)[0]
}

#[test]
fn our_own_lock_alone_is_taken_back_at_its_time_and_not_before() {
    let [absent, pending, funded, redeemed, refunded] = statuses();
    for standing in [pending, funded] {
        assert_eq!(alone(Side::Own, &view(Some(standing.clone()), false), None), Fate::WaitsForExpiry);
        assert_eq!(alone(Side::Own, &view(Some(standing), true), None), Fate::Refund);
    }
    assert_eq!(alone(Side::Own, &view(Some(absent.clone()), false), None), Fate::WaitsForExpiry, "it may still be mined");
    assert_eq!(alone(Side::Own, &view(Some(absent), true), None), Fate::Nothing);
    assert_eq!(alone(Side::Own, &view(Some(redeemed), true), None), Fate::Redeemed);
    assert_eq!(alone(Side::Own, &view(Some(refunded), true), None), Fate::Refunded);
    assert_eq!(alone(Side::Own, &view(None, true), None), Fate::Unknown);
}

#[test]
fn the_counterpartys_lock_is_redeemed_with_a_public_secret_and_no_other() {
    let secret = Secret::from_bytes(SECRET);
    let wrong = Secret::from_bytes([8; 32]);
    for (open, without) in [(false, Fate::WaitsForSecret), (true, Fate::Nothing)] {
        let seen = view(Some(statuses()[2].clone()), open);
        assert_eq!(alone(Side::Peer, &seen, Some(&secret)), Fate::Redeem);
        assert_eq!(alone(Side::Peer, &seen, None), without);
        assert_eq!(alone(Side::Peer, &seen, Some(&wrong)), without, "what does not open it is no secret");
    }
    let closing = Lock { expiry: Expiry { closes: Some(OPENS), ..Expiry::at(OPENS) }, ..lock() };
    let seen = view(Some(statuses()[2].clone()), true);
    assert_eq!(rescue(&[Orphan { side: Side::Peer, lock: &closing, view: &seen }], Some(&secret)), [Fate::NotOurs]);
}

#[test]
fn never_both_legs() {
    let secret = Secret::from_bytes(SECRET);
    let lock = lock();
    for own in statuses() {
        for peer in statuses() {
            for open in [false, true] {
                for secret in [None, Some(&secret)] {
                    let (own, peer) = (view(Some(own.clone()), open), view(Some(peer.clone()), open));
                    let orphans = [
                        Orphan { side: Side::Own, lock: &lock, view: &own },
                        Orphan { side: Side::Peer, lock: &lock, view: &peer },
                    ];
                    let fates = rescue(&orphans, secret);
                    let over = |view: &LegView| view.sighting.as_ref().unwrap().status.clone();
                    if matches!(over(&own), LockStatus::Refunded { .. }) {
                        assert_ne!(fates[1], Fate::Redeem, "our own came back for good");
                    }
                    if matches!(over(&peer), LockStatus::Redeemed { .. }) {
                        assert_ne!(fates[0], Fate::Refund, "theirs is ours for good");
                    }
                    if matches!(over(&own), LockStatus::Redeemed { .. }) && secret.is_some() && view_stands(&peer) {
                        assert_eq!(fates[1], Fate::Redeem, "they have ours, and the secret is public");
                    }
                }
            }
        }
    }
}

fn view_stands(view: &LegView) -> bool {
    view.sighting.as_ref().unwrap().stands()
}

#[test]
fn the_counterpartys_lock_is_waited_for_while_ours_may_still_be_redeemed() {
    let lock = lock();
    let (own, peer) = (view(Some(statuses()[2].clone()), false), view(Some(statuses()[2].clone()), true));
    let orphans = [Orphan { side: Side::Own, lock: &lock, view: &own }, Orphan { side: Side::Peer, lock: &lock, view: &peer }];
    assert_eq!(rescue(&orphans, None), [Fate::WaitsForExpiry, Fate::WaitsForSecret]);
}

#[test]
fn a_redeem_of_our_lock_that_is_mined_is_not_raced_and_stray_money_is_swept() {
    let mut seen = view(Some(statuses()[2].clone()), true);
    let spend = |depth| Some(Spend { kind: SpendKind::Redeem, txid: TXID, depth });
    seen.sighting.as_mut().unwrap().spend = spend(1);
    assert_eq!(alone(Side::Own, &seen, None), Fate::WaitsForExpiry);
    seen.sighting.as_mut().unwrap().spend = spend(0);
    assert_eq!(alone(Side::Own, &seen, None), Fate::Refund);
    let mut stray = view(Some(LockStatus::Absent), true);
    stray.sighting.as_mut().unwrap().faults = vec![Fault::WrongAmount];
    assert_eq!(alone(Side::Own, &stray, None), Fate::Refund);
    stray.swept = true;
    assert_eq!(alone(Side::Own, &stray, None), Fate::Nothing);
}

#[test]
fn only_what_is_over_or_not_ours_is_settled() {
    use Fate::{NotOurs, Nothing, Redeem, Redeemed, Refund, Refunded, Unknown, WaitsForExpiry, WaitsForSecret};
    for fate in [Redeemed, Refunded, NotOurs, Nothing] {
        assert!(fate.is_settled(), "{fate:?}");
    }
    for fate in [Unknown, WaitsForExpiry, WaitsForSecret, Refund, Redeem] {
        assert!(!fate.is_settled(), "{fate:?}");
    }
    assert_ne!(SecretHash::from_bytes([0; 32]), lock().secret_hash);
}
