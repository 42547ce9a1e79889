//! The maker draws up terms, the taker believes nothing in them: every figure that Mallory changes is refused, by its name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use photon_chains::*;
use photon_swap::*;

fn pairs() -> impl Iterator<Item = (Ledger, Ledger)> {
    let venues = || Ledger::ALL.into_iter().chain(Ledger::CHANNELS);
    let all = venues().flat_map(move |alpha| venues().map(move |beta| (alpha, beta)));
    all.filter(|(alpha, beta)| alpha != beta)
}

fn verify(terms: &Terms, alpha: Ledger, beta: Ledger) -> Result<(), Refusal> {
    let offer = offer(alpha, beta);
    verify_draft(&take(&offer), &offer, terms, &rules(alpha, beta))
}

#[test]
fn an_honest_draft_is_accepted_for_every_pair() {
    for (alpha, beta) in pairs() {
        let terms = terms(alpha, beta);
        assert_eq!(terms.check(), Ok(()), "{alpha} to {beta}");
        assert_eq!(verify(&terms, alpha, beta), Ok(()), "{alpha} to {beta}");
        assert_eq!(verify_accept(&terms, terms.id(), &rules(alpha, beta)), Ok(()));
        let text = serde_json::to_string(&terms).unwrap();
        assert_eq!(serde_json::from_str::<Terms>(&text).unwrap(), terms);
    }
}

#[test]
fn the_legs_are_what_was_offered_and_open_in_their_order() {
    for (alpha, beta) in pairs() {
        let (terms, offer) = (terms(alpha, beta), offer(alpha, beta));
        assert_eq!((terms.alpha.lock.asset, terms.alpha.lock.amount), (offer.want.asset, offer.want.amount));
        assert_eq!((terms.beta.lock.asset, terms.beta.lock.amount), (offer.give.asset, offer.give.amount));
        assert_eq!((terms.initiator, terms.participant), (address(ALICE), address(BOB)));
        for role in [Role::Initiator, Role::Participant] {
            assert_eq!(terms.own_leg(role), terms.peer_leg(role.other()));
        }
        let (long, short) = (&terms.alpha.lock.expiry, &terms.beta.lock.expiry);
        assert!(long.opens_time > short.opens_time);
        let act = Profile::REGTEST.act_secs;
        match beta.family() {
            Family::Utxo => assert_eq!(*short, Expiry::at(short.opens_time)),
            Family::Evm => {
                assert_eq!(short.closes, Some(short.opens_time), "redeeming ends when the refund opens");
                let lock_by = (!beta.is_channel()).then_some(terms.deadlines.fund_beta_by.plus_secs(act));
                assert_eq!((short.lock_by, short.linked), (lock_by, beta.is_channel()));
            }
        }
        match alpha.family() {
            Family::Utxo => assert_eq!(*long, Expiry::at(long.opens_time)),
            Family::Evm => {
                let blocks = long.opens_time.secs_since(NOW);
                assert_eq!(long.opens_block, HEIGHT.plus(blocks), "one block a second at the least");
                let lock_by = (!alpha.is_channel()).then_some(terms.deadlines.fund_alpha_by.plus_secs(act));
                assert_eq!((long.closes, long.lock_by, long.linked), (None, lock_by, alpha.is_channel()));
            }
        }
    }
}

/// A swap of two tokens over channels of one chain, and its rules.
fn linked() -> (Offer, Rules, Terms) {
    let venue = Ledger::EthereumChannel;
    let give = Money { asset: Asset::Token(venue, address(0x70)), amount: Amount::from_units(5) };
    let offer = Offer::new(address(BOB), give, money(venue, 9), NOW, Salt::from_bytes([1; 16]));
    let rules = rules(venue, venue);
    let terms = build_terms(&offer, &take(&offer), &maker_half(&offer), &rules).unwrap();
    (offer, rules, terms)
}

