//! Channels and payments over them, as calls.

use super::{CliError, Client, Method, Scope};
use crate::api::{EarnedList, NeighbourList, PaymentRequestList};
use crate::service::{
    ChannelAmount, ChannelAt, ChannelPage, ChannelQuery, ChannelView, EarnedView, NeighbourView, NewChannel, NewClose,
    NewPayment, NewPaymentRequest, NewRelease, PaymentPage, PaymentQuery, PaymentRecord, PaymentRequestView, RouteQuery,
    RouteView,
};
use photon_chains::{Amount, SecretHash};
use serde::Serialize;
use serde::de::DeserializeOwned;

impl Client {
    /// A page of channels.
    pub async fn channels(&self, query: &ChannelQuery) -> Result<ChannelPage, CliError> {
        let (limit, peer) = (query.limit.map(|limit| limit.to_string()), query.peer.map(|peer| peer.to_string()));
        self.page(&["v1", "channels"], [("state", &query.state), ("peer", &peer), ("limit", &limit), ("after", &query.after)])
            .await
    }

    /// One channel.
    pub async fn channel(&self, at: &ChannelAt) -> Result<ChannelView, CliError> {
        self.get(&["v1", "channels", at.ledger.name(), &at.id], &[]).await
    }

    /// Opens a channel.
    pub async fn open_channel(&self, new: &NewChannel, key: &str) -> Result<ChannelView, CliError> {
        self.create(Scope::Trade, "channels", new, key).await
    }

    /// Puts more into a channel.
    pub async fn deposit(&self, at: &ChannelAt, amount: Amount, key: &str) -> Result<ChannelView, CliError> {
        self.at_channel(at, "deposit", &ChannelAmount { amount }, key).await
    }

    /// Takes money out of a channel that stays open.
    pub async fn withdraw(&self, at: &ChannelAt, amount: Amount, key: &str) -> Result<ChannelView, CliError> {
        self.at_channel(at, "withdraw", &ChannelAmount { amount }, key).await
    }

    /// Ends a channel.
    pub async fn close_channel(&self, at: &ChannelAt, close: &NewClose, key: &str) -> Result<ChannelView, CliError> {
        self.at_channel(at, "close", close, key).await
    }

    /// Settles a closed channel, if its window is over.
    pub async fn settle_channel(&self, at: &ChannelAt) -> Result<ChannelView, CliError> {
        self.plainly(Method::POST, &["v1", "channels", at.ledger.name(), &at.id, "settle"]).await
    }

    /// With whom we have channels.
    pub async fn neighbours(&self) -> Result<Vec<NeighbourView>, CliError> {
        self.get::<NeighbourList>(&["v1", "neighbours"], &[]).await.map(|list| list.neighbours)
    }

    /// What mediating has earned.
    pub async fn fees_earned(&self) -> Result<Vec<EarnedView>, CliError> {
        self.get::<EarnedList>(&["v1", "fees"], &[]).await.map(|list| list.fees)
    }

    /// Pays over channels. `name` is the payment's id or request, under which it is safe to send it again.
    pub async fn pay(&self, payment: &NewPayment, name: &str) -> Result<PaymentRecord, CliError> {
        self.create(Scope::Withdraw, "payments", payment, name).await
    }

    /// A page of payments.
    pub async fn payments(&self, query: &PaymentQuery) -> Result<PaymentPage, CliError> {
        let limit = query.limit.map(|limit| limit.to_string());
        let fields = [("direction", &query.direction), ("state", &query.state), ("limit", &limit), ("after", &query.after)];
        self.page(&["v1", "payments"], fields).await
    }

    /// One payment over channels.
    pub async fn paid(&self, id: &str) -> Result<PaymentRecord, CliError> {
        self.get(&["v1", "payments", id], &[]).await
    }

    /// Takes a payment back.
    pub async fn cancel_payment(&self, id: &str) -> Result<PaymentRecord, CliError> {
        self.plainly(Method::POST, &["v1", "payments", id, "cancel"]).await
    }

    /// Asks to be paid.
    pub async fn request_payment(&self, new: &NewPaymentRequest, key: &str) -> Result<PaymentRequestView, CliError> {
        self.create(Scope::Trade, "requests", new, key).await
    }

    /// Our requests, newest first.
    pub async fn payment_requests(&self) -> Result<Vec<PaymentRequestView>, CliError> {
        self.get::<PaymentRequestList>(&["v1", "requests"], &[]).await.map(|list| list.requests)
    }

    /// One request.
    pub async fn payment_request(&self, hash: &str) -> Result<PaymentRequestView, CliError> {
        self.get(&["v1", "requests", hash], &[]).await
    }

    /// Takes a payment that is held.
    pub async fn release(&self, hash: SecretHash, secret: String) -> Result<PaymentRequestView, CliError> {
        let url = self.url(&["v1", "requests", &hash.to_string(), "release"])?;
        self.ask(self.request(Scope::Trade, Method::POST, url)?.json(&NewRelease { secret })).await
    }

    /// Gives up a request, or a payment that is held for it.
    pub async fn give_up(&self, hash: &str) -> Result<PaymentRequestView, CliError> {
        self.plainly(Method::DELETE, &["v1", "requests", hash]).await
    }

    /// Whether a payment would find a way now.
    pub async fn routes(&self, query: &RouteQuery) -> Result<RouteView, CliError> {
        let amount = query.amount.to_string();
        let fields = [("payee", query.payee.as_str()), ("asset", query.asset.as_str()), ("amount", amount.as_str())];
        self.get(&["v1", "routes"], &fields).await
    }

    async fn at_channel<B: Serialize>(&self, at: &ChannelAt, deed: &str, body: &B, key: &str) -> Result<ChannelView, CliError> {
        self.create_at(Scope::Trade, &["v1", "channels", at.ledger.name(), &at.id, deed], body, key).await
    }

    /// Without a body, and safe to repeat.
    async fn plainly<T: DeserializeOwned>(&self, method: Method, path: &[&str]) -> Result<T, CliError> {
        self.ask(self.request(Scope::Trade, method, self.url(path)?)?).await
    }

    async fn page<T: DeserializeOwned, const N: usize>(
        &self,
        path: &[&str],
        fields: [(&str, &Option<String>); N],
    ) -> Result<T, CliError> {
        let given: Vec<(&str, &str)> = fields.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        self.get(path, &given).await
    }
}
