//! Announcements of channels: believed of channels on chain and from their parties alone, as often as they may come, and no more of
//! them than there are channels.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NOW, domain, signer};
use photon_chains::{Address, UnixTime};
use photon_channel::route::*;
use photon_channel::*;

fn signers() -> [Signer; 2] {
    let [one, other] = [1, 2].map(signer);
    if one.address() < other.address() { [one, other] } else { [other, one] }
}

fn key() -> ChannelKey {
    let [a, b] = signers();
    ChannelKey::new(None, a.address(), b.address(), Window::SHORTEST).unwrap()
}

fn now(secs: u64) -> UnixTime {
    UnixTime::from_secs(NOW + secs)
}

fn neighbour() -> Address {
    Address::from_bytes([5; 20])
}

fn board() -> Board {
    let mut board = Board::new(domain());
    assert!(board.opened(key(), Epoch(5), Units::from(1_000)));
    board
}

fn word(sequence: u64, secs: u64) -> Announcement {
    Announcement {
        of: ChannelRef { channel: key().id(), epoch: Epoch(5) },
        from: Side::A,
        fee_base: Units::from(1),
        fee_ppm: 100,
        slack_secs: 900,
        capacity: Units::from(700),
        sequence,
        time: now(secs),
    }
}

fn signed(word: Announcement) -> Announced {
    let [a, b] = signers();
    word.sign(if word.from == Side::A { &a } else { &b }, &domain())
}

#[test]
fn a_partys_word_becomes_an_edge_that_carries_no_more_than_there_is() {
    let mut board = board();
    assert_eq!(board.edges(None, now(0)).count(), 0, "nothing said, no fee known");
    board.hear(&signed(word(1, 0)), neighbour(), now(0)).unwrap();
    board.hear(&signed(Announcement { from: Side::B, capacity: Units::MAX, ..word(1, 0) }), neighbour(), now(0)).unwrap();
    let edges: Vec<Edge> = board.edges(None, now(0)).collect();
    assert_eq!(edges.iter().map(|edge| edge.capacity.get()).collect::<Vec<_>>(), [700, 1_000]);
    assert_eq!((edges[0].from, edges[0].to), (edges[1].to, edges[1].from));
    assert_eq!(edges[0].from, key().parties().a);
    assert_eq!(board.edges(Some(Address::from_bytes([1; 20])), now(0)).count(), 0, "of another token");
}

#[test]
fn nobody_speaks_for_another_or_of_a_channel_that_is_not_there() {
    let mut board = board();
    let [a, b] = signers();
    let by_the_other = word(1, 0).sign(&b, &domain());
    assert_eq!(board.hear(&by_the_other, neighbour(), now(0)), Err(Unheard::Signature));
    let elsewhere = word(1, 0).sign(&a, &Domain::new(2, Address::from_bytes([9; 20])));
    assert_eq!(board.hear(&elsewhere, neighbour(), now(0)), Err(Unheard::Signature));
    let of = ChannelRef { epoch: Epoch(6), ..word(1, 0).of };
    assert_eq!(board.hear(&signed(Announcement { of, ..word(1, 0) }), neighbour(), now(0)), Err(Unheard::Channel));
    let of = ChannelRef { channel: ChannelId::from_bytes([1; 32]), ..of };
    assert_eq!(board.hear(&signed(Announcement { of, ..word(1, 0) }), neighbour(), now(0)), Err(Unheard::Channel));
    assert_eq!(board.edges(None, now(0)).count(), 0);
}

/// Any field changed on the way, and it is not the party's word.
#[test]
fn every_field_is_under_the_signature() {
    let announced = signed(word(1, 0));
    let first = word(1, 0);
    let changed = [
        Announcement { fee_base: Units::from(2), ..first },
        Announcement { fee_ppm: 101, ..first },
        Announcement { slack_secs: 901, ..first },
        Announcement { capacity: Units::from(701), ..first },
        Announcement { sequence: 2, ..first },
        Announcement { time: now(1), ..first },
        Announcement { from: Side::B, ..first },
    ];
    for announcement in changed {
        let result = board().hear(&Announced { announcement, ..announced }, neighbour(), now(0));
        assert_eq!(result, Err(Unheard::Signature), "{announcement:?}");
    }
}

#[test]
fn only_news_is_heard_and_not_too_often() {
    let mut board = board();
    assert_eq!(board.hear(&signed(word(1, SKEW_SECS + 1)), neighbour(), now(0)), Err(Unheard::Time), "from the future");
    board.hear(&signed(word(7, 0)), neighbour(), now(0)).unwrap();
    assert_eq!(board.hear(&signed(word(7, 0)), neighbour(), now(0)), Err(Unheard::Old), "again");
    assert_eq!(board.hear(&signed(word(6, LEAST_SECS)), neighbour(), now(LEAST_SECS)), Err(Unheard::Old), "an older one");
    assert_eq!(board.hear(&signed(word(8, LEAST_SECS - 1)), neighbour(), now(LEAST_SECS)), Err(Unheard::Old), "too soon");
    board.hear(&signed(word(8, LEAST_SECS)), neighbour(), now(LEAST_SECS)).unwrap();
    let late = now(LEAST_SECS + LIFE_SECS + 1);
    assert_eq!(board.edges(None, late).count(), 0, "it counts no longer");
    assert_eq!(board.said(None, 10, late).count(), 0);
    assert_eq!(board.hear(&signed(word(9, 2 * LEAST_SECS)), neighbour(), late.plus_secs(LIFE_SECS)), Err(Unheard::Time));
}

