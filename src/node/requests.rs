//! Payment requests, as people and programs see them.

use super::Node;
use super::channels::{asset_of, refused, units};
use super::service::stored;
use crate::channels::{self, Channels, ChannelsError, NewRequest};
use crate::clock;
use crate::config::EvmLedger;
use crate::service::{AssetAmount, NewPaymentRequest, PaymentRequestView, ServiceError};
use crate::store::{RequestRow, RequestState, Store};
use photon_chains::{Address, Asset, Ledger, SecretHash, UnixTime};
use photon_channel::{Hint, Line, MOST_HINTS, PaymentRequest, Signer, Units};
use qrcode::QrCode;

impl Node {
    pub(super) async fn expect(&self, new: NewPaymentRequest) -> Result<PaymentRequestView, ServiceError> {
        let money = self.channel_money(&AssetAmount { asset: new.asset, amount: new.amount, coins: None })?;
        let (ledger, amount) = (money.asset.ledger(), units(money.amount)?);
        let section = match ledger {
            Ledger::Ethereum => self.config.ethereum.as_ref(),
            Ledger::Smt => self.config.smt.as_ref(),
            Ledger::Bitcoin | Ledger::Litecoin | Ledger::EthereumChannel | Ledger::SmtChannel => None,
        };
        let place = section.and_then(|section| Some((section.chain_id, contract(section)?)));
        let (chain_id, contract) = place.ok_or_else(|| refused(ChannelsError::NoLedger(ledger)))?;
        let memo = Line::new(new.memo.clone().unwrap_or_default());
        let memo = memo.ok_or_else(|| ServiceError::Invalid("memo: one line of plain text, not too long".to_owned()))?;
        let least_secs = self.channels.policy(ledger).map_err(refused)?.reveal_margin_secs;
        let expires = clock::now().plus_secs(new.valid_secs);
        let signer = self.signer()?;
        let wanted = NewRequest { ledger, amount, least_secs, hold: new.secret_hash, id: None, until: None, memo: new.memo };
        if let Some(hash) = new.secret_hash {
            self.desk.coordinator.store.pay_by_hash(hash).await.map_err(stored)?;
        }
        let expected = match (self.channels.expect(wanted).await, new.secret_hash) {
            (Err(ChannelsError::Refused(refusal)), Some(hash)) => {
                let begun = self.begun(ledger, hash, amount).await?;
                begun.ok_or_else(|| refused(ChannelsError::Refused(refusal)))?
            }
            (expected, _) => expected.map_err(refused)?,
        };
        let request = PaymentRequest {
            chain_id,
            contract,
            token: money.asset.token(),
            payee: signer.known(),
            amount,
            secret_hash: expected.secret_hash,
            expires,
            least_secs: u32::try_from(least_secs).unwrap_or(u32::MAX),
            memo,
            reach: self.reach(),
            hints: self.hints(money.asset, amount).await?,
        };
        let text = request.write(&signer).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let store = &self.desk.coordinator.store;
        store.insert_request(ledger, expected.secret_hash, text, expires).await.map_err(stored)?;
        self.request_view(expected.secret_hash).await
    }

    /// A request that the engine has taken on, before the process ended and nothing of it was written here: the same again goes on.
    async fn begun(
        &self,
        ledger: Ledger,
        hash: SecretHash,
        amount: Units,
    ) -> Result<Option<channels::RequestView>, ServiceError> {
        if self.desk.coordinator.store.request(hash).await.map_err(stored)?.is_some() {
            return Ok(None);
        }
        let expected = self.channels.requests(ledger).await.map_err(refused)?;
        Ok(expected.into_iter().find(|known| known.secret_hash == hash && known.amount == amount))
    }

    /// Signs as the payee.
    fn signer(&self) -> Result<Signer, ServiceError> {
        let key = self.desk.coordinator.wallet.evm_account_key();
        Signer::new(*key.expose()).map_err(|error| ServiceError::Internal(error.to_string()))
    }

    /// Neighbours that can bring so much, those with the most room first, for what they announce that they take: where they announce
    /// nothing, about what we would.
    async fn hints(&self, asset: Asset, amount: Units) -> Result<Vec<Hint>, ServiceError> {
        let policy = self.channels.policy(asset.ledger()).map_err(refused)?;
        let mut fitting = self.channels_in(asset).await?;
        fitting.retain(|channel| channel.peers_free >= amount.signed());
        fitting.sort_by_key(|channel| std::cmp::Reverse((channel.is_ready, channel.peers_free)));
        let mut hints = Vec::new();
        for channel in fitting.iter().take(MOST_HINTS) {
            let said = self.channels.toward_us(channel.ledger, channel.token, channel.peer, amount).await.map_err(refused)?;
            let slack_secs = u32::try_from(policy.hop_slack_secs).unwrap_or(u32::MAX);
            hints.push(Hint {
                channel: channel.id,
                from: channel.peer,
                capacity: Units::from_signed(channel.peers_free).unwrap_or_default(),
                fee_base: said.map_or(policy.fee_base, |edge| edge.fee_base),
                fee_ppm: said.map_or(policy.fee_ppm, |edge| edge.fee_ppm),
                slack_secs: said.map_or(slack_secs, |edge| edge.slack_secs),
            });
        }
        Ok(hints)
    }

