//! The API as calls. Programs that drive several nodes use it too.

mod channels;

use super::error::CliError;
use super::sse::{Parser, SseError};
use super::{ClientArgs, KeyArgs};
use crate::api::{AddressView, BalanceList, OfferList, PeerList, Problem, Scope, read_token};
use crate::datadir::DataDir;
use crate::service::{
    BalanceView, EventView, HealthView, NewOffer, NewPeer, NewSend, NewSwap, OfferPair, OfferView, PeerView, SendView, SwapPage,
    SwapQuery, SwapView,
};
use photon_chains::Ledger;
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_API: &str = "http://127.0.0.1:7708";
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Longer than the server takes to give up.
const ANSWER_WITHIN: Duration = Duration::from_secs(75);
/// More than a heartbeat of the server: a stream silent for so long is dead.
const SILENCE_WITHIN: Duration = Duration::from_secs(60);
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// How often one creating request is sent, always with the same key.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// A node's API.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token_file: PathBuf,
}

impl Client {
    /// A client of the API at `url`, with the tokens of that file, which is read at each call.
    pub fn new(url: &str, token_file: PathBuf) -> Result<Self, CliError> {
        let wrong = || CliError::Usage(format!("{url:?} is no address of an API: write it as http://127.0.0.1:7708"));
        let base = Url::parse(url).map_err(|_| wrong())?;
        let plain = base.username().is_empty() && base.password().is_none() && base.query().is_none();
        if base.scheme() != "http" || !base.has_host() || !plain || !matches!(base.path(), "" | "/") {
            return Err(wrong());
        }
        // No proxy and no redirect: the token goes to that address or nowhere.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .build()
            .map_err(|error| CliError::Failed(format!("can't make an HTTP client: {error}")))?;
        Ok(Self { http, base, token_file })
    }

    pub(super) fn from_args(args: &ClientArgs) -> Result<Self, CliError> {
        let folder = DataDir::new(args.datadir.clone());
        let url = args.api.clone().or_else(|| configured(&folder)).unwrap_or_else(|| DEFAULT_API.to_owned());
        Self::new(&url, args.token_file.clone().unwrap_or_else(|| folder.api_token()))
    }

    /// Our own offers of these assets.
    pub async fn offers(&self, pair: &OfferPair) -> Result<Vec<OfferView>, CliError> {
        self.offers_at(&["v1", "offers"], None, pair).await
    }

    /// Offers of others, of these assets, that connected nodes told of.
    pub async fn network_offers(&self, pair: &OfferPair) -> Result<Vec<OfferView>, CliError> {
        self.offers_at(&["v1", "offers"], Some("network"), pair).await
    }

    /// A peer's open offers of these assets.
    pub async fn peer_offers(&self, peer: &str, pair: &OfferPair) -> Result<Vec<OfferView>, CliError> {
        self.offers_at(&["v1", "peers", peer, "offers"], None, pair).await
    }

    async fn offers_at(&self, path: &[&str], of: Option<&str>, pair: &OfferPair) -> Result<Vec<OfferView>, CliError> {
        let asked = [("of", of), ("give", pair.give.as_deref()), ("want", pair.want.as_deref())];
        let query: Vec<_> = asked.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
        self.get::<OfferList>(path, &query).await.map(|list| list.offers)
    }

    /// Publishes an offer.
    pub async fn create_offer(&self, offer: &NewOffer, key: &str) -> Result<OfferView, CliError> {
        self.create(Scope::Trade, "offers", offer, key).await
    }

    /// Takes an offer back.
    pub async fn cancel_offer(&self, id: &str) -> Result<OfferView, CliError> {
        let url = self.url(&["v1", "offers", id])?;
        self.ask(self.request(Scope::Trade, Method::DELETE, url)?).await
    }

    /// Takes a peer's offer.
    pub async fn start_swap(&self, swap: &NewSwap, key: &str) -> Result<SwapView, CliError> {
        self.create(Scope::Trade, "swaps", swap, key).await
    }

    /// A page of swaps.
    pub async fn swaps(&self, query: &SwapQuery) -> Result<SwapPage, CliError> {
        let limit = query.limit.map(|limit| limit.to_string());
        let fields = [("state", &query.state), ("limit", &limit), ("after", &query.after)];
        let given: Vec<(&str, &str)> = fields.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        self.get(&["v1", "swaps"], &given).await
    }

