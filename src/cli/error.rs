//! Why a command was not done, in words that say what to do, and the exit code of each.

use crate::api::{Problem, TokenError};
use serde_json::{Value, json};

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// It was asked wrongly: nothing was sent.
    #[error("{0}")]
    Usage(String),
    /// There is no node to ask.
    #[error("can't reach a node at {url}: {reason}\nIs it running (`photon node`)? Another address is given with --api")]
    Unreachable {
        /// Where we looked.
        url: String,
        /// What stood in the way.
        reason: String,
    },
    /// The request went out, and no answer came back.
    #[error(
        "the node took the request, but its answer did not come back: {reason}\nIt may have been done. To learn its end, ask \
         again in the same words with --idempotency-key {key}: it is not done twice"
    )]
    Unanswered {
        /// What broke.
        reason: String,
        /// The key of the request.
        key: String,
    },
    /// No token to show.
    #[error("{0}\nA node writes its token file at `photon init`; name it with --token-file, or its folder with --datadir")]
    Token(#[from] TokenError),
    /// The node says no.
    #[error("{}", problem_text(.0))]
    Problem(Problem),
    /// What answered is no Photon node, or one of another version.
    #[error("{url} gave an answer that can't be read ({reason}): is it a Photon node of this version?")]
    Unreadable {
        /// Who answered.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else.
    #[error("{0}")]
    Failed(String),
}

fn problem_text(problem: &Problem) -> String {
    let hint = match problem.status {
        401 => "\nThe token file may belong to another node: see --token-file and --datadir",
        403 => "\nThe token file may hold another token with that scope",
        _ => "",
    };
    format!("{}: {}{hint}", problem.title.to_lowercase(), problem.detail)
}

impl CliError {
    /// 1 not done, 2 asked wrongly, 3 no node to ask.
    pub const fn exit_code(&self) -> u8 {
        match self {
            CliError::Usage(_) => 2,
            CliError::Unreachable { .. } => 3,
            CliError::Unanswered { .. }
            | CliError::Token(_)
            | CliError::Problem(_)
            | CliError::Unreadable { .. }
            | CliError::Failed(_) => 1,
        }
    }

    /// For programs: the API's own problem, or one of ours in the same shape.
    pub fn json(&self) -> Value {
        let word = match self {
            CliError::Problem(problem) => return json!({ "error": problem }),
            CliError::Usage(_) => "usage",
            CliError::Unreachable { .. } => "unreachable",
            CliError::Unanswered { .. } => "unanswered",
            CliError::Token(_) => "token",
            CliError::Unreadable { .. } => "unreadable",
            CliError::Failed(_) => "failed",
        };
        let mut error = json!({ "type": format!("urn:photon:cli:{word}"), "detail": self.to_string() });
        if let (CliError::Unanswered { key, .. }, Some(fields)) = (self, error.as_object_mut()) {
            fields.insert("idempotency_key".to_owned(), json!(key));
        }
        json!({ "error": error })
    }
}
