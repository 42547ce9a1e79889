//! Where prices come from: fixed in the settings, a file that another program writes, or an HTTP answer. What is too old, out of its
//! bounds or unreadable is no price, and nothing is quoted on it.

use super::Price;
use crate::clock;
use crate::web::{self, Site, Trust};
use http_body_util::Full;
use hyper::Request;
use photon_chains::UnixTime;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

/// A price source says no more than this.
const MOST_BYTES: usize = 64 * 1024;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// One source.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// As the settings say.
    Fixed(Price),
    /// The first line of a file; its time is the file's.
    File(PathBuf),
    /// An HTTP answer: a plain decimal, or the member of a JSON answer that a pointer (RFC 6901) names.
    Http(Feed),
}

/// A feed: over TLS anywhere, private networks too, for its owner chose it; without TLS on this machine only. Where it redirects to is
/// not asked.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) site: Site,
    /// Whose certificates are believed; absent: those that this system trusts.
    pub(super) trust: Option<Trust>,
    pub(super) pointer: Option<String>,
}

/// A price and when it was true.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) price: Price,
    pub(super) at: UnixTime,
}

impl Source {
    /// Looks once.
    pub(super) async fn look(&self) -> Result<Seen, String> {
        match self {
            Source::Fixed(price) => Ok(Seen { price: *price, at: clock::now() }),
            Source::File(path) => read_file(path.clone()).await,
            Source::Http(feed) => ask(feed).await,
        }
    }
}

async fn read_file(path: PathBuf) -> Result<Seen, String> {
    let read = move || {
        let written = std::fs::metadata(&path)?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::Read::take(std::fs::File::open(&path)?, MOST_BYTES as u64), &mut text)?;
        Ok::<_, std::io::Error>((text, UnixTime::from_secs(written.as_secs())))
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(|_| "the file could not be read".to_owned())?;
    let (text, at) = read.map_err(|error| format!("the file could not be read: {}", error.kind()))?;
    Ok(Seen { price: parse(text.lines().next().unwrap_or_default())?, at })
}

async fn ask(feed: &Feed) -> Result<Seen, String> {
    let body = tokio::time::timeout(ANSWER_WITHIN, fetch(feed)).await;
    let body = body.map_err(|_| "the feed does not answer in time".to_owned())??;
    let text = std::str::from_utf8(&body).map_err(|_| "the feed says no text".to_owned())?;
    let price = match &feed.pointer {
        None => parse(text)?,
        Some(pointer) => {
            let json: serde_json::Value = serde_json::from_str(text).map_err(|_| "the feed says no JSON".to_owned())?;
            match json.pointer(pointer) {
                Some(serde_json::Value::String(text)) => parse(text)?,
                Some(serde_json::Value::Number(number)) => parse(&number.to_string())?,
                Some(_) | None => return Err("the feed's answer has no price at price_pointer".to_owned()),
            }
        }
    };
    Ok(Seen { price, at: clock::now() })
}

async fn fetch(feed: &Feed) -> Result<Vec<u8>, String> {
    let site = &feed.site;
    let addresses = site.addresses().await;
    // Whoever can answer for the name of this machine could else name a price.
    if addresses.is_empty() || !(site.is_tls() || addresses.iter().all(|address| address.ip().is_loopback())) {
        return Err("the feed's host can't be found".to_owned());
    }
    let request = Request::get(site.path()).header("Accept", "application/json, text/plain").header("User-Agent", "photon");
    let request = request.body(Full::default()).map_err(|_| "the feed's address can't be asked for".to_owned())?;
    let trust = || feed.trust.clone().map_or_else(Trust::system, Ok);
    let answer = web::ask(site, &addresses, trust, request).await.map_err(|error| format!("the feed: {error}"))?;
    if !answer.status().is_success() {
        return Err(format!("the feed answers with status {}", answer.status().as_u16()));
    }
    answer.body(MOST_BYTES).await.map_err(|error| format!("the feed: {error}"))
}

fn parse(text: &str) -> Result<Price, String> {
    text.trim().parse().map_err(|error: super::price::PriceError| error.to_string())
}
