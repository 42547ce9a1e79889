//! Requests to web servers of others: one over each connection, to an address that was looked up once and may have been checked, over
//! TLS with the certificate of the name. No proxy, no redirect, no second look at the name, and a bound on what is read.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const MAX_URL_BYTES: usize = 512;
/// Of what a name resolves to.
const MOST_ADDRESSES: usize = 16;

/// Where a URL leads, as it writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    host: String,
    port: u16,
    /// Path and query.
    path: String,
    is_tls: bool,
}

impl Site {
    /// Reads an http or https URL without user, password and fragment. None: it is no such.
    pub fn parse(url: &str) -> Option<Self> {
        let parsed = reqwest::Url::parse(url).ok().filter(|_| url.len() <= MAX_URL_BYTES)?;
        let is_bare = parsed.username().is_empty() && parsed.password().is_none() && parsed.fragment().is_none();
        let is_tls = match parsed.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let (host, port) = (parsed.host_str().filter(|_| is_bare)?, parsed.port_or_known_default()?);
        let query = parsed.query().map(|query| format!("?{query}")).unwrap_or_default();
        Some(Self { host: host.to_owned(), port, path: format!("{}{query}", parsed.path()), is_tls })
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether TLS is spoken there.
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The host, if the URL names an address.
    pub fn literal(&self) -> Option<IpAddr> {
        self.name().parse().ok()
    }

    /// Whether the URL itself leads to this machine: by a loopback address, or as `localhost`.
    pub fn is_here(&self) -> bool {
        self.host == "localhost" || self.literal().is_some_and(|ip| ip.is_loopback())
    }

    /// What the name resolves to now; nothing if it can't be found.
    pub async fn addresses(&self) -> Vec<SocketAddr> {
        let found = tokio::net::lookup_host((self.name(), self.port)).await;
        found.map(|found| found.take(MOST_ADDRESSES).collect()).unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// As the Host header writes it.
    fn authority(&self) -> String {
        let default_port = if self.is_tls { 443 } else { 80 };
        if self.port == default_port { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// Why there is no answer. Says nothing of the URL and of what was answered: both may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// Nothing answers there, or its certificate is not good.
    #[error("no connection: {0}")]
    Connect(String),
    /// It ended too early.
    #[error("the connection broke off")]
    Broken,
    /// More than may be read.
    #[error("it answers with more than is read")]
    TooLong,
}

/// Why there is nobody to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// No authorities.
    #[error("this system trusts no certificate authority: install ca-certificates")]
    NoAuthorities,
    /// The file holds none that can be read.
    #[error("{0} holds no certificate in PEM that can be read")]
    NoCertificate(PathBuf),
    /// The library failed.
    #[error("no TLS: {0}")]
    Tls(tokio_rustls::rustls::Error),
}

/// Whose certificates are believed. Clones are handles to the same.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}

impl Trust {
    /// The authorities that this system trusts.
    pub fn system() -> Result<Self, TrustError> {
        static SYSTEM: OnceLock<Trust> = OnceLock::new();
        if let Some(known) = SYSTEM.get() {
            return Ok(known.clone());
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(TrustError::NoAuthorities);
        }
        let trust = Self::of(roots)?;
        Ok(SYSTEM.get_or_init(|| trust).clone())
    }

    /// The authorities of a PEM file, and no others.
    pub fn only(path: &Path) -> Result<Self, TrustError> {
        let none = || TrustError::NoCertificate(path.to_owned());
        let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut roots = RootCertStore::empty();
        for certificate in certificates.map_err(|_| none())? {
            roots.add(certificate).map_err(|_| none())?;
        }
        if roots.is_empty() { Err(none()) } else { Self::of(roots) }
    }

    fn of(roots: RootCertStore) -> Result<Self, TrustError> {
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = versions.map_err(TrustError::Tls)?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

/// An answer whose head has come. Dropped, its connection ends.
pub struct Answer {
    response: Response<Incoming>,
    driver: AbortHandle,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Answer {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Its body, which may have so many bytes.
    pub async fn body(mut self, most: usize) -> Result<Vec<u8>, WebError> {
        let mut body = Vec::new();
        while let Some(frame) = self.response.body_mut().frame().await {
            let Ok(data) = frame.map_err(|_| WebError::Broken)?.into_data() else { continue };
            if body.len() + data.len() > most {
                return Err(WebError::TooLong);
            }
            body.extend_from_slice(&data);
        }
        Ok(body)
    }
}

/// Sends a request, which has everything but its Host, to one of these addresses of the site. `trust` is asked for where TLS is spoken.
/// Has no time limit of its own.
pub async fn ask(
    site: &Site,
    addresses: &[SocketAddr],
    trust: impl FnOnce() -> Result<Trust, TrustError>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, WebError> {
    let stream = TcpStream::connect(addresses).await.map_err(|error| WebError::Connect(error.kind().to_string()))?;
    if !site.is_tls {
        return send(stream, site, request).await;
    }
    let name = ServerName::try_from(site.name().to_owned());
    let name = name.map_err(|_| WebError::Connect("its name fits no certificate".to_owned()))?;
    let trust = trust().map_err(|error| WebError::Connect(error.to_string()))?;
    let tls = TlsConnector::from(trust.0).connect(name, stream).await;
    send(tls.map_err(|_| WebError::Connect("its certificate is not good".to_owned()))?, site, request).await
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    site: &Site,
    mut request: Request<Full<Bytes>>,
) -> Result<Answer, WebError> {
    let host = site.authority().parse().map_err(|_| WebError::Broken)?;
    request.headers_mut().insert(hyper::header::HOST, host);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| WebError::Broken)?;
    let driver = tokio::spawn(connection).abort_handle();
    match sender.send_request(request).await {
        Ok(response) => Ok(Answer { response, driver }),
        Err(_) => {
            driver.abort();
            Err(WebError::Broken)
        }
    }
}
