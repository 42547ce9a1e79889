//! What can go wrong with the store, sorted by what happens next.

use rusqlite::ErrorCode;

/// Why the store did not do it.
///
/// Three kinds: the database can't be opened (the first five); it has failed and the process must end
/// ([`StoreError::Failed`], see [`StoreError::is_fatal`]); or this one call was refused and nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the database {path} is in use by another photon process: stop that one first")]
    InUse {
        /// The database.
        path: String,
    },
    /// Written by a newer version of this program. Migrations go forward only.
    #[error("the database was written by a newer photon (schema {found}, this one knows up to {known}): use that version")]
    TooNew {
        /// Its schema.
        found: u32,
        /// The newest schema this program knows.
        known: u32,
    },
    /// A SQLite file, or a file of another kind, that photon did not make.
    #[error("{path} is not a photon database")]
    NotOurs {
        /// The file.
        path: String,
    },
    /// Sealed with the key of another wallet.
    #[error("the database belongs to another seed or another network: use those it was made with, or another folder")]
    OtherSeed,
    /// The file can't be opened or created.
    #[error("the database {path} can't be opened: {reason}")]
    Unopenable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A write, a commit or a sync failed, or the file is damaged. Whether the last writes are on disk is unknown, so nothing may
    /// be sent on top of them: the process must end, and start again when the disk is well.
    #[error("the database failed, nothing is written or sent any more: {reason}")]
    Failed {
        /// What the database said first.
        reason: String,
    },
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
    /// This secret hash was seen before, in a swap of any role and any end. A second swap with it could be redeemed with a
    /// secret that is already public.
    #[error("this secret hash was used before")]
    HashUsed,
    /// There is no such row.
    #[error("no such {0}")]
    NoSuch(&'static str),
    /// A row of that name exists and says something else.
    #[error("this {0} exists already and differs")]
    Conflict(&'static str),
    /// The swap has ended: nothing brings it back.
    #[error("the swap has ended")]
    SwapEnded,
    /// The offer was taken, cancelled, or has expired.
    #[error("the offer is not open any more")]
    OfferNotOpen,
    /// A value breaks a rule of the schema: too long, not JSON, not in range. Nothing of the call was written.
    #[error("the database refuses a value: {reason}")]
    Invalid {
        /// The rule.
        reason: String,
    },
    /// A stored row can't be read back as what it was.
    #[error("a stored {0} can't be read")]
    Unreadable(&'static str),
}

impl StoreError {
    /// True if the process must end.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, StoreError::Failed { .. } | StoreError::Closed | StoreError::Unreadable(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(cause, message) => {
                let reason = message.clone().unwrap_or_else(|| cause.to_string());
                match cause.code {
                    ErrorCode::ConstraintViolation => StoreError::Invalid { reason },
                    _ => StoreError::Failed { reason },
                }
            }
            // A value of ours does not fit: a u64 above 2^63 − 1.
            rusqlite::Error::ToSqlConversionFailure(_) => {
                StoreError::Invalid { reason: "a number does not fit 63 bits".to_owned() }
            }
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => StoreError::Unreadable("row"),
            _ => StoreError::Failed { reason: error.to_string() },
        }
    }
}
