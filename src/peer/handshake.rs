//! Who is there: Noise XX, with a proof of identity in each side's encrypted payload.
//!
//! Every message has a fixed size, so a stranger can't make us read more than 197 bytes before it is known.

use super::error::{PeerError, Unreached};
use super::proof::{self, PROOF};
use crate::config::Network;
use crate::keys::{SubKey, Wallet};
use photon_chains::{Address, PublicKey};
use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::{Builder, HandshakeState, StatelessTransportState};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The version of everything between peers.
pub(super) const VERSION: u8 = 1;

const NOISE: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";
const MAGIC: &[u8; 6] = b"photon";
const PREAMBLE: usize = 8;
const KEY: usize = 32;
const TAG: usize = 16;
/// e, and an empty payload in clear.
const FIRST: usize = KEY;
/// e, the encrypted s, the encrypted proof.
const SECOND: usize = KEY + KEY + TAG + PROOF + TAG;
/// The encrypted s, the encrypted proof.
const THIRD: usize = KEY + TAG + PROOF + TAG;

/// Which side of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialer,
    Listener,
}

impl Role {
    pub const fn name(self) -> &'static str {
        match self {
            Role::Dialer => "dialer",
            Role::Listener => "listener",
        }
    }
}

/// Our identity, and the Noise key that speaks for it.
pub(super) struct Ourselves {
    wallet: Arc<Wallet>,
    noise_private: SubKey,
    noise_public: [u8; KEY],
}

impl Ourselves {
    pub fn new(wallet: Arc<Wallet>) -> Self {
        let noise_private = wallet.noise_static();
        let mut noise_public = [0; KEY];
        // The resolver always has this curve: the pattern's name above names it, and the build has no other.
        if let Some(mut curve) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
            curve.set(noise_private.expose());
            noise_public.iter_mut().zip(curve.pubkey()).for_each(|(to, from)| *to = *from);
        }
        Self { wallet, noise_private, noise_public }
    }

    pub fn identity(&self) -> Address {
        self.wallet.identity_address()
    }

    fn network(&self) -> Network {
        self.wallet.network()
    }

    fn preamble(&self) -> [u8; PREAMBLE] {
        let [a, b, c, d, e, f] = *MAGIC;
        let network = match self.network() {
            Network::Mainnet => 0,
            Network::Testnet => 1,
            Network::Regtest => 2,
        };
        [a, b, c, d, e, f, VERSION, network]
    }

    fn builder(&self, prologue: &[u8; PREAMBLE], role: Role) -> Result<HandshakeState, PeerError> {
        let failed = |_| HANDSHAKE;
        let builder = Builder::new(NOISE.parse().map_err(failed)?)
            .local_private_key(self.noise_private.expose())
            .and_then(|builder| builder.prologue(prologue))
            .map_err(failed)?;
        match role {
            Role::Dialer => builder.build_initiator(),
            Role::Listener => builder.build_responder(),
        }
        .map_err(failed)
    }

    fn prove(&self, noise: &HandshakeState, role: Role) -> Result<[u8; PROOF], PeerError> {
        Ok(proof::prove(&self.wallet, role, &transcript(noise)?, &self.noise_public))
    }
}

const HANDSHAKE: PeerError = PeerError::Unreachable(Unreached::Handshake);

/// A connection whose other end is known.
pub(super) struct Session {
    pub peer: Address,
    pub key: PublicKey,
    pub noise: StatelessTransportState,
}

/// Everything both sides have said so far, hashed.
fn transcript(noise: &HandshakeState) -> Result<[u8; 32], PeerError> {
    noise.get_handshake_hash().try_into().map_err(|_| HANDSHAKE)
}

/// What the other side's preamble means to us.
fn check_preamble(theirs: &[u8; PREAMBLE], ours: &[u8; PREAMBLE]) -> Result<(), PeerError> {
    let ([theirs @ .., version, network], [ours @ .., our_version, our_network]) = (theirs, ours);
    match () {
        () if theirs != ours => Err(HANDSHAKE),
        () if version != our_version => Err(PeerError::OtherVersion { found: *version }),
        () if network != our_network => Err(PeerError::OtherNetwork),
        () => Ok(()),
    }
}

