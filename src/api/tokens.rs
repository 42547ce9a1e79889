//! Who may ask for what: bearer tokens, each with its scopes.
//!
//! The token file has one token a line, then its scopes: `photon_… read,trade`. In memory only hashes are kept.

use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

const MAX_FILE_BYTES: u64 = 64 * 1024;
const MAX_TOKENS: usize = 256;
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 32..=256;

/// What a token may allow. None implies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// See pairs, ask for quotes and terms: nothing is bound by that.
    Quote,
    /// See everything: offers, swaps, balances, peers, health, metrics, events.
    Read,
    /// Make and cancel offers, take a peer's offer, accept terms, ask for an address.
    Trade,
    /// Pay from the wallet.
    Withdraw,
    /// Change whom we know: peers and their names.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 5] = [Scope::Read, Scope::Quote, Scope::Trade, Scope::Withdraw, Scope::Admin];

    /// Its word in the token file.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Quote => "quote",
            Scope::Trade => "trade",
            Scope::Withdraw => "withdraw",
            Scope::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Scope::Read => 1,
            Scope::Trade => 2,
            Scope::Withdraw => 4,
            Scope::Admin => 8,
            Scope::Quote => 16,
        }
    }
}

/// The scopes of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Everything.
    pub const ALL: Scopes = Scopes(31);

    /// True if this is one of them.
    pub const fn allow(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Scopes(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl FromStr for Scopes {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let find = |word| Scope::ALL.into_iter().find(|scope| scope.name() == word).ok_or(());
        text.split(',').map(find).collect()
    }
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file can't be read or written.
    #[error("token file {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others could read it.
    #[error("token file {0} can be read by others: run `chmod 600` on it, and make new tokens if someone may have")]
    Exposed(PathBuf),
    /// A line that is not a token with its scopes. The line itself is not shown.
    #[error(
        "token file {path}, line {line}: write a token of 32 to 256 letters, digits, `-` or `_`, a space, and its scopes \
         out of read,quote,trade,withdraw,admin; no token twice"
    )]
    BadLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// Larger than any list of tokens.
    #[error("token file {0} is too large: at most {MAX_TOKENS} tokens")]
    TooLarge(PathBuf),
    /// No token in it.
    #[error("token file {0} holds no token")]
    Empty(PathBuf),
    /// The system gave no randomness.
    #[error("the system gave no random bytes for a token")]
    NoRandomness,
}

/// The tokens that a server accepts, as hashes.
#[derive(Clone)]
pub struct Tokens {
    known: Vec<([u8; 32], Scopes)>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({} hidden)", self.known.len())
    }
}

impl Tokens {
    /// Reads a token file. Refuses one that others may read.
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let known = read_lines(path)?.into_iter().map(|(token, scopes)| (hash(token.as_bytes()), scopes)).collect();
        Ok(Self { known })
    }

    /// Writes a new token file, for its owner's eyes only, with one fresh token for everything. Never overwrites one.
    pub fn create_file(path: &Path) -> Result<Self, TokenError> {
        let io = |source| TokenError::Io { path: path.to_owned(), source };
        let mut bytes = Zeroizing::new([0u8; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| TokenError::NoRandomness)?;
        let token = Zeroizing::new(format!("photon_{}", Zeroizing::new(hex::encode(*bytes)).as_str()));
        let text = Zeroizing::new(format!(
            "# Tokens of the HTTP API: one a line, then its scopes out of read,quote,trade,withdraw,admin.\n\
             # Whoever holds one can do what its scopes say. Restart the node after a change.\n\
             {} read,quote,trade,withdraw,admin\n",
            token.as_str()
        ));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        Ok(Self { known: vec![(hash(token.as_bytes()), Scopes::ALL)] })
    }

    /// What this token allows, if it is one of ours. Takes the same time whichever it is.
    pub(super) fn grant(&self, presented: &[u8]) -> Option<Scopes> {
        let presented = hash(presented);
        let mut bits = 0u8;
        for (known, scopes) in &self.known {
            bits.conditional_assign(&scopes.0, known.ct_eq(&presented));
        }
        (bits != 0).then_some(Scopes(bits))
    }
}

impl Tokens {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Which of ours a token is, in the order of the file. Takes the same time whichever it is.
    pub(super) fn number_of(&self, presented: &[u8]) -> usize {
        let presented = hash(presented);
        let mut number = u32::MAX;
        for (at, (known, _)) in (0u32..).zip(&self.known) {
            number.conditional_assign(&at, known.ct_eq(&presented));
        }
        number as usize
    }
}

