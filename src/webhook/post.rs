//! One post: connect to a checked address, speak TLS with the name's certificate, send, read the status, and no more. No proxy, no
//! redirect, no second look at the name.

use super::place::{Place, PlaceError};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Why a post was not taken. Says nothing of what was answered: that is the other side's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PostError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("the connection broke off")]
    Broken,
    #[error("no answer within 15 seconds")]
    Late,
    #[error("answered with status {0}")]
    Status(u16),
}

/// Posts JSON; fine when it is answered with 2xx.
pub(super) async fn post(place: &Place, headers: &[(&'static str, String)], body: Vec<u8>) -> Result<(), PostError> {
    match tokio::time::timeout(ANSWER_WITHIN, try_post(place, headers, body)).await {
        Ok(Ok(status)) if status.is_success() => Ok(()),
        Ok(Ok(status)) => Err(PostError::Status(status.as_u16())),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(PostError::Late),
    }
}

async fn try_post(place: &Place, headers: &[(&'static str, String)], body: Vec<u8>) -> Result<StatusCode, PostError> {
    let addresses = place.addresses().await?;
    let stream = TcpStream::connect(&addresses[..]).await.map_err(|error| PostError::Connect(error.kind().to_string()))?;
    if !place.is_tls {
        return send(stream, place, headers, body).await;
    }
    let name = place.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name).map_err(|_| PostError::Connect("its name fits no certificate".to_owned()))?;
    let tls = TlsConnector::from(roots()?).connect(name, stream).await;
    send(tls.map_err(|_| PostError::Connect("its certificate is not good".to_owned()))?, place, headers, body).await
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    place: &Place,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
) -> Result<StatusCode, PostError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| PostError::Broken)?;
    let driver = tokio::spawn(connection);
    let default_port = if place.is_tls { 443 } else { 80 };
    let host = if place.port == default_port { place.host.clone() } else { format!("{}:{}", place.host, place.port) };
    let mut request = Request::post(&place.path).header("Host", host).header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|_| PostError::Broken)?;
    let answer = sender.send_request(request).await;
    // Its body is of no interest, however long it is.
    driver.abort();
    answer.map(|answer| answer.status()).map_err(|_| PostError::Broken)
}

/// The authorities that this system trusts.
fn roots() -> Result<Arc<ClientConfig>, PostError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(PostError::Connect("this system trusts no certificate authority: install ca-certificates".to_owned()));
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| PostError::Connect("no TLS".to_owned()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}
