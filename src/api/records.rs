//! `/v1/swaps/{id}/receipt` and `/v1/statements`: what happened, for the books.

use super::params::{Asked, Id};
use super::problem::{Kind, Problem};
use super::server::App;
use crate::service::{ReceiptView, StatementLine, StatementPage, StatementQuery};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// A receipt for a swap that has ended: who gave and got what, in which transactions, signed by this node's identity.
#[utoipa::path(get, path = "/v1/swaps/{id}/receipt", operation_id = "showReceipt", tag = "swaps",
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = ReceiptView)))]
pub(super) async fn receipt(State(app): State<App>, id: Id) -> Result<axum::Json<ReceiptView>, Problem> {
    Ok(axum::Json(app.service.receipt(&id.0).await?))
}

/// Swaps that ended in a time, oldest first, with fees. As CSV (RFC 4180) with `format=csv`; then the `Photon-Next` header is what
/// `next` is in JSON.
#[utoipa::path(get, path = "/v1/statements", operation_id = "listStatement", tag = "swaps",
    params(
        ("from" = Option<u64>, Query, description = "ended at or after, unix seconds; 0 if not said"),
        ("until" = Option<u64>, Query, description = "ended before, unix seconds; no end if not said"),
        ("limit" = Option<u32>, Query, description = "at most so many, 1 to 500; 100 if not said"),
        ("after" = Option<u64>, Query, description = "the `next` of the page before"),
        ("format" = Option<String>, Query, description = "`json` (the default) or `csv`")),
    responses((status = 200, content((StatementPage = "application/json"), (String = "text/csv")))))]
pub(super) async fn statement(State(app): State<App>, query: Asked<StatementQuery>) -> Result<Response, Problem> {
    let query = query.0;
    if query.limit.is_some_and(|limit| !(1..=500).contains(&limit)) {
        return Err(Problem::new(Kind::Malformed, "limit is 1 to 500"));
    }
    let is_csv = match query.format.as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Problem::new(Kind::Malformed, "format is json or csv")),
    };
    let page = app.service.statement(query).await?;
    if !is_csv {
        return Ok(axum::Json(page).into_response());
    }
    let next = page.next.map(|next| ("photon-next", next.to_string()));
    let mut response = ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv(&page)).into_response();
    if let Some((name, value)) = next
        && let Ok(value) = value.parse()
    {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

const COLUMNS: &str =
    "ended_at,swap,peer,role,outcome,gave_asset,gave_amount,got_asset,got_amount,fee_ledger_1,fee_1,fee_ledger_2,fee_2";

/// Every cell is made of letters, digits and `.:_-`, so none needs quoting and none is a formula.
fn csv(page: &StatementPage) -> String {
    let mut text = format!("{COLUMNS}\r\n");
    for line in &page.lines {
        text.push_str(&cells(line).map(|cell| plain(&cell)).join(","));
        text.push_str("\r\n");
    }
    text
}

fn cells(line: &StatementLine) -> [String; 13] {
    let fee = |number: usize| {
        line.fees.get(number).map_or((String::new(), String::new()), |fee| (fee.asset.clone(), fee.amount.to_string()))
    };
    let ((first, fee_first), (second, fee_second)) = (fee(0), fee(1));
    [
        line.ended_at.to_string(),
        line.swap.clone(),
        line.peer.to_string(),
        line.role.clone(),
        line.outcome.clone(),
        line.gave.asset.clone(),
        line.gave.amount.to_string(),
        line.got.asset.clone(),
        line.got.amount.to_string(),
        first,
        fee_first,
        second,
        fee_second,
    ]
}

fn plain(cell: &str) -> String {
    cell.chars().filter(|c| c.is_ascii_alphanumeric() || ".:_".contains(*c)).collect()
}