#[test]
fn legs_that_one_registry_judges_are_covered_without_a_gap() {
    let (offer, rules, terms) = linked();
    let gap = |terms: &Terms| terms.alpha.lock.expiry.opens_time.secs_since(terms.beta.lock.expiry.opens_time);
    assert_eq!(gap(&terms), schedule(&rules.profile, &rules.alpha.timing, &rules.beta.timing).beta_late_secs);
    assert_eq!(verify_draft(&take(&offer), &offer, &terms, &rules), Ok(()));
    // Whatever is in time for beta is in time for alpha: alpha does not close, and opens no earlier than beta closes.
    let (alpha, beta) = (&terms.alpha.lock.expiry, &terms.beta.lock.expiry);
    assert!(alpha.closes.is_none() && beta.closes.is_some_and(|closes| closes <= alpha.opens_time));

    // Another contract, or another chain, is another registry: then the gap is back.
    let mut elsewhere = rules;
    elsewhere.beta.template = Template::Channel { contract: address(0xcf), reach: 1 };
    let apart = build_terms(&offer, &take(&offer), &maker_half(&offer), &elsewhere).unwrap();
    assert!(gap(&apart) >= gap(&terms) + 2 * rules.profile.offline_secs);
    let mut elsewhere = rules;
    elsewhere.beta.genesis = hash(0x77);
    let apart = build_terms(&offer, &take(&offer), &maker_half(&offer), &elsewhere).unwrap();
    assert!(gap(&apart) >= gap(&terms) + 2 * rules.profile.offline_secs);
}

#[test]
fn a_leg_in_channels_is_judged_by_the_registry_and_names_keys() {
    let (_, _, terms) = linked();
    let mut plain = terms;
    plain.beta.lock.expiry.linked = false;
    assert_eq!(plain.check(), Err(TermsError::Linked(LegName::Beta)));
    let mut late = terms;
    late.alpha.lock.expiry.lock_by = Some(late.deadlines.fund_alpha_by);
    assert_eq!(late.check(), Err(TermsError::LockBy(LegName::Alpha)));
    let mut account = terms;
    account.beta.lock.redeemer = Party::Account(address(1));
    assert_eq!(account.check(), Err(TermsError::Inconsistent(LegName::Beta)));
    let mut on_chain = terms;
    on_chain.beta.lock.template = Template::Htlc { contract: address(0xcc), code_hash: hash(0xcd) };
    assert_eq!(on_chain.check(), Err(TermsError::Inconsistent(LegName::Beta)));
    let mut farther = terms;
    farther.beta.lock.template = Template::Channel { contract: address(0xce), reach: 2 };
    assert_ne!(farther.id(), terms.id(), "how many mediators there may be is signed");
}

#[test]
fn a_token_is_swapped_like_a_coin() {
    let token = Asset::Token(Ledger::Ethereum, address(0x70));
    let give = Money { asset: token, amount: Amount::from_units(5) };
    let offer = Offer::new(address(BOB), give, money(Ledger::Ethereum, 9), NOW, Salt::from_bytes([1; 16]));
    let mut rules = rules(Ledger::Ethereum, Ledger::Ethereum);
    rules.beta.decimals = 6;
    let terms = build_terms(&offer, &take(&offer), &maker_half(&offer), &rules).unwrap();
    assert_eq!((terms.alpha.decimals, terms.beta.decimals), (18, 6));
    assert_eq!(verify_draft(&take(&offer), &offer, &terms, &rules), Ok(()));
    rules.beta.decimals = 8;
    assert_eq!(verify_draft(&take(&offer), &offer, &terms, &rules), Err(Refusal::OtherFigures(LegName::Beta)));
}

#[test]
fn the_longer_absence_of_both_parties_counts() {
    let offer = offer(Ledger::Bitcoin, Ledger::Ethereum);
    let rules = rules(Ledger::Bitcoin, Ledger::Ethereum);
    let away = Take { offline_secs: 40, ..take(&offer) };
    let terms = build_terms(&offer, &away, &maker_half(&offer), &rules).unwrap();
    assert_eq!(terms.offline_secs, 40);
    assert_eq!(verify_draft(&away, &offer, &terms, &rules), Ok(()));
    // The taker asked for less than the maker's own profile: the maker's counts.
    let brief = Take { offline_secs: 1, ..take(&offer) };
    let terms = build_terms(&offer, &brief, &maker_half(&offer), &rules).unwrap();
    assert_eq!(terms.offline_secs, Profile::REGTEST.offline_secs);
    // A taker away for longer than the maker lets its money be locked.
    let gone = Take { offline_secs: 2_000, ..take(&offer) };
    assert!(matches!(build_terms(&offer, &gone, &maker_half(&offer), &rules), Err(Refusal::TooLong { limit: 3_600, .. })));
    let never = Take { offline_secs: u64::MAX, ..take(&offer) };
    assert!(matches!(build_terms(&offer, &never, &maker_half(&offer), &rules), Err(Refusal::TooLong { .. })));
}

