//! Asking before each own lock: where the owner wants that, a swap funds nothing of ours until somebody has said yes.
//!
//! The question is an event (`approval`, `asked`), so webhooks carry it durably; the answer comes through the API and is a durable fact.
//! Until then the swap looks to the core as if no new risk may be taken. A no, or none in time, ends it before anything of ours is locked.

use super::{Coordinator, Live};
use crate::service::Funding;
use crate::store::{FactRow, NewEvent, StepRows, StoreError};
use photon_swap::SwapId;

/// How a swap stands with whoever must be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Nobody is asked: not wanted, funded by hand, or our lock was begun already.
    NotNeeded,
    /// Asked.
    Waiting,
    /// Yes.
    Granted,
    /// No.
    Denied,
}

impl Approval {
    /// Its word in facts, events and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Approval::NotNeeded => "not_needed",
            Approval::Waiting => "asked",
            Approval::Granted => "granted",
            Approval::Denied => "denied",
        }
    }

    /// The answer that a stored fact holds, if it is one.
    pub(crate) fn of_fact(kind: &str) -> Option<Self> {
        [Approval::Granted, Approval::Denied].into_iter().find(|answer| kind == answer.fact())
    }

    /// The kind of the stored fact that holds it.
    const fn fact(self) -> &'static str {
        match self {
            Approval::Granted => "approval_granted",
            Approval::Denied => "approval_denied",
            Approval::NotNeeded | Approval::Waiting => "",
        }
    }
}

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// Ended, or never was.
    #[error("there is no such live swap")]
    NoSuchSwap,
    /// Nobody asked, or it was answered the other way before.
    #[error("this swap is not waiting for that answer: it stands at {}", .0.word())]
    NotWaiting(Approval),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Live {
    /// True if our own lock may be funded as far as whoever must be asked is concerned.
    pub(super) fn is_approved(&self) -> bool {
        match self.approval {
            Approval::NotNeeded | Approval::Granted => true,
            Approval::Waiting | Approval::Denied => self.swap.facts.fund_intent,
        }
    }
}

impl Coordinator {
    /// How a swap stands that has no answer yet.
    pub(super) fn unanswered(&self, live: &Live) -> Approval {
        let by_hand = live.funding == Funding::Outside;
        if self.asks && !by_hand && !live.swap.facts.fund_intent { Approval::Waiting } else { Approval::NotNeeded }
    }

    /// Asks about a swap that both have signed, if it is to be asked about. Safe to repeat.
    pub async fn ask_approval(&self, id: SwapId) -> Result<(), StoreError> {
        let waits = |live: &mut Live| live.approval == Approval::Waiting && live.swap.facts.agreed;
        if self.book.edit(id, waits) == Some(true) {
            self.store.append_event(event(id, Approval::Waiting)?).await?;
        }
        Ok(())
    }

    /// Takes the answer: durable first. The same answer twice is harmless.
    pub async fn answer_approval(&self, id: SwapId, approve: bool) -> Result<Approval, ApprovalError> {
        let answer = if approve { Approval::Granted } else { Approval::Denied };
        match self.book.edit(id, |live| live.approval).ok_or(ApprovalError::NoSuchSwap)? {
            Approval::Waiting => {}
            known if known == answer => return Ok(answer),
            known => return Err(ApprovalError::NotWaiting(known)),
        }
        let fact = FactRow { kind: answer.fact().to_owned(), body: "{}".to_owned(), is_secret: false };
        let rows = StepRows { facts: vec![fact], events: vec![event(id, answer)?], ..StepRows::default() };
        match self.store.commit_step(id, rows).await {
            Ok(_) => {}
            Err(StoreError::SwapEnded) => return Err(ApprovalError::NoSuchSwap),
            Err(error) => return Err(error.into()),
        }
        self.book.edit(id, |live| live.approval = answer);
        self.is_added(id);
        Ok(answer)
    }
}

fn event(id: SwapId, state: Approval) -> Result<NewEvent, StoreError> {
    let body = serde_json::json!({ "id": id.to_string(), "state": state.word() });
    Ok(NewEvent { kind: "approval".to_owned(), swap: Some(id), body: body.to_string() })
}
