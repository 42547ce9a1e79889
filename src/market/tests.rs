//! A market keeps its word and nothing more.
#![allow(clippy::unwrap_used)]

use super::terms::Side;
use super::*;
use photon_chains::Ledger;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const ETHER: u128 = 1_000_000_000_000_000_000;

fn timing(ledger: Ledger) -> Timing {
    crate::commands::bench::timing(ledger).unwrap()
}

fn market(more: &str) -> Market {
    let text = format!(
        "network = \"testnet\"\n[ethereum]\nrpc_url = \"http://127.0.0.1:1\"\nchain_id = 5\n[bitcoin]\nrpc_url = \
         \"http://127.0.0.1:1\"\ncookie_file = \"/c\"\nwallet = \"w\"\n[[market]]\ngive = \"ETH\"\nwant = \"BTC\"\nmin = \"0.1\"\nmax = \
         \"5\"\n{more}"
    );
    let config = Config::read(&text, std::path::Path::new("config.toml"), std::iter::empty(), &[]).unwrap();
    Market::new(&config, &Assets::new(&config), Profile::STANDARD, Address::from_bytes([1; 20])).unwrap()
}

fn ask(amount: Side) -> Ask {
    Ask { give: Asset::Native(Ledger::Ethereum), want: Asset::Native(Ledger::Bitcoin), amount }
}

fn quoted(market: &Market, amount: Side, now: UnixTime) -> Result<Offer, MarketError> {
    market.quote(&ask(amount), (&timing(Ledger::Bitcoin), &timing(Ledger::Ethereum)), now)
}

fn set(market: &Market, price: &str, at: UnixTime) {
    *market.0.pairs[0].seen.lock().unwrap() = Ok(Seen { price: price.parse().unwrap(), at });
}

const FED: &str = "price_file = \"/none\"\nprice_min = \"0.01\"\nprice_max = \"0.1\"\nfee_bps = 10\nmargin_bps = 20";

// G1
#[test]
fn a_quote_asks_for_fee_margin_and_the_option_over_the_price() {
    let market = market("price = \"0.05\"\nfee_bps = 10\nmargin_bps = 20\nvolatility_percent = 80");
    let one = quoted(&market, Side::Give(Amount::from_units(ETHER)), NOW).unwrap();
    let open = photon_swap::schedule(&Profile::STANDARD, &timing(Ledger::Bitcoin), &timing(Ledger::Ethereum)).reveal_by;
    let ppm = 3_000 + option_ppm(80, open);
    assert_eq!(one.want.amount, Amount::from_units((5_000_000 * (1_000_000 + u128::from(ppm))).div_ceil(1_000_000)));
    assert!(ppm > 6_000, "hours of option are not free: {ppm}");
    let back = quoted(&market, Side::Want(one.want.amount), NOW).unwrap();
    assert!(back.give.amount >= one.give.amount && back.id != one.id);
    assert_eq!(market.standing_quotes(), 2);
}

#[test]
fn what_is_outside_of_the_limits_or_of_the_pairs_is_not_quoted() {
    let market = market("price = \"0.05\"");
    for units in [0, ETHER / 10 - 1, 5 * ETHER + 1, u128::MAX] {
        let refused = quoted(&market, Side::Give(Amount::from_units(units)), NOW);
        assert!(matches!(refused, Err(MarketError::Limits { .. })), "{units}");
    }
    let turned =
        Ask { give: Asset::Native(Ledger::Bitcoin), want: Asset::Native(Ledger::Ethereum), ..ask(Side::Give(Amount::MAX)) };
    let timings = (&timing(Ledger::Bitcoin), &timing(Ledger::Ethereum));
    assert_eq!(market.quote(&turned, timings, NOW), Err(MarketError::NoSuchPair));
}

