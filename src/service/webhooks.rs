//! Webhooks, as the API shows them.

use photon_chains::UnixTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A wish to be told what happens.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// `https://` to a public address, at most 512 characters.
    #[schema(example = "https://exchange.example/photon")]
    pub url: String,
    /// What signs the posts: 32 to 128 visible characters of your choice, kept sealed and never shown again.
    pub secret: String,
    /// Which kinds of events: `swap`, `offer`, `send`, `channel`, `payment`, `alert`, `approval`; all if left out or empty.
    #[serde(default)]
    pub kinds: Vec<String>,
}

impl std::fmt::Debug for NewWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewWebhook").field("url", &self.url).field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// Its id, 64 hex digits.
    pub id: String,
    /// Where to.
    pub url: String,
    /// Which kinds of events; all if empty.
    pub kinds: Vec<String>,
    /// Everything up to that event was taken.
    pub delivered: u64,
    /// How many events it is behind the newest.
    pub behind: u64,
    /// How often in a row the next ones were not taken.
    pub failures: u32,
    /// Why, the last time.
    pub trouble: Option<String>,
    /// When it was made, unix seconds.
    #[schema(value_type = u64)]
    pub created_at: UnixTime,
}

/// From where events are posted again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayFrom {
    /// Everything after that event's number; 0 is all that the log still has.
    pub after: u64,
}
