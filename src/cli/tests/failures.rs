//! What is said when something can't be done, and how it ends.
use super::*;
use crate::service::ServiceError;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn no_node_ends_with_three_and_says_what_to_do() {
    let world = World::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = run(&world, &["balance", "--api", &nowhere]).await;
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("can't reach a node at") && ran.err.contains("photon node"), "{}", ran.err);
    let ran = run(&world, &["send", "1BTC", "x", "--yes", "--json", "--api", &nowhere]).await;
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, ran.out.as_str(), error["error"]["type"].as_str().unwrap()), (3, "", "urn:photon:cli:unreachable"));
}

#[tokio::test]
async fn what_the_node_says_is_passed_on_and_in_json_as_it_is() {
    let world = World::new().await;
    world.fake.fail(Some(ServiceError::Refused("too little in the wallet: \u{1b}[2Jadd 0.1 BTC".to_owned())));
    let ran = run(&world, &["balance"]).await;
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "photon: refused: too little in the wallet: \u{fffd}[2Jadd 0.1 BTC\n");
    let error: serde_json::Value = serde_json::from_str(&run(&world, &["balance", "--json"]).await.err).unwrap();
    assert_eq!((&error["error"]["status"], &error["error"]["type"]), (&409.into(), &"urn:photon:problem:refused".into()));
}

#[tokio::test]
async fn a_wrong_or_missing_token_says_which_file_and_never_the_token() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let missing = run(&world, &["balance", "--datadir", folder.path().to_str().unwrap()]).await;
    assert!(missing.code == 1 && missing.err.contains("api.tokens") && missing.err.contains("--token-file"), "{}", missing.err);
    let path = folder.path().join("other");
    crate::api::Tokens::create_file(&path).unwrap();
    let token = crate::api::read_token(&path, crate::api::Scope::Read).unwrap();
    let wrong = run(&world, &["balance", "--token-file", path.to_str().unwrap()]).await;
    assert!(wrong.code == 1 && wrong.err.contains("another node") && !wrong.err.contains(token.as_str()), "{}", wrong.err);
}

#[tokio::test]
async fn an_address_that_is_none_is_a_usage_error() {
    let world = World::new().await;
    for bad in ["nonsense", "https://127.0.0.1:1", "http://me:secret@127.0.0.1:1", "http://127.0.0.1:1/api", "file:///etc/passwd"]
    {
        let ran = run(&world, &["balance", "--api", bad]).await;
        assert_eq!(ran.code, 2, "{bad}: {}", ran.err);
    }
}

#[tokio::test]
async fn amounts_that_the_asset_cannot_hold_never_reach_the_node() {
    let world = World::new().await;
    for (amount, word) in [("0.123456789BTC", "8 decimals"), ("0BTC", "nothing"), ("1DOGE", "BTC, ETH, USDX")] {
        let ran = run(&world, &["send", amount, "x", "--yes"]).await;
        assert!(ran.code == 2 && ran.err.contains(word), "{amount}: {}", ran.err);
    }
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 0);
}

/// Answers `pieces` on one connection each, then none.
async fn liar(answers: Vec<&'static str>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn what_is_no_photon_node_is_told_apart() {
    let world = World::new().await;
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>",
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/steal\r\ncontent-length: 0\r\n\r\n",
    ] {
        let ran = run(&world, &["balance", "--api", &liar(vec![answer]).await]).await;
        assert!(ran.code == 1 && ran.err.contains("is it a Photon node"), "{}", ran.err);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_under_the_same_key() {
    let world = World::new().await;
    let half = "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{";
    let whole = "HTTP/1.1 202 Accepted\r\nconnection: close\r\n\r\n{\"id\":\"77\",\"pay\":{\"asset\":\"BTC\",\"amount\":\"1\"},\"to\":\"xyz\",\"state\":\"queued\",\"txid\":null,\
                 \"trouble\":\"this answer came with the second request\"}";
    let client = |url: String| crate::cli::Client::new(&url, world.folder.path().join(crate::api::TOKEN_FILE)).unwrap();
    let pay: crate::service::NewSend = serde_json::from_str(r#"{"pay":{"asset":"BTC","amount":"1"},"to":"xyz"}"#).unwrap();
    let sent = client(liar(vec![half, whole]).await).send(&pay, "k").await.unwrap();
    assert!(sent.trouble.unwrap().contains("second"));
    let lost = client(liar(vec![half, half, half]).await).send(&pay, "my-key").await.unwrap_err();
    assert!(lost.exit_code() == 1 && lost.to_string().contains("--idempotency-key my-key"), "{lost}");
    assert_eq!(lost.json()["error"]["idempotency_key"], "my-key");
}