#[test]
fn what_a_channel_said_in_another_life_is_forgotten() {
    let mut board = board();
    board.hear(&signed(word(1, 0)), neighbour(), now(0)).unwrap();
    board.opened(key(), Epoch(5), Units::from(2_000));
    assert_eq!(board.edges(None, now(0)).count(), 1, "a deposit changes nothing");
    board.opened(key(), Epoch(6), Units::from(1_000));
    assert_eq!(board.edges(None, now(0)).count(), 0);
    board.closed(&key().id());
    assert!(board.is_empty());
}

#[test]
fn a_neighbour_that_brings_forged_words_costs_so_much_and_no_more() {
    let mut board = board();
    let [_, b] = signers();
    let forged = word(1, 0).sign(&b, &domain());
    let checked = (0..MOST_CHECKS + 10).filter(|_| board.hear(&forged, neighbour(), now(0)) == Err(Unheard::Signature)).count();
    assert_eq!(checked, MOST_CHECKS as usize);
    assert_eq!(board.hear(&forged, neighbour(), now(0)), Err(Unheard::Often));
    let other = Address::from_bytes([6; 20]);
    board.hear(&signed(word(1, 0)), other, now(0)).unwrap();
    assert_eq!(
        board.hear(&signed(word(2, LEAST_SECS)), neighbour(), now(LEAST_SECS)),
        Ok(()),
        "a minute later it is heard again"
    );
}

#[test]
fn what_is_kept_of_neighbours_is_bounded_too() {
    let mut board = board();
    let [_, b] = signers();
    let forged = word(1, 0).sign(&b, &domain());
    let mut refused = 0;
    for at in 0..MOST_NEIGHBOURS as u16 + 5 {
        let mut bytes = [7; 20];
        bytes[..2].copy_from_slice(&at.to_be_bytes());
        refused += usize::from(board.hear(&forged, Address::from_bytes(bytes), now(0)) == Err(Unheard::Often));
    }
    assert_eq!(refused, 5);
}

#[test]
fn tidings_have_one_form() {
    let tiding = Tiding { key: key(), announced: signed(word(1, 0)) };
    let bytes = tiding.to_bytes();
    let two = [bytes.clone(), bytes.clone()].concat();
    assert_eq!(read_all(&two), Some(vec![tiding; 2]));
    assert_eq!(read_all(&two[1..]), None);
    assert_eq!(read_all(&two[..two.len() - 1]), None);
    assert_eq!(read_all(&[]), Some(vec![]));
    assert_eq!(tiding.speaker(), Some(signers()[0].address()));
    let other = ChannelKey::new(None, signers()[0].address(), neighbour(), Window::SHORTEST).unwrap();
    assert_eq!(Tiding { key: other, ..tiding }.speaker(), None, "said of another channel");
}

#[test]
fn a_party_that_speaks_is_known_by_its_key() {
    let mut board = board();
    let [a, b] = signers();
    assert_eq!(board.signer(&key().id(), &a.address()), None, "it has said nothing yet");
    board.hear(&signed(word(1, 0)), neighbour(), now(0)).unwrap();
    assert_eq!(board.signer(&key().id(), &a.address()), Some(a.known()));
    assert_eq!(board.signer(&key().id(), &b.address()), None);
    assert_eq!(board.signer(&key().id(), &neighbour()), None, "no party of it");
}

#[test]
fn an_amount_is_announced_to_a_quarter_and_never_more_than_it_is() {
    for amount in [0u64, 1, 3, 7, 8, 9, 1_000, 1_023, u64::MAX] {
        let about = Announcement::about(Units::from(amount)).get();
        assert!(about <= u128::from(amount) && u128::from(amount) <= about + about / 4, "{amount}: {about}");
    }
    assert_eq!(Announcement::about(Units::from(1_000)), Announcement::about(Units::from(1_001)));
}

#[test]
fn a_new_neighbour_is_told_page_by_page() {
    let mut board = Board::new(domain());
    let [a, b] = signers();
    for minutes in 10..40 {
        let window = Window::from_minutes(minutes).unwrap();
        let key = ChannelKey::new(None, a.address(), b.address(), window).unwrap();
        board.opened(key, Epoch(5), Units::from(1_000));
        // Some channels are silent, and end no page.
        if minutes % 2 == 0 {
            continue;
        }
        let of = ChannelRef { channel: key.id(), epoch: Epoch(5) };
        board.hear(&signed(Announcement { of, ..word(1, 0) }), neighbour(), now(0)).unwrap();
    }
    let (mut after, mut told) = (None, Vec::new());
    loop {
        let page: Vec<Announced> = board.said(after, 3, now(0)).map(|tiding| tiding.announced).collect();
        let Some(last) = page.last() else { break };
        after = Some(last.announcement.of.channel);
        told.extend(page);
    }
    assert_eq!(told.len(), 15);
}
