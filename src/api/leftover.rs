//! What a refused caller still sends is read and thrown away, so that it sees why it was refused.
//!
//! A connection that is closed while bytes arrive is reset, and a reset takes an answer with it that was not read yet (RFC 9112,
//! 9.6): who sends too much would be told of a broken pipe instead of what is too much.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// As much is thrown away at most; who sends on is cut off.
const MOST_BYTES: usize = 1024 * 1024;
/// For so long at most.
const WITHIN: Duration = Duration::from_secs(2);

/// A request's body, whose reader may leave before its end.
#[derive(Clone)]
struct Left(Arc<Mutex<Body>>);

impl Left {
    fn body(&self) -> MutexGuard<'_, Body> {
        // It is whole at any time: a reader that panicked has taken some of it, and no more.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Left {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

/// Answers, and begins the answer once the request has come to its end, or to a bound.
pub(super) async fn throw_away(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let left = Left(Arc::new(Mutex::new(body)));
    let response = next.run(Request::from_parts(head, Body::new(left.clone()))).await;
    // Whatever comes of it, the answer stands.
    let _ = tokio::time::timeout(WITHIN, read_out(left)).await;
    response
}

async fn read_out(mut left: Left) {
    let mut thrown = 0;
    while thrown < MOST_BYTES && !left.is_end_stream() {
        let Some(Ok(frame)) = left.frame().await else { return };
        thrown += frame.data_ref().map_or(0, Bytes::len);
    }
}