    /// Where we are found, if we listen.
    fn reach(&self) -> Line<{ photon_channel::MOST_REACH }> {
        let address = self.net.local_addr().map(|at| at.to_string()).unwrap_or_default();
        Line::new(address).unwrap_or_default()
    }

    pub(super) async fn requested(&self, hash: SecretHash) -> Result<RequestRow, ServiceError> {
        let row = self.desk.coordinator.store.request(hash).await.map_err(stored)?;
        row.ok_or_else(|| ServiceError::NotFound("no such request".to_owned()))
    }

    pub(super) async fn request_view(&self, hash: SecretHash) -> Result<PaymentRequestView, ServiceError> {
        let row = self.requested(hash).await?;
        self.view_of_request(&row).await
    }

    pub(super) async fn request_list(&self) -> Result<Vec<PaymentRequestView>, ServiceError> {
        let mut views = Vec::new();
        for row in self.desk.coordinator.store.requests(200).await.map_err(stored)? {
            views.push(self.view_of_request(&row).await?);
        }
        Ok(views)
    }

    async fn view_of_request(&self, row: &RequestRow) -> Result<PaymentRequestView, ServiceError> {
        let unreadable = || ServiceError::Internal("a stored request can't be read".to_owned());
        let request = PaymentRequest::read(&row.text).map_err(|_| unreadable())?;
        let asset = asset_of(row.ledger, request.token);
        let came = self.desk.coordinator.store.received_for(row.hash).await.map_err(stored)?;
        let paid = came.first().map(|payment| self.desk.assets.show(asset, payment.payment.amount.into()));
        let waiting = self.channels.requests(row.ledger).await.unwrap_or_default();
        let is_held = waiting.iter().any(|known| known.secret_hash == row.hash && known.is_pending);
        let state = match (&paid, row.state) {
            (Some(_), _) => "paid",
            (None, RequestState::Open) if is_held => "held",
            (None, RequestState::Open) if clock::now() > row.valid_until => RequestState::Expired.word(),
            (None, state) => state.word(),
        };
        let qr = QrCode::new(row.text.to_ascii_uppercase()).map_err(|_| unreadable())?;
        Ok(PaymentRequestView {
            secret_hash: row.hash,
            request: row.text.clone(),
            qr_svg: super::qr::svg(&qr),
            pay: self.desk.assets.show(asset, request.amount.into()),
            memo: Some(request.memo.as_str().to_owned()).filter(|memo| !memo.is_empty()),
            valid_until: row.valid_until,
            state: state.to_owned(),
            came: paid,
            release_by: None,
        })
    }

    /// Whether the engine would still take a payment for it, or holds one.
    async fn is_expected(&self, row: &RequestRow) -> Result<bool, ServiceError> {
        let expected = self.channels.requests(row.ledger).await.map_err(refused)?;
        let is_paid = !self.desk.coordinator.store.received_for(row.hash).await.map_err(stored)?.is_empty();
        Ok(is_paid || expected.iter().any(|known| known.secret_hash == row.hash))
    }

    pub(super) async fn give_up_request(&self, hash: SecretHash) -> Result<PaymentRequestView, ServiceError> {
        let row = self.requested(hash).await?;
        let view = self.view_of_request(&row).await?;
        match view.state.as_str() {
            "paid" => return Err(ServiceError::Conflict("it is paid: pay it back with a payment of your own".to_owned())),
            "open" | "held" => {
                match self.channels.give_up(row.ledger, hash).await {
                    Ok(()) => {}
                    // It was, and the process ended before that was written here as well.
                    Err(ChannelsError::Refused(_)) if !self.is_expected(&row).await? => {}
                    Err(error) => return Err(refused(error)),
                }
                self.desk.coordinator.store.end_request(hash, RequestState::GivenUp).await.map_err(stored)?;
            }
            _ => return Ok(view),
        }
        self.request_view(hash).await
    }
}

/// Requests whose time is over are not expected any more, unless somebody is paying just now, or the payment is held: of those the
/// engine says when they are over.
pub(super) async fn end_overdue(store: &Store, channels: &Channels, now: UnixTime) -> anyhow::Result<()> {
    for row in store.overdue_requests(now, 100).await? {
        let waiting = channels.requests(row.ledger).await.unwrap_or_default();
        match waiting.iter().find(|known| known.secret_hash == row.hash) {
            Some(known) if known.is_pending => continue,
            // One that just came is refused, and found to be paid at the next look.
            Some(_) if channels.give_up(row.ledger, row.hash).await.is_err() => continue,
            Some(_) | None => store.end_request(row.hash, RequestState::Expired).await?,
        }
    }
    Ok(())
}

/// The channels contract of a ledger, if it has one.
pub(super) fn contract(section: &EvmLedger) -> Option<Address> {
    section.contracts.as_ref()?.channels
}
