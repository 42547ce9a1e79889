//! `/v1/channels`, and who and what is at their other ends.

use super::body::{Check, Json, NoBody, check_amount, check_peer};
use super::once::once;
use super::params::{Asked, ChannelName, IdempotencyKey, plain_cursor};
use super::problem::{Kind, Problem};
use super::server::App;
use crate::service::{
    ChannelAmount, ChannelPage, ChannelQuery, ChannelView, Closing, EarnedView, NeighbourView, NewChannel, NewClose,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// With whom we have channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NeighbourList {
    /// In the order of their identities.
    pub neighbours: Vec<NeighbourView>,
}

/// What mediating has earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarnedList {
    /// One for every asset in which anything was earned.
    pub fees: Vec<EarnedView>,
}

/// Payment channels, a page at a time.
#[utoipa::path(get, path = "/v1/channels", operation_id = "listChannels", tag = "channels",
    params(
        ("state" = Option<String>, Query, description = "`live` (the default), `settled` or `all`"),
        ("peer" = Option<String>, Query, description = "only those with this identity, 0x and 40 hex digits"),
        ("limit" = Option<u32>, Query, description = "at most so many, 1 to 200; 50 if not said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, body = ChannelPage)))]
pub(super) async fn list(State(app): State<App>, query: Asked<ChannelQuery>) -> Result<axum::Json<ChannelPage>, Problem> {
    let query = query.0;
    if !matches!(query.state.as_deref(), None | Some("live" | "settled" | "all")) {
        return Err(Problem::new(Kind::Malformed, "state is live, settled or all"));
    }
    plain_cursor(query.limit, query.after.as_deref())?;
    Ok(axum::Json(app.service.channels(query).await?))
}

/// Opens a channel with a deposit of ours, or puts a first deposit into one that the other side has opened. Answers once it is durable
/// that it will be done; what follows is seen in the channel and its events.
#[utoipa::path(post, path = "/v1/channels", operation_id = "openChannel", tag = "channels", request_body = NewChannel,
    params(("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 201, body = ChannelView)))]
pub(super) async fn open(State(app): State<App>, key: IdempotencyKey, body: Json<NewChannel>) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::CREATED, async move |service| service.open_channel(value).await).await
}

/// One channel.
#[utoipa::path(get, path = "/v1/channels/{ledger}/{id}", operation_id = "showChannel", tag = "channels",
    params(("ledger" = String, Path, description = "`ethereum` or `smt`"), ("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = ChannelView)))]
pub(super) async fn show(State(app): State<App>, at: ChannelName) -> Result<axum::Json<ChannelView>, Problem> {
    Ok(axum::Json(app.service.channel(&at.0).await?))
}

/// Puts more of ours into a channel. It can be paid once it is deep enough on chain.
#[utoipa::path(post, path = "/v1/channels/{ledger}/{id}/deposit", operation_id = "depositIntoChannel", tag = "channels", request_body = ChannelAmount,
    params(("ledger" = String, Path, description = "`ethereum` or `smt`"), ("id" = String, Path, description = "64 hex digits"),
        ("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 202, body = ChannelView)))]
pub(super) async fn deposit(State(app): State<App>, at: ChannelName, key: IdempotencyKey, body: Json<ChannelAmount>) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::ACCEPTED, async move |service| service.deposit(&at.0, value.amount).await).await
}

/// Takes money of ours out of a channel that stays open: the counterparty signs for it, and it goes to our account.
#[utoipa::path(post, path = "/v1/channels/{ledger}/{id}/withdraw", operation_id = "withdrawFromChannel", tag = "channels", request_body = ChannelAmount,
    params(("ledger" = String, Path, description = "`ethereum` or `smt`"), ("id" = String, Path, description = "64 hex digits"),
        ("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 202, body = ChannelView)))]
pub(super) async fn withdraw(
    State(app): State<App>,
    at: ChannelName,
    key: IdempotencyKey,
    body: Json<ChannelAmount>,
) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::ACCEPTED, async move |service| service.withdraw(&at.0, value.amount).await).await
}

/// Ends a channel: together, with the counterparty's signature, in one transaction; or alone, then each has its money after the window.
#[utoipa::path(post, path = "/v1/channels/{ledger}/{id}/close", operation_id = "closeChannel", tag = "channels", request_body = NewClose,
    params(("ledger" = String, Path, description = "`ethereum` or `smt`"), ("id" = String, Path, description = "64 hex digits"),
        ("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 202, body = ChannelView)))]
pub(super) async fn close(State(app): State<App>, at: ChannelName, key: IdempotencyKey, body: Json<NewClose>) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::ACCEPTED, async move |service| service.close_channel(&at.0, value).await).await
}

/// Settles a closed channel whose window is over, at once. The node does that by itself; this only hurries it. Takes no body.
#[utoipa::path(post, path = "/v1/channels/{ledger}/{id}/settle", operation_id = "settleChannel", tag = "channels",
    params(("ledger" = String, Path, description = "`ethereum` or `smt`"), ("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = ChannelView)))]
pub(super) async fn settle(State(app): State<App>, at: ChannelName, _: NoBody) -> Result<axum::Json<ChannelView>, Problem> {
    Ok(axum::Json(app.service.settle_channel(&at.0).await?))
}

/// With whom we have channels, and what can be paid and received there.
#[utoipa::path(get, path = "/v1/neighbours", operation_id = "listNeighbours", tag = "channels", responses((status = 200, body = NeighbourList)))]
pub(super) async fn neighbours(State(app): State<App>) -> Result<axum::Json<NeighbourList>, Problem> {
    Ok(axum::Json(NeighbourList { neighbours: app.service.neighbours().await? }))
}

/// What mediating payments of others has earned.
#[utoipa::path(get, path = "/v1/fees", operation_id = "listFees", tag = "channels", responses((status = 200, body = EarnedList)))]
pub(super) async fn fees(State(app): State<App>) -> Result<axum::Json<EarnedList>, Problem> {
    Ok(axum::Json(EarnedList { fees: app.service.fees_earned().await? }))
}

impl Check for NewChannel {
    fn check(&self) -> Result<(), String> {
        check_peer(&self.peer)?;
        check_amount("deposit", &self.deposit)?;
        if self.window_minutes.is_some_and(|minutes| !(10..=43_200).contains(&minutes)) {
            return Err("window_minutes: 10 to 43200 minutes (thirty days)".to_owned());
        }
        Ok(())
    }
}

impl Check for ChannelAmount {
    fn check(&self) -> Result<(), String> {
        if self.amount.is_zero() {
            return Err("amount: nothing is no amount".to_owned());
        }
        Ok(())
    }
}

impl Check for NewClose {
    fn check(&self) -> Result<(), String> {
        match (self.how, self.alone_after_secs) {
            (Closing::Alone, Some(_)) => Err("alone_after_secs: only where it is to be closed together first".to_owned()),
            (Closing::Together, Some(secs)) if !(10..=604_800).contains(&secs) => {
                Err("alone_after_secs: 10 to 604800 seconds (a week)".to_owned())
            }
            (Closing::Together | Closing::Alone, _) => Ok(()),
        }
    }
}