    /// One swap.
    pub async fn swap(&self, id: &str) -> Result<SwapView, CliError> {
        self.get(&["v1", "swaps", id], &[]).await
    }

    /// What the node holds.
    pub async fn balances(&self) -> Result<Vec<BalanceView>, CliError> {
        self.get::<BalanceList>(&["v1", "balances"], &[]).await.map(|list| list.balances)
    }

    /// An address to be paid at.
    pub async fn new_address(&self, ledger: Ledger) -> Result<String, CliError> {
        let url = self.url(&["v1", "addresses", ledger.name()])?;
        let view: AddressView = self.ask(self.request(Scope::Trade, Method::POST, url)?).await?;
        Ok(view.address)
    }

    /// Pays from the wallet.
    pub async fn send(&self, send: &NewSend, key: &str) -> Result<SendView, CliError> {
        self.create(Scope::Withdraw, "sends", send, key).await
    }

    /// One payment.
    pub async fn sent(&self, id: &str) -> Result<SendView, CliError> {
        self.get(&["v1", "sends", id], &[]).await
    }

    /// The peers that the node knows.
    pub async fn peers(&self) -> Result<Vec<PeerView>, CliError> {
        self.get::<PeerList>(&["v1", "peers"], &[]).await.map(|list| list.peers)
    }

    /// Remembers a peer.
    pub async fn add_peer(&self, peer: &NewPeer, key: &str) -> Result<PeerView, CliError> {
        self.create(Scope::Admin, "peers", peer, key).await
    }

    /// How the node is doing.
    pub async fn health(&self) -> Result<HealthView, CliError> {
        self.get(&["v1", "health"], &[]).await
    }

    /// Events from now on. It listens when this returns: what is looked at afterwards is not older than the first event.
    pub async fn events(&self) -> Result<EventTail, CliError> {
        let mut tail = EventTail { client: self.clone(), stream: None, parser: Parser::default(), last: None };
        tail.connect().await?;
        Ok(tail)
    }

    fn url(&self, segments: &[&str]) -> Result<Url, CliError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.clear().extend(segments);
            }
            Err(()) => return Err(CliError::Usage("the API's address takes no path".to_owned())),
        }
        Ok(url)
    }

    fn request(&self, scope: Scope, method: Method, url: Url) -> Result<RequestBuilder, CliError> {
        let token = read_token(&self.token_file, scope)?;
        Ok(self.http.request(method, url).bearer_auth(token.as_str()))
    }

    async fn get<T: DeserializeOwned>(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<T, CliError> {
        let mut url = self.url(segments)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.ask(self.request(Scope::Read, Method::GET, url)?).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CliError> {
        let response = request.timeout(ANSWER_WITHIN).send().await.map_err(|error| self.unreachable(&error))?;
        self.read(response).await
    }

    /// Creates something at `/v1/` and that word.
    async fn create<T: DeserializeOwned>(
        &self,
        scope: Scope,
        what: &str,
        body: &impl Serialize,
        key: &str,
    ) -> Result<T, CliError> {
        self.create_at(scope, &["v1", what], body, key).await
    }

    /// Sends until an answer comes: with one key it is done once, however often it arrives.
    async fn create_at<T: DeserializeOwned>(
        &self,
        scope: Scope,
        path: &[&str],
        body: &impl Serialize,
        key: &str,
    ) -> Result<T, CliError> {
        let url = self.url(path)?;
        let request = self.request(scope, Method::POST, url)?.header("Idempotency-Key", key).json(body).timeout(ANSWER_WITHIN);
        let mut broken = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let Some(request) = request.try_clone() else { break };
            match request.send().await {
                Ok(response) if response.status().as_u16() == 504 => broken = "it is still being done".to_owned(),
                Ok(response) => match self.read(response).await {
                    Err(CliError::Unreachable { reason, .. }) => broken = reason,
                    answer => return answer,
                },
                // Never arrived: nothing was begun.
                Err(error) if error.is_connect() && broken.is_empty() => return Err(self.unreachable(&error)),
                Err(error) => broken = plain(&error),
            }
        }
        Err(CliError::Unanswered { reason: broken, key: key.to_owned() })
    }

    async fn read<T: DeserializeOwned>(&self, mut response: Response) -> Result<T, CliError> {
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + piece.len() > MAX_ANSWER_BYTES {
                return Err(self.unreadable("it is too long"));
            }
            body.extend_from_slice(&piece);
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| self.unreadable(error));
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(CliError::Problem(problem)),
            Err(_) => Err(self.unreadable(format!("HTTP status {status}"))),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        CliError::Unreachable { url: self.base.to_string(), reason: plain(error) }
    }

    fn unreadable(&self, reason: impl ToString) -> CliError {
        CliError::Unreadable { url: self.base.to_string(), reason: reason.to_string() }
    }
}

