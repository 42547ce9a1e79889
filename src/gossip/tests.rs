//! Offers reach whom their makers never met, and nobody can flood, forge or keep alive what is over.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::board::{MOST, MOST_OF_MAKER};
use super::*;
use crate::config::Network;
use crate::keys::SeedWords;
use photon_chains::{Amount, Asset, Ledger};
use photon_swap::{Money, Salt};

fn wallet() -> Arc<Wallet> {
    Arc::new(Wallet::new(&SeedWords::generate().unwrap(), Network::Regtest).unwrap())
}

fn place(maker: &Wallet) -> PeerAddress {
    PeerAddress::new(maker.identity_address(), "maker.example", 7707).unwrap()
}

fn offer_for(maker: &Wallet, number: u64, secs: u64) -> Offer {
    let money = |asset, units| Money { asset, amount: Amount::from_units(units) };
    let (give, want) = (money(Asset::Native(Ledger::Ethereum), 1 + u128::from(number)), money(Asset::Native(Ledger::Bitcoin), 2));
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&number.to_be_bytes());
    Offer::new(maker.identity_address(), give, want, clock::now().plus_secs(secs), Salt::from_bytes(salt))
}

fn offer(maker: &Wallet, number: u64) -> Offer {
    offer_for(maker, number, 3600)
}

fn notice(maker: &Wallet, number: u64) -> Notice {
    Notice::of(offer(maker, number), place(maker), clock::now(), maker)
}

/// A node with its gossip, which never runs by itself here.
struct Party {
    gossip: Gossip,
    net: PeerNet,
    wallet: Arc<Wallet>,
}

impl Party {
    async fn start() -> Self {
        let wallet = wallet();
        let gossip = Gossip::new(wallet.clone(), Some(place(&wallet)));
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let net = PeerNet::start(listen, wallet.clone(), Arc::new(gossip.clone())).await.unwrap();
        Self { gossip, net, wallet }
    }

    async fn connect(&self, other: &Party) {
        let at = PeerAddress::at(other.wallet.identity_address(), other.net.local_addr().unwrap()).unwrap();
        self.net.connect(&at, Duration::from_secs(10)).await.unwrap();
    }

    async fn hear(&self) {
        // Whoever is asked believes that the last question was long ago.
        self.gossip.round(&self.net, clock::now()).await;
    }

    fn rest(&self) {
        lock(&self.gossip.0.asked).clear();
    }

    fn knows(&self) -> Vec<Notice> {
        self.gossip.notices(clock::now())
    }
}

#[tokio::test]
async fn the_third_in_a_line_hears_of_the_firsts_offer_and_where_to_take_it() {
    let (first, second, third) = (Party::start().await, Party::start().await, Party::start().await);
    second.connect(&first).await;
    third.connect(&second).await;
    let made = offer(&first.wallet, 1);
    first.gossip.tell(&[made], clock::now());
    second.hear().await;
    third.hear().await;
    let heard = third.knows();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].offer, &heard[0].at), (made, &place(&first.wallet)));
    assert_eq!(third.gossip.address_of(first.wallet.identity_address()), Some(place(&first.wallet)));
    // It comes back to nobody: not to its maker, not to who told of it, and not a second time.
    first.hear().await;
    assert_eq!(first.knows(), []);
    second.rest();
    third.hear().await;
    assert_eq!(third.knows().len(), 1);
    assert_eq!(second.gossip.answer(first.wallet.identity_address(), AskNotices { board: 0, after: 0 }).notices, []);
    // What its maker takes back is told no more, and forgotten by all when its time is over.
    first.gossip.tell(&[], clock::now());
    assert_eq!(first.gossip.answer(third.wallet.identity_address(), AskNotices { board: 0, after: 0 }).notices, []);
    lock(&third.gossip.0.board).forget(clock::now().plus_secs(TOLD_SECS + 1));
    assert_eq!(third.knows(), []);
}

#[tokio::test]
async fn a_neighbour_that_starts_again_tells_all_anew() {
    let (hears, maker) = (Party::start().await, wallet());
    let peer = Address::from_bytes([7; 20]);
    let told = |board, after| {
        let restarted = Gossip::new(maker.clone(), Some(place(&maker)));
        restarted.tell(&[offer(&maker, board)], clock::now());
        restarted.answer(hears.wallet.identity_address(), AskNotices { board, after })
    };
    let first = told(1, 0);
    let heard = hears.gossip.take(peer, first).unwrap();
    let second = told(2, heard.after + 1000);
    assert_eq!(second.notices.len(), 1, "the place was one of another board");
    hears.gossip.take(peer, second).unwrap();
    assert_eq!(hears.knows().len(), 2);
}

