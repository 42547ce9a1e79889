//! `/v1/payments`, `/v1/requests` and `/v1/routes`: paying and being paid over channels.
//!
//! A payment's own id makes a retry safe, for ever and under a batch as well; so these calls need no `Idempotency-Key`.

use super::body::{Check, Json, NoBody, bounded, check_amount, check_asset, check_peer};
use super::once::once;
use super::params::{Asked, HashName, IdempotencyKey, PaymentName, plain_cursor};
use super::problem::{Kind, Problem};
use super::server::App;
use crate::service::{
    BatchView, MOST_BATCH, MOST_NOTE_BYTES, NewBatch, NewPayment, NewPaymentRequest, NewRelease, PaymentPage, PaymentQuery,
    PaymentRecord, PaymentRequestView, RouteQuery, RouteView,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// No payment request is nearly as long.
const MOST_REQUEST_CHARS: usize = 1_024;
/// A whole batch of payments with their notes.
pub(super) const MAX_BATCH_BYTES: usize = 1 << 20;

/// Requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentRequestList {
    /// Newest first, at most 200.
    pub requests: Vec<PaymentRequestView>,
}

/// Payments over channels, newest first, a page at a time.
#[utoipa::path(get, path = "/v1/payments", operation_id = "listPayments", tag = "payments",
    params(
        ("direction" = Option<String>, Query, description = "`sent`, `received` or `all` (the default)"),
        ("state" = Option<String>, Query, description = "`live`, `paid`, `failed` or `all` (the default)"),
        ("limit" = Option<u32>, Query, description = "at most so many, 1 to 200; 50 if not said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, body = PaymentPage)))]
pub(super) async fn list(State(app): State<App>, query: Asked<PaymentQuery>) -> Result<axum::Json<PaymentPage>, Problem> {
    let query = query.0;
    if !matches!(query.direction.as_deref(), None | Some("sent" | "received" | "all")) {
        return Err(Problem::new(Kind::Malformed, "direction is sent, received or all"));
    }
    if !matches!(query.state.as_deref(), None | Some("live" | "paid" | "failed" | "all")) {
        return Err(Problem::new(Kind::Malformed, "state is live, paid, failed or all"));
    }
    plain_cursor(query.limit, query.after.as_deref())?;
    Ok(axum::Json(app.service.payments(query).await?))
}

/// Pays over channels. Answers once it is durable that it will be paid, or has failed; what follows is seen in the payment and its
/// events. Sent again with the same id it is not paid twice, ever: the answer is how the payment stands.
#[utoipa::path(post, path = "/v1/payments", operation_id = "pay", tag = "payments", request_body = NewPayment,
    responses((status = 202, body = PaymentRecord)))]
pub(super) async fn pay(State(app): State<App>, body: Json<NewPayment>) -> Result<Response, Problem> {
    let payment = app.service.pay(body.value).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(payment)).into_response())
}

/// Pays many, each by itself: the answer says of each, in their order, whether it was accepted. Durable when it is answered; safe to
/// send again as it is.
#[utoipa::path(post, path = "/v1/payments/batch", operation_id = "payMany", tag = "payments", request_body = NewBatch,
    responses((status = 202, body = BatchView)))]
pub(super) async fn batch(State(app): State<App>, body: Json<NewBatch>) -> Result<Response, Problem> {
    let payments = app.service.pay_many(body.value.payments).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(BatchView { payments })).into_response())
}

/// One payment.
#[utoipa::path(get, path = "/v1/payments/{payment}", operation_id = "showPaid", tag = "payments",
    params(("payment" = String, Path, description = "32 hex digits")),
    responses((status = 200, body = PaymentRecord)))]
pub(super) async fn show(State(app): State<App>, id: PaymentName) -> Result<axum::Json<PaymentRecord>, Problem> {
    Ok(axum::Json(app.service.paid(&id.0).await?))
}

/// Takes a payment of ours back, as long as its payee has not shown its secret. Takes no body; the same twice is harmless.
#[utoipa::path(post, path = "/v1/payments/{payment}/cancel", operation_id = "cancelPayment", tag = "payments",
    params(("payment" = String, Path, description = "32 hex digits")),
    responses((status = 200, body = PaymentRecord)))]
pub(super) async fn cancel(State(app): State<App>, id: PaymentName, _: NoBody) -> Result<axum::Json<PaymentRecord>, Problem> {
    Ok(axum::Json(app.service.cancel_payment(&id.0).await?))
}

/// Payments that we expect, or expected.
#[utoipa::path(get, path = "/v1/requests", operation_id = "listRequests", tag = "payments", responses((status = 200, body = PaymentRequestList)))]
pub(super) async fn requests(State(app): State<App>) -> Result<axum::Json<PaymentRequestList>, Problem> {
    Ok(axum::Json(PaymentRequestList { requests: app.service.payment_requests().await? }))
}

/// Asks to be paid: the answer has what the payer needs, as text and as a QR code. With `secret_hash` a payment is held for as long as it
/// lasts, until its secret is given or it is given up.
#[utoipa::path(post, path = "/v1/requests", operation_id = "requestPayment", tag = "payments", request_body = NewPaymentRequest,
    params(("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 201, body = PaymentRequestView)))]
pub(super) async fn request(State(app): State<App>, key: IdempotencyKey, body: Json<NewPaymentRequest>) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::CREATED, async move |service| service.request_payment(value).await).await
}

/// One request.
#[utoipa::path(get, path = "/v1/requests/{hash}", operation_id = "showRequest", tag = "payments",
    params(("hash" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = PaymentRequestView)))]
