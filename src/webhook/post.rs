//! One post, to an address that was checked. Of the answer only the status is read.

use super::place::{Place, PlaceError};
use crate::web::{self, Trust, WebError};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use std::time::Duration;

const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Why a post was not taken. Says nothing of what was answered: that is the other side's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PostError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Web(#[from] WebError),
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
    let site = place.site();
    let mut request = Request::post(site.path()).header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|_| WebError::Broken)?;
    // Its body is of no interest, however long it is.
    Ok(web::ask(site, &addresses, Trust::system, request).await?.status())
}
