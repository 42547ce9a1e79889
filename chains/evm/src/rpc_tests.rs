#![allow(clippy::unwrap_used)]
use super::*;
use crate::wire::Number;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A node that answers each request with the next of these, whole HTTP answers, and then hangs up.
async fn node(answers: Vec<String>) -> Rpc {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65536];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Rpc::new(&url).unwrap()
}

fn http(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

async fn answer(answer: String) -> Result<Number, RpcError> {
    node(vec![answer]).await.ask("eth_chainId", json!([])).await
}

#[tokio::test]
async fn each_kind_of_failure_is_an_error_of_its_own() {
    assert_eq!(answer(http(200, r#"{"id":1,"result":"0x2a"}"#)).await, Ok(Number(42)));
    assert!(matches!(answer(http(200, "<html>")).await, Err(RpcError::Nonsense(_))));
    assert!(matches!(answer(http(200, r#"{"id":1,"result":"forty-two"}"#)).await, Err(RpcError::Nonsense(_))));
    assert!(matches!(answer(http(502, "")).await, Err(RpcError::Unreachable(_))));
    assert!(matches!(answer(String::new()).await, Err(RpcError::Unreachable(_))));
    let endless = format!("HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n", MAX_ANSWER_BYTES + 1);
    assert_eq!(answer(endless).await, Err(RpcError::TooLong));
    let refusal = r#"{"id":1,"error":{"code":3,"message":"execution reverted","data":"0x0102"}}"#;
    for status in [200, 400, 500] {
        let expected = RpcError::Refused { code: 3, message: "execution reverted".into(), data: Some(vec![1, 2]) };
        assert_eq!(answer(http(status, refusal)).await, Err(expected), "{status}");
    }
}

#[tokio::test]
async fn an_answer_without_a_length_is_cut_off_where_it_is_too_long() {
    let body = "7".repeat(MAX_ANSWER_BYTES + 1);
    assert_eq!(answer(format!("HTTP/1.1 200 x\r\nConnection: close\r\n\r\n{body}")).await, Err(RpcError::TooLong));
}

#[tokio::test]
async fn answers_of_a_batch_come_in_the_order_of_the_questions_and_a_missing_one_is_an_error() {
    let calls: Vec<_> = (0..3).map(|_| Call::new("eth_chainId", json!([]))).collect();
    let batch = r#"[{"id":2,"result":"0x2"},{"id":99,"result":"0x9"},{"id":0,"error":{"code":-1,"message":"no"}},{}]"#;
    let answers = node(vec![http(200, batch)]).await.ask_all(&calls).await.unwrap();
    assert!(matches!(answers[0], Err(RpcError::Refused { code: -1, .. })));
    assert!(matches!(answers[1], Err(RpcError::Nonsense(_))));
    assert_eq!(answers[2], Ok(json!("0x2")));
}

#[tokio::test]
async fn a_node_without_batches_is_asked_one_by_one() {
    let calls: Vec<_> = (0..2).map(|_| Call::new("eth_chainId", json!([]))).collect();
    let refusal = http(200, r#"{"id":null,"error":{"code":-32600,"message":"batches are off"}}"#);
    let single = |answer: &str| http(200, &format!(r#"{{"id":1,"result":"{answer}"}}"#));
    let node = node(vec![refusal, single("0x1"), single("0x2"), single("0x3"), single("0x4")]).await;
    assert_eq!(node.ask_all(&calls).await, Ok(vec![Ok(json!("0x1")), Ok(json!("0x2"))]));
    assert_eq!(node.ask_all(&calls).await, Ok(vec![Ok(json!("0x3")), Ok(json!("0x4"))]), "no batch is tried again");
}

#[test]
fn only_plain_http_is_spoken_and_no_address_is_shown() {
    for bad in ["https://node.example", "ws://node.example", "node.example:8545", ""] {
        let error = Rpc::new(bad).err().unwrap();
        assert!(matches!(&error, RpcError::Nonsense(_)) && !error.to_string().contains("example"), "{error}");
    }
}

#[tokio::test]
async fn an_error_names_neither_address_nor_password() {
    let rpc = Rpc::new("http://user:hunter2@127.0.0.1:1/path").unwrap();
    let error = rpc.ask::<Number>("eth_chainId", json!([])).await.unwrap_err();
    assert!(matches!(error, RpcError::Unreachable(_)));
    assert!(!error.to_string().contains("hunter2") && !error.to_string().contains("path"), "{error}");
}
