//! What parties are asked for, over their APIs, and what they show of it.

use crate::seat::Seat;
use photon::demo::party::Party;
use photon::service::{
    AssetAmount, ChannelAmount, ChannelPage, ChannelView, Closing, NewChannel, NewClose, NewPayment, NewPaymentRequest,
    NewRelease, PaymentPage, PaymentRecord, PaymentRequestView,
};
use photon_chains::{Amount, Secret, SecretHash};
use reqwest::Method;

/// The shortest window that there is.
const WINDOW_MINUTES: u16 = 10;
/// Longer than any run.
const VALID_SECS: u64 = 3_600;

pub fn fresh<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

fn money(asset: &str, units: u128) -> AssetAmount {
    AssetAmount { asset: asset.to_owned(), amount: Amount::from_units(units), coins: None }
}

/// The channel with a peer in an asset, as a party sees it, if there is one.
pub async fn channel(of: &Seat, with: &Seat, asset: &str) -> anyhow::Result<Option<ChannelView>> {
    let page: ChannelPage = of.party.get("/v1/channels?state=all&limit=200").await?;
    Ok(page.channels.into_iter().find(|it| it.asset == asset && it.peer == with.party.identity))
}

pub async fn open(from: &Seat, with: &Seat, asset: &str, units: u128) -> anyhow::Result<ChannelView> {
    let deposit = money(asset, units);
    let new = NewChannel { peer: with.party.address(), deposit, window_minutes: Some(WINDOW_MINUTES) };
    from.party.post("/v1/channels", &new).await
}

async fn deed(of: &Party, channel: &ChannelView, deed: &str, body: &impl serde::Serialize) -> anyhow::Result<ChannelView> {
    of.post(&format!("/v1/channels/{}/{}/{deed}", channel.ledger, channel.id), body).await
}

pub async fn deposit(of: &Seat, channel: &ChannelView, units: u128) -> anyhow::Result<ChannelView> {
    deed(&of.party, channel, "deposit", &ChannelAmount { amount: Amount::from_units(units) }).await
}

pub async fn withdraw(of: &Seat, channel: &ChannelView, units: u128) -> anyhow::Result<ChannelView> {
    deed(&of.party, channel, "withdraw", &ChannelAmount { amount: Amount::from_units(units) }).await
}

pub async fn close(of: &Seat, channel: &ChannelView, how: Closing) -> anyhow::Result<ChannelView> {
    deed(&of.party, channel, "close", &NewClose { how, alone_after_secs: None }).await
}

/// A payment at once to a neighbour, under a name of its own: sent again, it is the same.
pub fn direct(to: &Seat, asset: &str, units: u128) -> NewPayment {
    let payee = Some(to.party.identity.to_string());
    NewPayment { id: Some(hex::encode(fresh::<16>())), payee, pay: Some(money(asset, units)), ..NewPayment::default() }
}

pub fn requested(request: &PaymentRequestView) -> NewPayment {
    NewPayment { request: Some(request.request.clone()), ..NewPayment::default() }
}

pub async fn pay(from: &Seat, payment: &NewPayment) -> anyhow::Result<PaymentRecord> {
    from.party.post("/v1/payments", payment).await
}

pub async fn payment(of: &Seat, id: &str) -> anyhow::Result<PaymentRecord> {
    of.party.get(&format!("/v1/payments/{id}")).await
}

/// How often, and how much, came in for a payment.
pub async fn received(by: &Seat, hash: Option<SecretHash>, id: &str) -> anyhow::Result<Vec<u128>> {
    let page: PaymentPage = by.party.get("/v1/payments?direction=received&state=paid&limit=200").await?;
    let is_it = |it: &&PaymentRecord| it.id == id || hash.is_some() && it.secret_hash == hash;
    Ok(page.payments.iter().filter(is_it).map(|it| it.pay.amount.units()).collect())
}

/// Without a body: taken back as a whole, or not at all.
pub async fn cancel(of: &Seat, id: &str) -> anyhow::Result<()> {
    bare(of, Method::POST, &format!("/v1/payments/{id}/cancel")).await
}

async fn bare(of: &Seat, method: Method, path: &str) -> anyhow::Result<()> {
    let answer = of.party.request(method, path).send().await?;
    let status = answer.status();
    anyhow::ensure!(status.is_success(), "{path}: {status}: {}", answer.text().await?);
    Ok(())
}

/// A request: for a secret of the node's own, or to be held.
pub async fn request(of: &Seat, asset: &str, units: u128, hold: Option<SecretHash>) -> anyhow::Result<PaymentRequestView> {
    if let Some(hash) = hold
        && let Ok(view) = request_of(of, hash).await
    {
        return Ok(view);
    }
    let amount = Amount::from_units(units);
    let new = NewPaymentRequest { asset: asset.to_owned(), amount, memo: None, valid_secs: VALID_SECS, secret_hash: hold };
    of.party.post("/v1/requests", &new).await
}

pub async fn request_of(of: &Seat, hash: SecretHash) -> anyhow::Result<PaymentRequestView> {
    of.party.get(&format!("/v1/requests/{hash}")).await
}

pub async fn release(of: &Seat, secret: &Secret) -> anyhow::Result<PaymentRequestView> {
    let body = NewRelease { secret: hex::encode(secret.expose()) };
    of.party.post(&format!("/v1/requests/{}/release", secret.hash()), &body).await
}

pub async fn give_up(of: &Seat, hash: SecretHash) -> anyhow::Result<()> {
    bare(of, Method::DELETE, &format!("/v1/requests/{hash}")).await
}
