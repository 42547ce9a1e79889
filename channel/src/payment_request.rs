//! A payment request: what a payee asks for, signed, as a short text or a QR code that a payer can be given in any way.
//!
//! `photon1…` holds where (chain, contract, token), whom, how much, by when, with which hash, what for, and, if the payee likes,
//! where its node is found and over which neighbours it is paid. The signature is of an EIP-712 type of its own in the
//! contract's domain, so that nobody else can ask in the payee's name, and no request can be taken for anything else.
//!
//! Choices rejected: *Lightning's own invoices* (BOLT 11): they name currencies and not tokens, and their amounts, expiries and
//! hints mean other things here, so a wallet of theirs would read one and pay nobody.

use crate::bech32::{self, TextError};
use crate::codec::{Malformed, Reader, Wire, put_list};
use crate::eip712::{Abi, Digest32, Domain, keccak};
use crate::key::ChannelId;
use crate::proof::Signed;
use crate::route::Edge;
use crate::sign::{KnownKey, Signature, Signer};
use crate::units::Units;
use crate::update::PaymentId;
use crate::wire_struct;
use photon_chains::{Address, SecretHash, UnixTime};

/// The word in front.
const WORD: &str = "photon";

/// This form of requests.
const VERSION: u8 = 1;

/// The longest line that says what for, in bytes.
pub const MOST_MEMO: usize = 128;

/// The longest line that says where the payee's node is, in bytes.
pub const MOST_REACH: usize = 96;

/// The most neighbours that a request names.
pub const MOST_HINTS: usize = 2;

/// Why a text is no request, or a request makes no text.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is no text of this kind: ask for it again.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Of a later version of this program.
    #[error("the request is of a later version")]
    Version,
    /// A field can't be: nothing asked for, a hash that anybody can open, a line that is too long or hides something.
    #[error("the request asks for something that can't be")]
    Content,
    /// The payee did not sign it. Nothing may be paid on it.
    #[error("the request is not signed by its payee")]
    Signature,
}

/// One line of text that a stranger may send: short, and with nothing in it that is not seen or that turns the reading around.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Line<const MOST: usize>(String);

impl<const MOST: usize> Line<MOST> {
    /// The line, if it is one.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let is_hidden = |char: char| {
            char.is_control()
                || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        (text.len() <= MOST && !text.chars().any(is_hidden)).then_some(Self(text))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MOST: usize> Wire for Line<MOST> {
    fn put(&self, out: &mut Vec<u8>) {
        u8::try_from(self.0.len()).unwrap_or(u8::MAX).put(out);
        out.extend(self.0.as_bytes());
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = usize::from(u8::get(from)?);
        let text = std::str::from_utf8(from.take(len)?).map_err(|_| Malformed)?;
        Self::new(text).ok_or(Malformed)
    }
}

/// A neighbour of the payee's, and what it takes for the last step: for payers who don't know that channel.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The channel with the payee.
    pub channel: ChannelId,
    /// The neighbour.
    pub from: Address,
    /// The most that it can carry.
    pub capacity: Units,
    /// The neighbour's fee: so much ...
    pub fee_base: Units,
    /// ... and so many millionths.
    pub fee_ppm: u32,
    /// How much later the lock before it must end.
    pub slack_secs: u32,
}
wire_struct!(Hint { channel, from, capacity, fee_base, fee_ppm, slack_secs });

impl Hint {
    /// The edge to its payee that it adds to a graph.
    pub const fn edge(&self, payee: Address) -> Edge {
        let Hint { channel, from, capacity, fee_base, fee_ppm, slack_secs } = *self;
        Edge { channel, from, to: payee, capacity, fee_base, fee_ppm, slack_secs }
    }
}

/// What a payee asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRequest {
    /// On which chain (EIP-155).
    pub chain_id: u64,
    /// In the channels of which contract.
    pub contract: Address,
    /// In which token. None: the chain's own coin.
    pub token: Option<Address>,
    /// Whom.
    pub payee: KnownKey,
    /// How much is to arrive, at least.
    pub amount: Units,
    /// With which hash.
    pub secret_hash: SecretHash,
    /// After this it is not to be paid any more.
    pub expires: UnixTime,
    /// So long from when it arrives the last lock must last, for what the payee does with it.
    pub least_secs: u32,
    /// What for.
    pub memo: Line<MOST_MEMO>,
    /// Where the payee's node is found, in the form that nodes tell each other. Empty: it does not say.
    pub reach: Line<MOST_REACH>,
    /// Neighbours of the payee's.
    pub hints: Vec<Hint>,
}