impl KeyArgs {
    /// The key that was given, or a fresh one.
    pub(super) fn get(self) -> Result<String, CliError> {
        if let Some(key) = self.idempotency_key {
            return Ok(key);
        }
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| CliError::Failed("the system gave no random bytes".to_owned()))?;
        Ok(hex::encode(bytes))
    }
}

/// The innermost reason, which is the one that says something.
fn plain(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    reason.to_string()
}

/// Where the node in that folder listens, as its configuration says. The node itself checks the rest of it.
fn configured(folder: &DataDir) -> Option<String> {
    let from_env = std::env::var("PHOTON__API__LISTEN").ok();
    let text = from_env.or_else(|| {
        let table: toml::Table = std::fs::read_to_string(folder.config()).ok()?.parse().ok()?;
        Some(table.get("api")?.get("listen")?.as_str()?.to_owned())
    })?;
    let mut listen: SocketAddr = text.parse().ok()?;
    if listen.ip().is_unspecified() {
        listen.set_ip(if listen.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    Some(format!("http://{listen}"))
}

/// Follows a node's events over broken connections.
pub struct EventTail {
    client: Client,
    stream: Option<Response>,
    parser: Parser,
    last: Option<u64>,
}

/// What was heard of a node.
#[derive(Debug)]
pub enum Heard {
    /// An event.
    Event(EventView),
    /// The connection had broken and stands again. Some events may have been missed: look anew at what you follow.
    Again,
}

impl EventTail {
    /// What happens next. Gives up when the node can't be reached for half a minute.
    pub async fn next(&mut self) -> Result<Heard, CliError> {
        loop {
            if let Some(event) = self.parser.next_event() {
                self.last = Some(event.seq);
                return Ok(Heard::Event(event));
            }
            match self.piece().await {
                Ok(()) => {}
                Err(_) => {
                    self.reconnect().await?;
                    return Ok(Heard::Again);
                }
            }
        }
    }

    async fn piece(&mut self) -> Result<(), SseError> {
        let stream = self.stream.as_mut().ok_or(SseError::Ended)?;
        let piece = tokio::time::timeout(SILENCE_WITHIN, stream.chunk()).await;
        let piece = piece.map_err(|_| SseError::Ended)?.map_err(|_| SseError::Ended)?.ok_or(SseError::Ended)?;
        self.parser.push(&piece)
    }

    async fn reconnect(&mut self) -> Result<(), CliError> {
        let mut failed = None;
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            match self.connect().await {
                Ok(()) => return Ok(()),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| CliError::Failed("the events broke off".to_owned())))
    }

    async fn connect(&mut self) -> Result<(), CliError> {
        let client = &self.client;
        let request = client.request(Scope::Read, Method::GET, client.url(&["v1", "events"])?)?;
        let request = match self.last {
            Some(last) => request.header("Last-Event-ID", last.to_string()),
            None => request,
        };
        let answer = tokio::time::timeout(ANSWER_WITHIN, request.send()).await;
        let response = answer
            .map_err(|_| CliError::Unreachable { url: client.base.to_string(), reason: "it does not answer".to_owned() })?
            .map_err(|error| client.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(client.read::<()>(response).await.err().unwrap_or_else(|| client.unreadable("no events")));
        }
        self.stream = Some(response);
        self.parser = Parser::default();
        Ok(())
    }
}