// G4, H6
#[tokio::test]
async fn what_is_forged_is_refused_without_effect_and_its_teller_asked_no_more() {
    let (hears, maker, mallory) = (Party::start().await, wallet(), wallet());
    let good = notice(&maker, 1);
    let now = clock::now();
    let changed = |change: &dyn Fn(&mut Notice)| {
        let mut notice = good.clone();
        change(&mut notice);
        notice
    };
    let stale = Notice::of(offer(&maker, 2), place(&maker), now.minus_secs(TOLD_SECS + 100), &maker);
    let endless = Notice::of(offer_for(&maker, 3, 30 * 24 * 3600), place(&maker), now, &maker);
    let late = Notice::of(offer(&maker, 4), place(&maker), now.plus_secs(900), &maker);
    let by_another = Notice::of(offer(&maker, 5), place(&maker), now, &mallory);
    let forged = [
        changed(&|it| it.at = PeerAddress::new(it.offer.maker, "evil.example", 1).unwrap()),
        changed(&|it| it.at = place(&mallory)),
        changed(&|it| it.until = it.until.plus_secs(1)),
        changed(&|it| it.offer.want.amount = Amount::from_units(1)),
        changed(&|it| it.offer = offer(&maker, 9)),
        endless,
        late,
        by_another,
    ];
    let peer = Address::from_bytes([7; 20]);
    for bad in forged {
        assert_eq!(bad.check(now), Err(Unfit::Forged), "{bad:?}");
        let told = Notices { board: 1, next: 1, notices: vec![bad, good.clone()] };
        assert!(hears.gossip.take(peer, told).is_none());
        assert_eq!(hears.knows(), []);
    }
    // Told a little late: no harm is meant.
    assert!(hears.gossip.take(peer, Notices { board: 1, next: 1, notices: vec![stale] }).is_some());
    assert_eq!(hears.knows(), []);
    let many = (0..=MOST_TOLD as u64).map(|number| notice(&maker, 100 + number)).collect();
    assert!(hears.gossip.take(peer, Notices { board: 1, next: 1, notices: many }).is_none(), "more than was asked for");
    assert!(hears.gossip.take(peer, Notices { board: 1, next: 1, notices: vec![good] }).is_some());
    assert_eq!(hears.knows().len(), 1);
}

/// Tells what it wants, whatever is asked.
struct Mallory(serde_json::Value, Mutex<u32>);

#[async_trait]
impl Handler for Mallory {
    fn knows(&self, _kind: &str) -> bool {
        true
    }

    async fn handle(&self, _from: Address, _request: PeerRequest) -> PeerReply {
        *lock(&self.1) += 1;
        PeerReply::Answer(self.0.clone())
    }
}

// H6
#[tokio::test]
async fn whoever_tells_nonsense_is_not_asked_again() {
    let maker = wallet();
    let mut forged = notice(&maker, 1);
    forged.at = PeerAddress::new(maker.identity_address(), "evil.example", 1).unwrap();
    let forged = serde_json::to_value(Notices { board: 1, next: 1, notices: vec![forged] }).unwrap();
    for said in [serde_json::json!("moon"), serde_json::json!({ "notices": [] }), forged] {
        let (hears, wallet) = (Party::start().await, wallet());
        let mallory = Arc::new(Mallory(said, Mutex::new(0)));
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let net = PeerNet::start(listen, wallet.clone(), mallory.clone()).await.unwrap();
        let at = PeerAddress::at(wallet.identity_address(), net.local_addr().unwrap()).unwrap();
        hears.net.connect(&at, Duration::from_secs(10)).await.unwrap();
        for _ in 0..3 {
            hears.hear().await;
        }
        assert_eq!((*lock(&mallory.1), hears.knows()), (1, Vec::new()));
    }
}

// H6
#[tokio::test]
async fn whoever_asks_again_and_again_is_declined() {
    let (asks, asked) = (Party::start().await, Party::start().await);
    asks.connect(&asked).await;
    let ask = || {
        let question = serde_json::json!({ "board": 0, "after": 0 });
        asks.net.request_connected(asked.wallet.identity_address(), NOTICES, question, ANSWER)
    };
    assert!(ask().await.is_ok());
    assert!(matches!(ask().await, Err(PeerError::Refused { code: RefusalCode::Declined, .. })));
    asked.rest();
    assert!(ask().await.is_ok());
}

#[test]
fn a_board_is_bounded_and_who_fills_it_makes_room_for_others() {
    let (mut board, quiet, loud) = (Board::default(), Address::from_bytes([1; 20]), Address::from_bytes([2; 20]));
    // Signatures are not looked at here, so each notice can be another maker's.
    let maker = wallet();
    let pattern = notice(&maker, 0);
    let like = |number: u64| {
        let mut bytes = [9; 20];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let Offer { give, want, valid_until, salt, .. } = pattern.offer;
        let mut made = pattern.clone();
        made.offer = Offer::new(Address::from_bytes(bytes), give, want, valid_until, salt);
        made
    };
    assert!(board.put(like(0), Some(quiet)));
    let taken = (1..3 * MOST as u64).filter(|number| board.put(like(*number), Some(loud))).count();
    assert_eq!(taken, MOST - 1, "a flood ends where the room does");
    assert!(board.put(like(u64::MAX), Some(quiet)), "others still have theirs");
    assert_eq!(board.of_others().count(), MOST);
    assert!(!board.put(like(u64::MAX - 1), Some(loud)));

    let mut board = Board::default();
    let of_one = (0..2 * MOST_OF_MAKER as u64).filter(|number| board.put(notice(&maker, *number), Some(quiet))).count();
    assert_eq!(of_one, MOST_OF_MAKER);
}

#[test]
fn a_notice_is_renewed_in_its_time_and_not_told_without_end() {
    let (maker, peer, to) = (wallet(), Address::from_bytes([1; 20]), Address::from_bytes([2; 20]));
    let now = clock::now();
    let made = offer(&maker, 1);
    let told = |secs| Notice::of(made, place(&maker), now.plus_secs(secs), &maker);
    let mut board = Board::default();
    assert!(board.put(told(0), Some(peer)) && !board.put(told(0), Some(peer)) && !board.put(told(60), Some(peer)));
    assert!(board.put(told(200), Some(peer)));
    let (notices, next) = board.after(0, to, 10);
    assert_eq!((notices.len(), next), (1, 2), "in a new place, so that it is told on");
    assert_eq!(board.after(next, to, 10), (Vec::new(), 2));
}