impl Wire for PaymentRequest {
    fn put(&self, out: &mut Vec<u8>) {
        VERSION.put(out);
        self.chain_id.put(out);
        self.contract.put(out);
        self.token.put(out);
        self.payee.put(out);
        self.amount.put(out);
        self.secret_hash.put(out);
        self.expires.put(out);
        self.least_secs.put(out);
        self.memo.put(out);
        self.reach.put(out);
        put_list(&self.hints, out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        if u8::get(from)? != VERSION {
            return Err(Malformed);
        }
        Ok(Self {
            chain_id: Wire::get(from)?,
            contract: Wire::get(from)?,
            token: Wire::get(from)?,
            payee: Wire::get(from)?,
            amount: Wire::get(from)?,
            secret_hash: Wire::get(from)?,
            expires: Wire::get(from)?,
            least_secs: Wire::get(from)?,
            memo: Wire::get(from)?,
            reach: Wire::get(from)?,
            hints: from.list(MOST_HINTS)?,
        })
    }
}

impl Signed for PaymentRequest {
    const TYPE: &'static str = "PaymentRequest(address payee,address token,uint96 amount,bytes32 secretHash,uint40 expires,\
                                uint32 leastSecs,string memo,string reach,bytes hints)";

    fn fields(&self, out: Abi) -> Abi {
        let mut hints = Vec::new();
        put_list(&self.hints, &mut hints);
        out.address(&self.payee.address())
            .address(&self.token.unwrap_or(Address::from_bytes([0; 20])))
            .units(self.amount)
            .word(self.secret_hash.as_bytes())
            .u64(self.expires.secs())
            .u64(u64::from(self.least_secs))
            .word(&keccak(self.memo.as_str().as_bytes()))
            .word(&keccak(self.reach.as_str().as_bytes()))
            .word(&keccak(&hints))
    }
}

impl PaymentRequest {
    /// Whether it asks for something that can be.
    fn is_sound(&self) -> bool {
        !self.amount.is_zero()
            && !self.secret_hash.is_degenerate()
            && self.hints.len() <= MOST_HINTS
            && self.expires.secs() < 1 << 40
            && self.token != Some(Address::from_bytes([0; 20]))
    }

    fn signed_digest(&self) -> Digest32 {
        self.digest(&Domain::new(self.chain_id, self.contract))
    }

    /// The text to be given to a payer. Refused where the signer is not the payee, or the request can't be.
    pub fn write(&self, payee: &Signer) -> Result<String, RequestError> {
        if !self.is_sound() {
            return Err(RequestError::Content);
        }
        if payee.known() != self.payee {
            return Err(RequestError::Signature);
        }
        let mut bytes = self.to_bytes();
        payee.sign(&self.signed_digest()).put(&mut bytes);
        bech32::write(WORD, &bytes).ok_or(RequestError::Content)
    }

    /// A request from its text, good as far as the text can tell: whether it is still to be paid, and in a token and on a chain
    /// that the payer knows, is the payer's to say.
    pub fn read(text: &str) -> Result<Self, RequestError> {
        let bytes = bech32::read(WORD, text)?;
        if bytes.first().is_some_and(|version| *version != VERSION) {
            return Err(RequestError::Version);
        }
        let (request, signature): (Self, Signature) = Wire::from_bytes(&bytes).map_err(|_| RequestError::Content)?;
        if !request.is_sound() {
            return Err(RequestError::Content);
        }
        request.payee.verify(&request.signed_digest(), &signature).map_err(|_| RequestError::Signature)?;
        Ok(request)
    }

    /// Whether it is still to be paid.
    pub fn is_open(&self, now: UnixTime) -> bool {
        now <= self.expires
    }

    /// The name of its payment: the same at every try, so that asking twice pays once.
    pub fn payment(&self) -> PaymentId {
        let [name @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *self.secret_hash.as_bytes();
        PaymentId::from_bytes(name)
    }

    /// The edges that its hints add to a graph.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        let to = self.payee.address();
        self.hints.iter().map(move |hint| hint.edge(to))
    }
}
