//! What an answer says when the thing was not done (RFC 9457, `application/problem+json`).

use crate::service::ServiceError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not done, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Which kind of problem, for programs: `urn:photon:problem:` and a word that stays the same.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what to do.
    pub detail: String,
}

/// The kinds of problems: the one list of their words, titles and statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Malformed,
    Unauthenticated,
    Forbidden,
    ForeignPage,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    Refused,
    Unfinished,
    TooLarge,
    NotJson,
    Invalid,
    KeyReused,
    Internal,
    TooOften,
    Busy,
    Unavailable,
    StillRunning,
}

impl Kind {
    const fn row(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Kind::Malformed => ("malformed", "The request can't be read", StatusCode::BAD_REQUEST),
            Kind::Unauthenticated => ("unauthenticated", "A token is needed", StatusCode::UNAUTHORIZED),
            Kind::Forbidden => ("forbidden", "The token does not allow this", StatusCode::FORBIDDEN),
            Kind::ForeignPage => ("foreign-page", "Not from there", StatusCode::FORBIDDEN),
            Kind::NotFound => ("not-found", "There is no such thing", StatusCode::NOT_FOUND),
            Kind::MethodNotAllowed => ("method-not-allowed", "Not with this method", StatusCode::METHOD_NOT_ALLOWED),
            Kind::RequestTimeout => ("request-timeout", "The request came too slowly", StatusCode::REQUEST_TIMEOUT),
            Kind::Conflict => ("conflict", "Not in the present state", StatusCode::CONFLICT),
            Kind::Refused => ("refused", "Refused", StatusCode::CONFLICT),
            Kind::Unfinished => ("unfinished", "Begun before, and its end is not known", StatusCode::CONFLICT),
            Kind::TooLarge => ("too-large", "The request is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Kind::NotJson => ("not-json", "Only JSON is read", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Kind::Invalid => ("invalid", "The request can't be right", StatusCode::UNPROCESSABLE_ENTITY),
            Kind::KeyReused => ("key-reused", "The key belongs to another request", StatusCode::UNPROCESSABLE_ENTITY),
            Kind::Internal => ("internal", "The node failed", StatusCode::INTERNAL_SERVER_ERROR),
            Kind::TooOften => ("too-often", "Too many requests", StatusCode::TOO_MANY_REQUESTS),
            Kind::Busy => ("busy", "Too much at once", StatusCode::SERVICE_UNAVAILABLE),
            Kind::Unavailable => ("unavailable", "Not now", StatusCode::SERVICE_UNAVAILABLE),
            Kind::StillRunning => ("still-running", "Not done yet", StatusCode::GATEWAY_TIMEOUT),
        }
    }
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (word, title, status) = kind.row();
        Self {
            kind: format!("urn:photon:problem:{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }

    /// As a stored answer's body.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Invalid(detail) => Self::new(Kind::Invalid, detail),
            ServiceError::NotFound(detail) => Self::new(Kind::NotFound, detail),
            ServiceError::Conflict(detail) => Self::new(Kind::Conflict, detail),
            ServiceError::Refused(detail) => Self::new(Kind::Refused, detail),
            ServiceError::Unavailable(detail) => Self::new(Kind::Unavailable, detail),
            // Its text is for the operator: it may name files of this machine.
            ServiceError::Internal(detail) => {
                tracing::error!(target: "photon::api", detail, "internal error");
                Self::new(Kind::Internal, "nothing was done; the node's log says why")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        json_response(status, self.json())
    }
}

/// An answer whose body is already JSON; problems get their own content type.
pub(super) fn json_response(status: StatusCode, body: String) -> Response {
    let failed = status.is_client_error() || status.is_server_error();
    let kind = if failed { "application/problem+json" } else { "application/json" };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