/// The first token in the file that has this scope, else its first token: for a client that asks a server.
pub fn read_token(path: &Path, scope: Scope) -> Result<Zeroizing<String>, TokenError> {
    let mut lines = read_lines(path)?;
    let fit = lines.iter().position(|(_, scopes)| scopes.allow(scope)).unwrap_or(0);
    Ok(lines.swap_remove(fit).0)
}

fn hash(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// At least one token, or an error.
fn read_lines(path: &Path) -> Result<Vec<(Zeroizing<String>, Scopes)>, TokenError> {
    let io = |source| TokenError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    // Of the open file, so that it can't be exchanged in between.
    let metadata = file.metadata().map_err(io)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(TokenError::Exposed(path.to_owned()));
    }
    // The room is taken at once, so that growing leaves no stray copy behind.
    let room = usize::try_from(metadata.len().min(MAX_FILE_BYTES)).unwrap_or_default() + 2;
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(io)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(TokenError::TooLarge(path.to_owned()));
    }
    let mut tokens: Vec<(Zeroizing<String>, Scopes)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = || TokenError::BadLine { path: path.to_owned(), line: number + 1 };
        let (token, scopes) = parse_line(line).ok_or_else(bad)?;
        if tokens.iter().any(|(known, _)| known.as_str() == token.as_str()) {
            return Err(bad());
        }
        if tokens.len() == MAX_TOKENS {
            return Err(TokenError::TooLarge(path.to_owned()));
        }
        tokens.push((token, scopes));
    }
    if tokens.is_empty() { Err(TokenError::Empty(path.to_owned())) } else { Ok(tokens) }
}

fn parse_line(line: &str) -> Option<(Zeroizing<String>, Scopes)> {
    let mut words = line.split_ascii_whitespace();
    let (token, scopes) = (words.next()?, words.next()?.parse().ok()?);
    let plain = token.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
    (words.next().is_none() && plain && TOKEN_CHARS.contains(&token.len())).then(|| (Zeroizing::new(token.to_owned()), scopes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_new_file_is_private_and_its_token_works_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let made = Tokens::create_file(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let token = read_token(&path, Scope::Admin).unwrap();
        assert_eq!(token.len(), 7 + 64);
        for tokens in [made, Tokens::from_file(&path).unwrap()] {
            assert_eq!(tokens.grant(token.as_bytes()), Some(Scopes::ALL));
            assert_eq!(tokens.grant(b""), None);
            assert!(!format!("{tokens:?}").contains(token.as_str()));
        }
        assert!(matches!(Tokens::create_file(&path), Err(TokenError::Io { .. })));
        assert_eq!(read_token(&path, Scope::Read).unwrap(), token);
    }

    #[test]
    fn each_token_has_its_own_scopes_and_a_client_takes_the_one_that_fits() {
        let (one, two) = ("a".repeat(32), "b".repeat(40));
        let (_folder, path) = written(&format!("# mine\n\n{one} read\n{two} trade,withdraw\n"), 0o600);
        let tokens = Tokens::from_file(&path).unwrap();
        let first = tokens.grant(one.as_bytes()).unwrap();
        assert!(first.allow(Scope::Read) && !first.allow(Scope::Trade) && !first.allow(Scope::Admin));
        let second = tokens.grant(two.as_bytes()).unwrap();
        assert!(second.allow(Scope::Trade) && second.allow(Scope::Withdraw) && !second.allow(Scope::Read));
        assert_eq!(read_token(&path, Scope::Withdraw).unwrap().as_str(), two);
        assert_eq!(read_token(&path, Scope::Admin).unwrap().as_str(), one);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        for mode in [0o640, 0o604, 0o660, 0o622] {
            let (_folder, path) = written(&format!("{} read\n", "a".repeat(32)), mode);
            assert!(matches!(Tokens::from_file(&path), Err(TokenError::Exposed(_))), "{mode:o}");
        }
    }

    #[test]
    fn wrong_lines_are_named_by_number_and_never_shown() {
        let good = "a".repeat(32);
        for bad in [
            good.clone(),
            format!("{good} root"),
            format!("{good} read, trade"),
            format!("{good} "),
            format!("{} read", "s3cret"),
            format!("{} read", "a".repeat(257)),
            format!("{}! read", good),
            format!("{good} read\n{good} trade"),
        ] {
            let (_folder, path) = written(&bad, 0o600);
            let error = Tokens::from_file(&path).unwrap_err();
            assert!(matches!(error, TokenError::BadLine { .. }), "{bad}: {error}");
            assert!(!error.to_string().contains(&good) && !error.to_string().contains("s3cret"));
        }
        let (_folder, path) = written("# none\n", 0o600);
        assert!(matches!(Tokens::from_file(&path), Err(TokenError::Empty(_))));
    }
}
