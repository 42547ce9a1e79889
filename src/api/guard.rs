//! What every request passes first: where it comes from, who asks, whether there is room; and the access log.

use super::problem::{Kind, Problem};
use super::server::App;
use super::tokens::{Scope, Scopes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Instant;

/// A path's template, for the log: it holds no id.
#[derive(Clone, Copy)]
pub(super) struct RouteName(pub &'static str);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer but for what is left of a body.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let id = request_id(request.headers());
    let mut response = answer(&app, request, next).await;
    seal(response.headers_mut());
    let request_id = id.to_str().unwrap_or_default().to_owned();
    response.headers_mut().insert(REQUEST_ID, id);
    let route = response.extensions().get::<RouteName>().map_or("-", |name| name.0);
    let (status, millis) = (response.status().as_u16(), begun.elapsed().as_millis());
    // The template and no more: headers hold tokens, queries and bodies hold what people mistype.
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    if method == Method::GET && status < 400 {
        // Programs look many times a second; what changes nothing and went well is for those who look closely.
        tracing::debug!(target: "photon::api", %method, route, status, millis, request_id, "request");
    } else {
        tracing::info!(target: "photon::api", %method, route, status, millis, request_id, "request");
    }
    metrics::counter!("photon_http_requests_total", "route" => route, "status" => status.to_string()).increment(1);
    response
}

async fn answer(app: &App, mut request: Request, next: Next) -> Response {
    let scopes = match admit(app, &request) {
        Ok(scopes) => scopes,
        Err(problem) => return with_challenge(problem),
    };
    request.extensions_mut().insert(scopes);
    let Ok(_room) = app.running.try_acquire() else {
        return Problem::new(Kind::Busy, "too many requests at once: try again in a moment").into_response();
    };
    match tokio::time::timeout(app.limits.answer_within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            Kind::StillRunning,
            "this takes longer than expected; a creating request goes on: send it again with the same Idempotency-Key to \
             get its answer",
        )
        .into_response(),
    }
}

fn admit(app: &App, request: &Request) -> Result<Scopes, Problem> {
    let headers = request.headers();
    check_host(app, request)?;
    check_origin(app, headers)?;
    let needed = || Problem::new(Kind::Unauthenticated, "send Authorization: Bearer and a token from the node's token file");
    let value = single(headers, &header::AUTHORIZATION).ok_or_else(needed)?;
    let (scheme, token) = value.split_once(' ').ok_or_else(needed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(needed());
    }
    let token = token.trim().as_bytes();
    let scopes = app.tokens.grant(token).ok_or_else(needed)?;
    if !app.rates.take(app.tokens.number_of(token), Instant::now()) {
        return Err(Problem::new(Kind::TooOften, "this token asks too often: wait a second"));
    }
    Ok(scopes)
}

/// A name for a request, by which both sides find it in their logs: the caller's own if it gave a good one, else a fresh one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(&REQUEST_ID).filter(|value| {
        (1..=64).contains(&value.len()) && value.as_bytes().iter().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(c))
    });
    let mut bytes = [0; 12];
    // Without random bytes it is a poorer name, and nothing else.
    let _ = getrandom::fill(&mut bytes);
    given.cloned().unwrap_or_else(|| HeaderValue::from_str(&hex::encode(bytes)).unwrap_or(HeaderValue::from_static("-")))
}

fn with_challenge(problem: Problem) -> Response {
    let unauthenticated = problem.status == 401;
    let mut response = problem.into_response();
    if unauthenticated {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A header that must stand there once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// A name that someone else's DNS points at us is not one of ours: so a page there can't become our own.
fn check_host(app: &App, request: &Request) -> Result<(), Problem> {
    let host = single(request.headers(), &header::HOST);
    let named = request.uri().authority().map(|authority| authority.as_str());
    match host {
        Some(host) if app.hosts.allow(host) && named.is_none_or(|named| app.hosts.allow(named)) => Ok(()),
        Some(_) => Err(Problem::new(
            Kind::ForeignPage,
            "this node is not called by that name: use a loopback address, or put the name into allowed_hosts of [api]",
        )),
        None => Err(Problem::new(Kind::Malformed, "send one Host header")),
    }
}

/// Only browsers send an origin, and only for another site's page (or a page of ours, which there is none).
fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get(header::ORIGIN).is_none() {
        return Ok(());
    }
    match single(headers, &header::ORIGIN) {
        Some(origin) if app.origins.iter().any(|allowed| allowed == origin) => Ok(()),
        Some(_) | None => Err(Problem::new(Kind::ForeignPage, "web pages may not call this node")),
    }
}

/// The names by which we may be called.
#[derive(Debug, Clone)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    pub(super) fn new(more: Vec<String>) -> Self {
        Self(more.into_iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    /// The port is of no matter unless the list names one: a tunnel may change it, a foreign page can't use it.
    fn allow(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let Some(name) = without_port(&host) else { return false };
        matches!(name, "localhost" | "127.0.0.1" | "[::1]") || self.0.iter().any(|known| *known == host || known == name)
    }
}

fn without_port(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, rest) = host.split_at_checked(end)?;
    let port = rest.strip_prefix(':').unwrap_or(rest);
    (port.len() <= 5 && port.bytes().all(|c| c.is_ascii_digit())).then_some(name)
}

/// No browser is to keep, guess or frame anything of ours.
fn seal(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
}

/// Lets through only a token with that scope.
pub(super) async fn need_scope(scope: Scope, request: Request, next: Next) -> Response {
    if request.extensions().get::<Scopes>().is_some_and(|scopes| scopes.allow(scope)) {
        return next.run(request).await;
    }
    let detail = format!("this needs a token with the scope `{}`", scope.name());
    Problem::new(Kind::Forbidden, detail).into_response()
}

/// Tells the log which route answered.
pub(super) async fn name_route(name: RouteName, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(name);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_answered() {
        let hosts = Hosts::new(vec!["Node.example".to_owned(), "proxy:8443".to_owned()]);
        for good in ["localhost", "LOCALHOST:1", "127.0.0.1:7708", "[::1]:7708", "node.example:5", "proxy:8443"] {
            assert!(hosts.allow(good), "{good}");
        }
        let foreign = ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "proxy", "proxy:1", "::1"];
        let twisted = ["localhost:80@evil", "localhost:1:2", "[::1]evil", "[::1", "0.0.0.0", "node.example.", "127.0.0.1:x"];
        for bad in foreign.into_iter().chain(twisted) {
            assert!(!hosts.allow(bad), "{bad}");
        }
    }
}