pub(super) async fn asked(State(app): State<App>, hash: HashName) -> Result<axum::Json<PaymentRequestView>, Problem> {
    Ok(axum::Json(app.service.payment_request(hash.0).await?))
}

/// Takes a payment that is held, by its secret. The same twice is harmless.
#[utoipa::path(post, path = "/v1/requests/{hash}/release", operation_id = "releasePayment", tag = "payments", request_body = NewRelease,
    params(("hash" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = PaymentRequestView)))]
pub(super) async fn release(
    State(app): State<App>,
    hash: HashName,
    body: Json<NewRelease>,
) -> Result<axum::Json<PaymentRequestView>, Problem> {
    let bytes = hex::decode(&body.value.secret).map(Zeroizing::new).unwrap_or_default();
    let wrong = || Problem::new(Kind::Invalid, "secret: it does not open this request: its SHA-256 is another hash");
    let secret = hash.0.opened_by(&bytes).ok_or_else(wrong)?;
    Ok(axum::Json(app.service.release(secret).await?))
}

/// Gives up a request. A payment that is held for it goes back to its payer.
#[utoipa::path(delete, path = "/v1/requests/{hash}", operation_id = "giveUpRequest", tag = "payments",
    params(("hash" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = PaymentRequestView)))]
pub(super) async fn give_up(
    State(app): State<App>,
    hash: HashName,
    _: NoBody,
) -> Result<axum::Json<PaymentRequestView>, Problem> {
    Ok(axum::Json(app.service.give_up(hash.0).await?))
}

/// Whether a payment would find a way now, and at what fee. Nothing is reserved by asking.
#[utoipa::path(get, path = "/v1/routes", operation_id = "findRoutes", tag = "payments",
    params(
        ("payee" = String, Query, description = "an identity, or the alias of a known peer"),
        ("asset" = String, Query, description = "a symbol, or `ethereum:0x…`"),
        ("amount" = String, Query, description = "how much is to arrive, in smallest units")),
    responses((status = 200, body = RouteView)))]
pub(super) async fn routes(State(app): State<App>, query: Asked<RouteQuery>) -> Result<axum::Json<RouteView>, Problem> {
    let query = query.0;
    let checked = check_peer(&query.payee).and_then(|()| check_asset("asset", &query.asset));
    checked.map_err(|detail| Problem::new(Kind::Malformed, detail))?;
    if query.amount.is_zero() {
        return Err(Problem::new(Kind::Malformed, "amount: nothing is no amount"));
    }
    Ok(axum::Json(app.service.routes(query).await?))
}

impl Check for NewPayment {
    fn check(&self) -> Result<(), String> {
        match (&self.payee, &self.request) {
            (Some(payee), None) => {
                check_peer(payee)?;
                if self.pay.is_none() {
                    return Err("pay: say what and how much arrives".to_owned());
                }
                let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
                if !self.id.as_deref().is_some_and(|id| bounded(id, 32..=32, hex)) {
                    return Err("id: a payment's id is 32 lower-case hex digits of your choice".to_owned());
                }
            }
            (None, Some(request)) => {
                if self.id.is_some() {
                    return Err("id: a request brings its own: leave it out".to_owned());
                }
                if !bounded(request, 1..=MOST_REQUEST_CHARS, |c| c.is_ascii_graphic()) {
                    return Err("request: a payment request, as its payee gave it".to_owned());
                }
                if self.secret_hash.is_some() {
                    return Err("secret_hash: a request has one already: leave it out".to_owned());
                }
            }
            (Some(_), Some(_)) | (None, None) => return Err("name one of payee and request".to_owned()),
        }
        self.pay.as_ref().map_or(Ok(()), |pay| check_amount("pay", pay))?;
        check_line("memo", self.memo.as_deref(), MOST_NOTE_BYTES)
    }
}

impl Check for NewBatch {
    fn check(&self) -> Result<(), String> {
        if !(1..=MOST_BATCH).contains(&self.payments.len()) {
            return Err(format!("payments: 1 to {MOST_BATCH} of them"));
        }
        let mut ids = BTreeSet::new();
        for (place, payment) in self.payments.iter().enumerate() {
            payment.check().map_err(|detail| format!("payments[{place}]: {detail}"))?;
            if !ids.insert(payment.id.as_ref().or(payment.request.as_ref())) {
                return Err(format!("payments[{place}]: its id or request stands twice in this batch"));
            }
        }
        Ok(())
    }
}

impl Check for NewPaymentRequest {
    fn check(&self) -> Result<(), String> {
        check_asset("asset", &self.asset)?;
        if self.amount.is_zero() {
            return Err("amount: nothing is no amount".to_owned());
        }
        if !(10..=2_592_000).contains(&self.valid_secs) {
            return Err("valid_secs: a request stands for 10 to 2592000 seconds (thirty days)".to_owned());
        }
        check_line("memo", self.memo.as_deref(), photon_channel::MOST_MEMO)
    }
}

impl Check for NewRelease {
    fn check(&self) -> Result<(), String> {
        if bounded(&self.secret, 64..=64, |c| c.is_ascii_hexdigit()) {
            return Ok(());
        }
        Err("secret: 64 hex digits".to_owned())
    }
}

fn check_line(field: &str, line: Option<&str>, most: usize) -> Result<(), String> {
    match line {
        Some(line) if line.len() > most || line.chars().any(char::is_control) => {
            Err(format!("{field}: at most {most} bytes of plain text on one line"))
        }
        Some(_) | None => Ok(()),
    }
}