/// What Mallory the maker might put into a draft, and how it is refused. // B1, B3, B4, B8, G8
#[test]
fn whatever_mallory_changes_in_a_draft_is_refused_by_its_name() {
    use LegName::{Alpha, Beta};
    type Case = (&'static str, fn(&mut Terms), Box<dyn Fn(&Refusal) -> bool>);
    let short = |what| move |refusal: &Refusal| matches!(refusal, Refusal::TooShort { what: found, .. } if *found == what);
    let is = |expected: Refusal| move |refusal: &Refusal| *refusal == expected;
    let cases: Vec<Case> = vec![
        ("another offer", |t| t.offer = OfferId::from_bytes([1; 32]), Box::new(is(Refusal::OtherOffer))),
        ("another initiator", |t| t.initiator = address(1), Box::new(is(Refusal::OtherParties))),
        ("another maker", |t| t.participant = address(1), Box::new(is(Refusal::OtherParties))),
        ("another salt of ours", |t| t.initiator_salt = Salt::from_bytes([1; 16]), Box::new(is(Refusal::OtherParties))),
        ("another hash", other_hash, Box::new(is(Refusal::OtherHash))),
        ("we pay more", |t| t.alpha.lock.amount = Amount::from_units(1_001), Box::new(is(Refusal::OtherMoney(Alpha)))),
        ("we get less", |t| t.beta.lock.amount = Amount::from_units(1_999), Box::new(is(Refusal::OtherMoney(Beta)))),
        ("our refund to him", |t| t.alpha.lock.refundee = own(t, 0x66), Box::new(is(Refusal::OtherKey(Alpha)))),
        ("our money to him", |t| t.beta.lock.redeemer = own(t, 0x66), Box::new(is(Refusal::OtherKey(Beta)))),
        ("another network", |t| t.beta.genesis = hash(0x99), Box::new(is(Refusal::OtherNetwork(Beta)))),
        ("another chain id", |t| t.alpha.chain_id = Some(1), Box::new(is(Refusal::OtherNetwork(Alpha)))),
        ("shallower", |t| t.beta.confirmations = 1, Box::new(is(Refusal::OtherFigures(Beta)))),
        ("another contract", other_contract, Box::new(is(Refusal::OtherTemplate(Beta)))),
        ("other code", other_code, Box::new(is(Refusal::OtherTemplate(Beta)))),
        ("less time to fund", |t| t.deadlines.fund_alpha_by = NOW.plus_secs(9), Box::new(short(Margin::FundAlpha))),
        ("less time for Bob", |t| back(&mut t.deadlines.fund_beta_by), Box::new(short(Margin::FundBeta))),
        ("less time to reveal", reveal_earlier, Box::new(short(Margin::Reveal))),
        ("revealing later", |t| forth(&mut t.deadlines.reveal_by), Box::new(short(Margin::RedeemBeta))),
        ("beta opens later", beta_later, Box::new(short(Margin::RedeemAlpha))),
        ("away for less", |t| t.offline_secs = 4, Box::new(|r| matches!(r, Refusal::Offline { offered: 4, needed: 5 }))),
        ("away for more, same times", |t| t.offline_secs = 60, Box::new(short(Margin::RedeemBeta))),
        ("locked too long", alpha_much_later, Box::new(|r| matches!(r, Refusal::TooLong { .. }))),
        ("a far block", |t| forth_block(t, 60), Box::new(|r| matches!(r, Refusal::OpensBlock { .. }))),
        ("dated ahead", |t| shift(t, 5), Box::new(|r| matches!(r, Refusal::ClockDiffers { .. }))),
    ];
    let (alpha, beta) = (Ledger::Smt, Ledger::Ethereum);
    for (what, change, is_expected) in cases {
        let mut terms = terms(alpha, beta);
        change(&mut terms);
        assert_eq!(terms.check(), Ok(()), "{what}: only the taker can see it");
        let refusal = verify(&terms, alpha, beta).expect_err(what);
        assert!(is_expected(&refusal), "{what}: {refusal:?}");
    }
}

fn own(terms: &Terms, byte: u8) -> Party {
    party(terms.alpha.lock.asset.ledger(), byte)
}

fn other_hash(terms: &mut Terms) {
    let hash = Secret::from_bytes([1; 32]).hash();
    terms.alpha.lock.secret_hash = hash;
    terms.beta.lock.secret_hash = hash;
}

fn other_contract(terms: &mut Terms) {
    terms.beta.lock.template = Template::Htlc { contract: address(1), code_hash: hash(0xcd) };
}

fn other_code(terms: &mut Terms) {
    terms.beta.lock.template = Template::Htlc { contract: address(0xcc), code_hash: hash(1) };
}

fn back(time: &mut UnixTime) {
    *time = time.minus_secs(1);
}

fn forth(time: &mut UnixTime) {
    *time = time.plus_secs(1);
}

fn reveal_earlier(terms: &mut Terms) {
    back(&mut terms.deadlines.reveal_by);
}

fn beta_later(terms: &mut Terms) {
    let opens = terms.beta.lock.expiry.opens_time.plus_secs(5);
    terms.beta.lock.expiry.opens_time = opens;
    terms.beta.lock.expiry.closes = Some(opens);
}

fn alpha_much_later(terms: &mut Terms) {
    terms.alpha.lock.expiry.opens_time = NOW.plus_secs(3_601);
}

fn forth_block(terms: &mut Terms, blocks: u64) {
    terms.alpha.lock.expiry.opens_block = terms.alpha.lock.expiry.opens_block.plus(blocks);
}

fn shift(terms: &mut Terms, secs: u64) {
    let Terms { alpha, beta, deadlines, .. } = terms;
    let times = [
        &mut deadlines.agreed_at,
        &mut deadlines.fund_alpha_by,
        &mut deadlines.fund_beta_by,
        &mut deadlines.reveal_by,
        &mut alpha.lock.expiry.opens_time,
        &mut beta.lock.expiry.opens_time,
    ];
    let more = [&mut alpha.lock.expiry.lock_by, &mut beta.lock.expiry.lock_by, &mut beta.lock.expiry.closes];
    for time in times.into_iter().chain(more.into_iter().filter_map(Option::as_mut)) {
        *time = time.plus_secs(secs);
    }
}

/// What makes no swap for anybody. // A2, A3, B2, B4
#[test]
fn terms_that_make_no_swap_are_refused_by_their_name() {
    use LegName::{Alpha, Beta};
    type Case = (&'static str, fn(&mut Terms), TermsError);
    let cases: Vec<Case> = vec![
        ("version", |t| t.version = 2, TermsError::Version { found: 2 }),
        ("one party", |t| t.initiator = t.participant, TermsError::SameParty),
        ("one asset", |t| t.beta.lock.asset = t.alpha.lock.asset, TermsError::SameAsset),
        ("his key on both sides", |t| t.beta.lock.redeemer = t.alpha.lock.redeemer, TermsError::SharedKey),
        ("refunded to the redeemer", |t| t.alpha.lock.refundee = t.alpha.lock.redeemer, TermsError::SharedKey),
        ("our key as his", |t| t.beta.lock.refundee = t.alpha.lock.refundee, TermsError::SharedKey),
        ("nothing for something", |t| t.beta.lock.amount = Amount::ZERO, TermsError::NoAmount(Beta)),
        ("two hashes", |t| t.beta.lock.secret_hash = SecretHash::from_bytes([1; 32]), TermsError::TwoHashes),
        ("hash of zeros", |t| set_hash(t, Secret::from_bytes([0; 32]).hash()), TermsError::DegenerateHash),
        ("zero hash", |t| set_hash(t, SecretHash::from_bytes([0; 32])), TermsError::DegenerateHash),
        ("a script on a contract ledger", |t| t.beta.lock.template = Template::P2wsh, TermsError::Inconsistent(Beta)),
        ("a key on a contract ledger", |t| t.beta.lock.redeemer = party(Ledger::Bitcoin, 9), TermsError::Inconsistent(Beta)),
        ("no chain id", |t| t.beta.chain_id = None, TermsError::ChainId(Beta)),
        ("chain id zero", |t| t.alpha.chain_id = Some(0), TermsError::ChainId(Alpha)),
        ("unconfirmed", |t| t.beta.confirmations = 0, TermsError::Figures(Beta)),
        ("decimals", |t| t.alpha.decimals = 17, TermsError::Figures(Alpha)),
        ("linked", |t| t.beta.lock.expiry.linked = true, TermsError::Linked(Beta)),
        ("alpha closes", |t| t.alpha.lock.expiry.closes = Some(NOW), TermsError::AlphaCloses),
        ("alpha without a block", |t| t.alpha.lock.expiry.opens_block = BlockHeight::new(0), TermsError::OpensBlock(Alpha)),
        ("beta with a block", |t| t.beta.lock.expiry.opens_block = BlockHeight::new(1), TermsError::OpensBlock(Beta)),
        ("beta never closes", |t| t.beta.lock.expiry.closes = None, TermsError::BetaStaysOpen),
        ("beta closes early", |t| back(t.beta.lock.expiry.closes.as_mut().unwrap()), TermsError::BetaStaysOpen),
        ("a forgotten beta could come", |t| t.beta.lock.expiry.lock_by = None, TermsError::LockBy(Beta)),
        ("... or late", |t| late_lock_by(t), TermsError::LockBy(Beta)),
        ("alpha can't be funded in time", |t| t.alpha.lock.expiry.lock_by = Some(NOW), TermsError::LockBy(Alpha)),
        ("alpha opens first", |t| t.alpha.lock.expiry.opens_time = t.beta.lock.expiry.opens_time, TermsError::Order),
        ("revealed after the end", |t| t.deadlines.reveal_by = t.beta.lock.expiry.opens_time, TermsError::Order),
        ("agreed too late", |t| t.deadlines.agreed_at = t.deadlines.fund_alpha_by, TermsError::Order),
        ("always there", |t| t.offline_secs = 0, TermsError::Length),
        ("for months", |t| t.alpha.lock.expiry.opens_time = NOW.plus_secs(31 * 86_400), TermsError::Length),
    ];
    let (alpha, beta) = (Ledger::Smt, Ledger::Ethereum);
    for (what, change, expected) in cases {
        let mut terms = terms(alpha, beta);
        change(&mut terms);
        assert_eq!(terms.check(), Err(expected), "{what}");
        assert_eq!(verify(&terms, alpha, beta), Err(Refusal::Terms(expected)), "{what}");
    }
    let mut script = terms_of_scripts();
    script.alpha.lock.expiry.opens_time = UnixTime::from_secs(499_999_999);
    assert_eq!(script.check(), Err(TermsError::Inconsistent(Alpha)), "a height is no time");
    let mut script = terms_of_scripts();
    script.beta.chain_id = Some(1);
    assert_eq!(script.check(), Err(TermsError::ChainId(Beta)));
}

fn terms_of_scripts() -> Terms {
    terms(Ledger::Bitcoin, Ledger::Litecoin)
}

fn set_hash(terms: &mut Terms, hash: SecretHash) {
    terms.alpha.lock.secret_hash = hash;
    terms.beta.lock.secret_hash = hash;
}

fn late_lock_by(terms: &mut Terms) {
    terms.beta.lock.expiry.lock_by = Some(terms.deadlines.reveal_by.plus_secs(1));
}

#[test]
fn an_offer_is_taken_as_it_stands_and_in_time() {
    let (alpha, beta) = (Ledger::Bitcoin, Ledger::Ethereum);
    let (offer, rules) = (offer(alpha, beta), rules(alpha, beta));
    let (take, half) = (take(&offer), maker_half(&offer));
    let build = |offer: &Offer, take: &Take, half: &MakerHalf, rules: &Rules| build_terms(offer, take, half, rules).map(|_| ());
    let late = Rules { now: offer.valid_until.plus_secs(1), ..rules };
    assert_eq!(build(&offer, &take, &half, &late), Err(Refusal::Offer(OfferError::Expired)));
    let other = Take { offer: OfferId::from_bytes([1; 32]), ..take };
    assert_eq!(build(&offer, &other, &half, &rules), Err(Refusal::OtherOffer));
    let changed = Offer { give: money(beta, 1), ..offer };
    assert_eq!(build(&changed, &take, &half, &rules), Err(Refusal::Offer(OfferError::WrongId)));
    let stranger = MakerHalf { maker: address(1), ..half };
    assert_eq!(build(&offer, &take, &stranger, &rules), Err(Refusal::OtherParties));
    let own = Take { taker: address(BOB), ..take };
    assert_eq!(build(&offer, &own, &half, &rules), Err(Refusal::Terms(TermsError::SameParty)));
    let open = Take { secret_hash: Secret::from_bytes([0; 32]).hash(), ..take };
    assert_eq!(build(&offer, &open, &half, &rules), Err(Refusal::Terms(TermsError::DegenerateHash)));
    let wrong_kind = Take { beta_redeemer: party(Ledger::Bitcoin, ALICE), ..take };
    assert_eq!(build(&offer, &wrong_kind, &half, &rules), Err(Refusal::Terms(TermsError::Inconsistent(LegName::Beta))));
    let nothing = Offer::new(offer.maker, money(beta, 0), offer.want, offer.valid_until, offer.salt);
    assert_eq!(nothing.check(NOW), Err(OfferError::NoAmount));
    let same = Offer::new(offer.maker, money(alpha, 3), offer.want, offer.valid_until, offer.salt);
    assert_eq!(same.check(NOW), Err(OfferError::SameAsset));
}

#[test]
fn a_late_or_a_different_acceptance_is_refused() {
    let (alpha, beta) = (Ledger::Bitcoin, Ledger::Ethereum);
    let (terms, rules) = (terms(alpha, beta), rules(alpha, beta));
    assert_eq!(verify_accept(&terms, SwapId::from_bytes([1; 32]), &rules), Err(Refusal::OtherTerms));
    let last = Rules { now: terms.deadlines.fund_alpha_by, ..rules };
    assert_eq!(verify_accept(&terms, terms.id(), &last), Ok(()));
    let late = Rules { now: last.now.plus_secs(1), ..rules };
    assert_eq!(verify_accept(&terms, terms.id(), &late), Err(Refusal::TooLate));
}

#[test]
fn a_draft_that_comes_late_or_from_another_height_is_refused() {
    let (alpha, beta) = (Ledger::Ethereum, Ledger::Bitcoin);
    let (offer, terms) = (offer(alpha, beta), terms(alpha, beta));
    let mut rules = rules(alpha, beta);
    let verify = |rules: &Rules| verify_draft(&take(&offer), &offer, &terms, rules);
    rules.now = terms.deadlines.fund_alpha_by.plus_secs(1);
    assert_eq!(verify(&rules), Err(Refusal::TooLate));
    rules.now = NOW.plus_secs(100);
    assert!(matches!(verify(&rules), Err(Refusal::ClockDiffers { .. })));
    rules.now = NOW;
    // A few blocks between two nodes are nothing; a node that is not in sync, or a lie, is.
    let nearby = [HEIGHT.minus(22), HEIGHT.minus(1), HEIGHT.plus(22)];
    for height in nearby {
        rules.alpha.tip = tip(NOW, height);
        assert_eq!(verify(&rules), Ok(()), "{height}");
    }
    for height in [HEIGHT.minus(23), HEIGHT.plus(23), BlockHeight::new(0)] {
        rules.alpha.tip = tip(NOW, height);
        assert!(matches!(verify(&rules), Err(Refusal::OpensBlock { .. })), "{height}");
    }
}

/// Every refusal tells a person what happened and, where there is something to be done, what.
#[test]
fn a_refusal_reads_as_a_sentence() {
    let refusals = [
        Refusal::OtherOffer,
        Refusal::OtherNetwork(LegName::Beta),
        Refusal::TooShort { what: Margin::RedeemAlpha, offered: 1, needed: 2 },
        Refusal::TooLong { offered: 2, limit: 1 },
        Refusal::Offline { offered: 1, needed: 2 },
        Refusal::OpensBlock { offered: BlockHeight::new(1), expected: BlockHeight::new(2) },
    ];
    for refusal in refusals {
        let text = refusal.to_string();
        assert!(text.contains(": ") && text.len() > 40, "{text}");
    }
}
