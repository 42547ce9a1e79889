//! Who answers what peers ask.

use async_trait::async_trait;
use photon_chains::Address;
use serde_json::Value;
use std::sync::Arc;

/// What a peer asks. Its size and nesting are bounded; nothing else about it is known to be right.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerRequest {
    /// Which kind, one that [`Handler::knows`].
    pub kind: String,
    /// The rest.
    pub body: Value,
}

/// What it is told.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerReply {
    /// The answer.
    Answer(Value),
    /// No, and why, in words for its owner.
    Declined(String),
    /// We failed. It is told no more than that.
    Failed,
}

/// Several who answer, each its own kinds of request.
pub struct Together(pub Vec<Arc<dyn Handler>>);

#[async_trait]
impl Handler for Together {
    fn knows(&self, kind: &str) -> bool {
        self.0.iter().any(|handler| handler.knows(kind))
    }

    async fn handle(&self, from: Address, request: PeerRequest) -> PeerReply {
        match self.0.iter().find(|handler| handler.knows(&request.kind)) {
            Some(handler) => handler.handle(from, request).await,
            None => PeerReply::Failed,
        }
    }
}

/// Answers peers. A call runs to its end also when the peer hangs up or the node shuts down, so it never stops halfway.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Is there such a kind of request? All others are refused before they get here.
    fn knows(&self, kind: &str) -> bool;

    /// Answers one request; `from` has proven its identity. The same request may come twice.
    async fn handle(&self, from: Address, request: PeerRequest) -> PeerReply;
}

/// Answers nothing: for who only talks about channels.
pub struct Silent;

#[async_trait]
impl Handler for Silent {
    fn knows(&self, _kind: &str) -> bool {
        false
    }

    async fn handle(&self, _from: Address, _request: PeerRequest) -> PeerReply {
        PeerReply::Failed
    }
}