/// The dialer's side. It names itself only once the other has proven to be `expected`.
pub(super) async fn dial<S>(stream: &mut S, ourselves: &Ourselves, expected: Address) -> Result<Session, PeerError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let preamble = ourselves.preamble();
    let mut noise = ourselves.builder(&preamble, Role::Dialer)?;
    let first: [u8; FIRST] = write(&mut noise, &[])?;
    stream.write_all(&preamble).await.map_err(|_| HANDSHAKE)?;
    stream.write_all(&first).await.map_err(|_| HANDSHAKE)?;
    let before = transcript(&noise)?;

    check_preamble(&receive(stream).await?, &preamble)?;
    let payload = read::<SECOND>(&mut noise, &receive(stream).await?)?;
    let (peer, key) = whose(&noise, ourselves, Role::Listener, &before, &payload)?;
    if peer == ourselves.identity() {
        return Err(PeerError::OurselvesThere);
    }
    if peer != expected {
        return Err(PeerError::OtherIdentity { found: peer });
    }

    let proof = ourselves.prove(&noise, Role::Dialer)?;
    let third: [u8; THIRD] = write(&mut noise, &proof)?;
    stream.write_all(&third).await.map_err(|_| HANDSHAKE)?;
    finish(noise, peer, key)
}

/// The listener's side.
pub(super) async fn answer<S>(stream: &mut S, ourselves: &Ourselves) -> Result<Session, PeerError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let preamble = ourselves.preamble();
    let theirs = receive(stream).await?;
    let checked = check_preamble(&theirs, &preamble);
    if checked == Err(HANDSHAKE) {
        return Err(HANDSHAKE);
    }
    // Whoever speaks our protocol learns why it does not fit. What it sent is read first: closing a socket with unread bytes
    // in it would take the answer back.
    let first: [u8; FIRST] = receive(stream).await?;
    stream.write_all(&preamble).await.map_err(|_| HANDSHAKE)?;
    checked?;

    let mut noise = ourselves.builder(&preamble, Role::Listener)?;
    read::<FIRST>(&mut noise, &first)?;
    let proof = ourselves.prove(&noise, Role::Listener)?;
    let second: [u8; SECOND] = write(&mut noise, &proof)?;
    stream.write_all(&second).await.map_err(|_| HANDSHAKE)?;
    let before = transcript(&noise)?;

    let payload = read::<THIRD>(&mut noise, &receive(stream).await?)?;
    let (peer, key) = whose(&noise, ourselves, Role::Dialer, &before, &payload)?;
    if peer == ourselves.identity() {
        return Err(PeerError::OurselvesThere);
    }
    finish(noise, peer, key)
}

/// Checks the proof that came with the other side's Noise key; `before` is the transcript it was made over.
fn whose(
    noise: &HandshakeState,
    ourselves: &Ourselves,
    role: Role,
    before: &[u8; 32],
    payload: &[u8],
) -> Result<(Address, PublicKey), PeerError> {
    let key = noise.get_remote_static().and_then(|key| key.try_into().ok()).ok_or(HANDSHAKE)?;
    let payload = payload.try_into().map_err(|_| HANDSHAKE)?;
    proof::check(payload, ourselves.network(), role, before, key).ok_or(HANDSHAKE)
}

fn finish(noise: HandshakeState, peer: Address, key: PublicKey) -> Result<Session, PeerError> {
    Ok(Session { peer, key, noise: noise.into_stateless_transport_mode().map_err(|_| HANDSHAKE)? })
}

fn write<const N: usize>(noise: &mut HandshakeState, payload: &[u8]) -> Result<[u8; N], PeerError> {
    // Noise wants room for a tag also where there is none.
    let mut buffer = [0; SECOND + TAG];
    let written = noise.write_message(payload, &mut buffer).map_err(|_| HANDSHAKE)?;
    buffer.get(..written).and_then(|message| message.try_into().ok()).ok_or(HANDSHAKE)
}

fn read<const N: usize>(noise: &mut HandshakeState, message: &[u8; N]) -> Result<Vec<u8>, PeerError> {
    let mut payload = vec![0; SECOND];
    let length = noise.read_message(message, &mut payload).map_err(|_| HANDSHAKE)?;
    payload.truncate(length);
    Ok(payload)
}

async fn receive<S: AsyncRead + Unpin, const N: usize>(stream: &mut S) -> Result<[u8; N], PeerError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(|_| HANDSHAKE)?;
    Ok(bytes)
}