// G4, G5
#[test]
fn a_quote_is_taken_once_and_in_time() {
    let market = market("price = \"0.05\"\nttl_secs = 5");
    let offer = quoted(&market, Side::Give(Amount::from_units(ETHER)), NOW).unwrap();
    let takers: Vec<_> = (0..16)
        .map(|_| {
            let market = market.clone();
            std::thread::spawn(move || market.take(&offer.id, NOW.plus_secs(5)).is_ok())
        })
        .collect();
    let won = takers.into_iter().map(|taker| taker.join().unwrap()).filter(|won| *won).count();
    assert_eq!(won, 1);
    let late = quoted(&market, Side::Give(Amount::from_units(ETHER)), NOW).unwrap();
    assert!(market.standing(late.id, NOW.plus_secs(5)).is_some());
    assert_eq!(market.take(&late.id, NOW.plus_secs(6)), Err(MarketError::Gone));
    quoted(&market, Side::Give(Amount::from_units(ETHER)), NOW.plus_secs(6)).unwrap();
    assert_eq!(market.standing_quotes(), 1, "those that are over are forgotten");
}

// G5
#[test]
fn a_quote_that_the_price_has_overtaken_is_not_honoured() {
    let market = market(FED);
    set(&market, "0.05", NOW);
    let (small, large) = (quoted(&market, Side::Give(Amount::from_units(ETHER)), NOW).unwrap(), "0.051");
    let other = quoted(&market, Side::Give(Amount::from_units(ETHER)), NOW).unwrap();
    set(&market, "0.0501", NOW);
    assert!(market.take(&small.id, NOW).is_ok(), "less than what was put over it");
    set(&market, large, NOW);
    assert_eq!(market.take(&other.id, NOW), Err(MarketError::Moved));
    set(&market, "0.05", NOW);
    assert_eq!(market.take(&other.id, NOW), Err(MarketError::Gone), "not even when it comes back");
}

#[test]
fn a_price_that_is_old_out_of_bounds_or_missing_is_none() {
    let market = market(FED);
    let half = Side::Give(Amount::from_units(ETHER / 2));
    let why = |now| quoted(&market, half, now).unwrap_err().to_string();
    assert!(why(NOW).contains("not looked for yet"));
    set(&market, "0.05", NOW);
    assert!(quoted(&market, half, NOW.plus_secs(30)).is_ok());
    assert!(why(NOW.plus_secs(31)).contains("31 s old"));
    for wild in ["0.0099", "0.1001"] {
        set(&market, wild, NOW);
        assert!(why(NOW).contains("bounds"), "{wild}");
    }
    let pairs = market.pairs(NOW, |_, _| None);
    assert!(pairs[0].price.is_none() && pairs[0].trouble.is_some());
}

#[tokio::test]
async fn files_and_feeds_are_read_and_what_they_say_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("price");
    let http = reqwest::Client::new();
    let source = Source::File(path.clone());
    assert!(source.look(&http).await.is_err());
    std::fs::write(&path, "0.052\nmore\n").unwrap();
    let seen = source.look(&http).await.unwrap();
    assert_eq!(seen.price, "0.052".parse().unwrap());
    assert!(clock::now().secs_since(seen.at) < 600);
    std::fs::write(&path, "fifty").unwrap();
    assert!(source.look(&http).await.is_err());

    let answers = ["0.05", "{\"data\":{\"price\":\"0.06\"}}", "{\"data\":{\"price\":0.07}}", "{\"data\":{}}", "<html>"];
    let app = |body: &'static str| axum::Router::new().route("/", axum::routing::get(async move || body));
    let pointers = [None, Some("/data/price"), Some("/data/price"), Some("/data/price"), None];
    let wanted = [Some("0.05"), Some("0.06"), Some("0.07"), None, None];
    for ((body, pointer), wanted) in answers.into_iter().zip(pointers).zip(wanted) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app(body)).await });
        let seen = Source::Http { url, pointer: pointer.map(str::to_owned) }.look(&http).await;
        assert_eq!(seen.ok().map(|seen| seen.price), wanted.map(|price| price.parse().unwrap()), "{body}");
        server.abort();
    }
}
