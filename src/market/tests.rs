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
    let source = Source::File(path.clone());
    assert!(source.look().await.is_err());
    std::fs::write(&path, "0.052\nmore\n").unwrap();
    let seen = source.look().await.unwrap();
    assert_eq!(seen.price, "0.052".parse().unwrap());
    assert!(clock::now().secs_since(seen.at) < 600);
    std::fs::write(&path, "fifty").unwrap();
    assert!(source.look().await.is_err());

    let answers = ["0.05", "{\"data\":{\"price\":\"0.06\"}}", "{\"data\":{\"price\":0.07}}", "{\"data\":{}}", "<html>"];
    let app = |body: &'static str| axum::Router::new().route("/", axum::routing::get(async move || body));
    let pointers = [None, Some("/data/price"), Some("/data/price"), Some("/data/price"), None];
    let wanted = [Some("0.05"), Some("0.06"), Some("0.07"), None, None];
    for ((body, pointer), wanted) in answers.into_iter().zip(pointers).zip(wanted) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Site::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app(body)).await });
        let seen = Source::Http(Feed { site, trust: None, pointer: pointer.map(str::to_owned) }).look().await;
        assert_eq!(seen.ok().map(|seen| seen.price), wanted.map(|price| price.parse().unwrap()), "{body}");
        server.abort();
    }
}

/// A server on this machine that answers everything with these words, over TLS with a certificate of an authority of its own.
async fn tls_feed(
    folder: &std::path::Path,
    name: &str,
    answer: String,
) -> (u16, std::path::PathBuf, tokio::task::JoinHandle<()>) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let path = folder.join(format!("{name}.pem"));
    std::fs::write(&path, authority.pem()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not believe the certificate hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            assert!(String::from_utf8(head).unwrap().contains(&format!("host: localhost:{port}\r\n")));
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, path, server)
}

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_feed_over_tls_is_believed_by_its_certificate_and_redirects_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let price = answer("200 OK", "{\"last\":\"0.0523\"}");
    let look = async |port: u16, ca: Option<&std::path::Path>| {
        let site = Site::parse(&format!("https://localhost:{port}/ticker?pair=ETHBTC")).unwrap();
        let trust = ca.map(|ca| Trust::only(ca).unwrap());
        Source::Http(Feed { site, trust, pointer: Some("/last".to_owned()) }).look().await
    };
    let (port, ca, server) = tls_feed(folder.path(), "localhost", price.clone()).await;
    assert_eq!(look(port, Some(&ca)).await.unwrap().price, "0.0523".parse().unwrap());
    let stranger = look(port, None).await.unwrap_err();
    assert!(stranger.contains("certificate"), "{stranger}");
    let (other_port, other_ca, other) = tls_feed(folder.path(), "elsewhere.example", price.clone()).await;
    for (port, ca) in [(port, &other_ca), (other_port, &other_ca)] {
        let refused = look(port, Some(ca)).await.unwrap_err();
        assert!(refused.contains("certificate"), "another authority, or another name: {refused}");
    }
    server.abort();
    other.abort();
    let bad = [
        (answer(&format!("302 Found\r\nLocation: https://localhost:{port}/"), ""), "status 302"),
        (answer("500 No", ""), "status 500"),
        (answer("200 OK", &"1".repeat(100_000)), "more than is read"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{".to_owned(), "broke off"),
        ("nonsense".to_owned(), "broke off"),
    ];
    for (said, why) in bad {
        let (port, ca, server) = tls_feed(folder.path(), "localhost", said).await;
        let refused = look(port, Some(&ca)).await.unwrap_err();
        assert!(refused.contains(why), "{refused}");
        server.abort();
    }
    std::fs::write(folder.path().join("empty.pem"), "no certificate").unwrap();
    assert!(Trust::only(&folder.path().join("empty.pem")).is_err() && Trust::only(folder.path()).is_err());
}

#[tokio::test]
async fn a_feed_that_is_silent_is_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = Site::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let silent = Source::Http(Feed { site, trust: None, pointer: None });
    let looked = tokio::time::timeout(Duration::from_secs(8), silent.look()).await.unwrap();
    assert!(looked.unwrap_err().contains("in time"));
}
