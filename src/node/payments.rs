//! Payments over channels, and requests for them, as people and programs see them.

use super::Node;
use super::channels::{asset_of, refused, units};
use super::requests::contract;
use super::service::stored;
use crate::channels::{self, ChannelsError, FoundWay, PayBy, Payee, Paying, PaymentState, PaymentView, Through, WayQuery};
use crate::clock;
use crate::config::EvmLedger;
use crate::service::{
    AssetAmount, BatchEntry, EarnedView, NewPayment, PaymentPage, PaymentQuery, PaymentRecord, RouteQuery, RouteView,
    ServiceError, WayView,
};
use crate::store::EarnedRow;
use photon_chains::{Address, Amount, Asset, Ledger, PublicKey};
use photon_channel::{PaymentId, PaymentRequest, Reason, Units};
use std::time::Duration;

/// A payment that ends at once is answered as it ended.
const SOON: Duration = Duration::from_millis(250);
/// Pages of ended payments that are looked through for one page that is asked for.
const MOST_PAGES: u32 = 20;
const MOST_RUNNING: usize = 1_000;

pub(super) fn payment_id(text: &str) -> Result<PaymentId, ServiceError> {
    let bytes = hex::decode(text).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    bytes.map(PaymentId::from_bytes).ok_or_else(|| ServiceError::Invalid("a payment's id is 32 hex digits".to_owned()))
}

fn reason(of: Reason) -> &'static str {
    match of {
        Reason::NoWay => "no way to the payee is open: somebody on it is not connected, or closing",
        Reason::Funds => "a channel on the way has too little: try less, or later",
        Reason::Fee => "a mediator wants more than was allowed: raise most_fee",
        Reason::Time => "too little time was left for somebody on the way: try again",
        Reason::Limit => "somebody on the way holds as many payments as it will: try again later",
        Reason::Unknown => "the payee does not expect this payment: ask for a new request",
        Reason::GivenUp => "it was taken back, or its payee gave it up",
        Reason::HashUsed => "its hash was used before: ask for a new request",
        Reason::Onward => "it was given back from further on, and no other way was found: try again",
        Reason::OutOfSight => {
            "the payee, or somebody on the way, can't see the chain and takes no more until it does: pay less, or later"
        }
    }
}

/// An order as the engine takes it, with what it is compared by if its id was used before.
struct Order {
    payment: crate::channels::NewPayment,
    payee: Address,
    id: PaymentId,
}

impl Node {
    pub(super) async fn pay_one(&self, new: NewPayment) -> Result<PaymentRecord, ServiceError> {
        let order = self.order(new).await?;
        let (ledger, id) = (order.payment.ledger, order.id);
        if let Some(paying) = self.begin(order).await? {
            // A payment that goes on is told by its events.
            let _ = tokio::time::timeout(SOON, paying.ended).await;
        }
        let found = self.channels.payment(ledger, id).await.map_err(refused)?;
        let found = found.ok_or_else(|| ServiceError::Internal("a payment is missing".to_owned()))?;
        Ok(self.record(&found))
    }

    pub(super) async fn pay_of_many(&self, new: NewPayment) -> BatchEntry {
        let named = new.id.clone().unwrap_or_default();
        match self.pay_one(new).await {
            Ok(paid) => BatchEntry { id: paid.id, state: paid.state, reason: paid.reason },
            Err(error) => BatchEntry { id: named, state: "refused".to_owned(), reason: Some(error.to_string()) },
        }
    }

    /// Has the engine take it on; none where it did before.
    async fn begin(&self, order: Order) -> Result<Option<Paying>, ServiceError> {
        let Order { payment, payee, id } = order;
        let (ledger, asset, amount) = (payment.ledger, asset_of(payment.ledger, payment.token), payment.amount);
        for other in self.channels.ledgers().into_iter().filter(|other| *other != ledger) {
            if self.channels.payment(other, id).await.map_err(refused)?.is_some() {
                return Err(ServiceError::Conflict(format!("this id was used for a payment on {other}: take a new one")));
            }
        }
        if let PayBy::Hash(hash) = payment.by {
            self.desk.coordinator.store.pay_by_hash(hash).await.map_err(stored)?;
        }
        match self.channels.pay(payment).await {
            Ok(paying) => Ok(Some(paying)),
            Err(ChannelsError::SamePayment(id)) => {
                let known = self.channels.payment(ledger, id).await.map_err(refused)?;
                let is_same = known.is_none_or(|known| known.payee == Some(payee) && known.amount == amount);
                if is_same {
                    return Ok(None);
                }
                let coins = self.desk.assets.show(asset, amount.into()).coins.unwrap_or_default();
                Err(ServiceError::Conflict(format!(
                    "this id was used for another payment than {coins} to {payee}: take a new one"
                )))
            }
            Err(error) => Err(refused(error)),
        }
    }

    async fn order(&self, new: NewPayment) -> Result<Order, ServiceError> {
        match &new.request {
            Some(text) => self.order_on(text, &new).await,
            None => self.order_to(&new).await,
        }
    }

    /// To somebody whom the caller names.
    async fn order_to(&self, new: &NewPayment) -> Result<Order, ServiceError> {
        let (Some(payee), Some(pay), Some(id)) = (&new.payee, &new.pay, &new.id) else {
            return Err(ServiceError::Invalid("name an id, a payee and what to pay".to_owned()));
        };
        let (money, id) = (self.channel_money(pay)?, payment_id(id)?);
        let (ledger, token, amount) = (money.asset.ledger(), money.asset.token(), units(money.amount)?);
        let (address, key) = self.payee(payee).await?;
        let all = self.channels_in(money.asset).await?;
        let is_neighbour = all.iter().any(|channel| channel.peer == address && channel.own_free >= amount.signed());
        let payee = key.map_or(Payee::Account(address), Payee::Key);
        let by = match new.secret_hash {
            Some(hash) => PayBy::Hash(hash),
            None if is_neighbour => PayBy::Direct,
            None => PayBy::Sealed,
        };
        let payment = crate::channels::NewPayment {
            ledger,
            id: Some(id),
            token,
            payee,
            amount,
            most_fee: most_fee(new.most_fee, amount)?,
            by,
            through: Through::Any,
            memo: new.memo.clone(),
        };
        Ok(Order { payment, payee: address, id })
    }

    /// As a request asks.
    async fn order_on(&self, text: &str, new: &NewPayment) -> Result<Order, ServiceError> {
        let request = PaymentRequest::read(text).map_err(|error| ServiceError::Invalid(format!("request: {error}")))?;
        let ledger = self.ledger_of(&request)?;
        if !request.is_open(clock::now()) {
            return Err(ServiceError::Conflict("the request is not open any more: ask its payee for a new one".to_owned()));
        }
        let asset = asset_of(ledger, request.token);
        if self.desk.assets.known(asset).is_none() {
            return Err(ServiceError::Refused(format!("the request asks for {asset}, which is not configured here")));
        }
        let amount = match &new.pay {
            None => request.amount,
            Some(pay) => {
                let money = self.channel_money(pay)?;
                let amount = units(money.amount)?;
                if money.asset != asset || amount < request.amount {
                    return Err(ServiceError::Invalid("pay: another asset than the request asks for, or less".to_owned()));
                }
                amount
            }
        };
        let id = request.payment();
        let payment = crate::channels::NewPayment {
            ledger,
            id: Some(id),
            token: request.token,
            payee: Payee::Key(request.payee.public_key()),
            amount,
            most_fee: most_fee(new.most_fee, amount)?,
            by: PayBy::Hash(request.secret_hash),
            through: Through::Hinted(request.hints.clone()),
            memo: new.memo.clone().or_else(|| Some(request.memo.as_str().to_owned()).filter(|memo| !memo.is_empty())),
        };
        Ok(Order { payment, payee: request.payee.address(), id })
    }

    /// On which of our ledgers a request is paid.
    fn ledger_of(&self, request: &PaymentRequest) -> Result<Ledger, ServiceError> {
        let sections = [(Ledger::Ethereum, &self.config.ethereum), (Ledger::Smt, &self.config.smt)];
        let is_there = |section: &EvmLedger| section.chain_id == request.chain_id && contract(section) == Some(request.contract);
        let found = sections.into_iter().find(|(_, section)| section.as_ref().is_some_and(is_there)).map(|(ledger, _)| ledger);
        found.ok_or_else(|| {
            let (chain, contract) = (request.chain_id, request.contract);
            ServiceError::Refused(format!(
                "the request is for chain {chain} and contract {contract}, which are not configured here"
            ))
        })
    }

    async fn payee(&self, text: &str) -> Result<(Address, Option<PublicKey>), ServiceError> {
        if let Ok(address) = text.parse::<Address>() {
            return Ok((address, None));
        }
        if let Ok(key) = text.parse::<PublicKey>() {
            let known = photon_channel::KnownKey::new(&key);
            let known = known.map_err(|_| ServiceError::Invalid("payee: that is no public key".to_owned()))?;
            return Ok((known.address(), Some(key)));
        }
        Ok((self.peer_address(text).await?.identity(), None))
    }

    fn record(&self, payment: &PaymentView) -> PaymentRecord {
        let asset = asset_of(payment.ledger, payment.token);
        let show = |units: Units| self.desk.assets.show(asset, units.into());
        let (state, why) = match payment.state {
            PaymentState::Running => ("pending", None),
            PaymentState::Paid => ("paid", None),
            PaymentState::Failed(of) => ("failed", Some(reason(of).to_owned())),
        };
        PaymentRecord {
            id: payment.id.to_string(),
            direction: if payment.is_incoming { "received" } else { "sent" }.to_owned(),
            payee: payment.payee,
            channel: hex::encode(payment.channel.as_bytes()),
            ledger: payment.ledger,
            pay: show(payment.amount),
            fee: (!payment.is_incoming).then(|| show(payment.fee)),
            state: state.to_owned(),
            reason: why,
            secret_hash: payment.secret_hash,
            memo: payment.memo.clone(),
            created_at: payment.created_at,
            ended_at: payment.ended_at,
        }
    }

    pub(super) async fn payment_record(&self, id: PaymentId) -> Result<PaymentRecord, ServiceError> {
        for ledger in self.channels.ledgers() {
            if let Some(found) = self.channels.payment(ledger, id).await.map_err(refused)? {
                return Ok(self.record(&found));
            }
        }
        Err(ServiceError::NotFound("no such payment".to_owned()))
    }

    pub(super) async fn recall(&self, id: PaymentId) -> Result<PaymentRecord, ServiceError> {
        for ledger in self.channels.ledgers() {
            let Some(found) = self.channels.payment(ledger, id).await.map_err(refused)? else { continue };
            match found.state {
                PaymentState::Running => self.channels.recall(ledger, id).await.map_err(refused)?,
                PaymentState::Paid => {
                    return Err(ServiceError::Conflict("it is paid: only its payee can pay it back".to_owned()));
                }
                PaymentState::Failed(_) => {}
            }
            return self.payment_record(id).await;
        }
        Err(ServiceError::NotFound("no such payment".to_owned()))
    }

    pub(super) async fn payment_page(&self, query: PaymentQuery) -> Result<PaymentPage, ServiceError> {
        let limit = query.limit.unwrap_or(50);
        let after = query.after.as_ref().map(|after| after.parse::<u64>()).transpose();
        let mut before = after.map_err(|_| ServiceError::Invalid("after is the next of an earlier page".to_owned()))?;
        let wanted = |payment: &PaymentView| {
            let of_state = match query.state.as_deref() {
                Some("live") => payment.state == PaymentState::Running,
                Some("paid") => payment.state == PaymentState::Paid,
                Some("failed") => matches!(payment.state, PaymentState::Failed(_)),
                None | Some(_) => true,
            };
            let of_direction = match query.direction.as_deref() {
                Some("sent") => !payment.is_incoming,
                Some("received") => payment.is_incoming,
                None | Some(_) => true,
            };
            of_state && of_direction
        };
        let mut found = Vec::new();
        if before.is_none() {
            for ledger in self.channels.ledgers() {
                found.extend(self.channels.running(ledger, MOST_RUNNING).await.map_err(refused)?.into_iter().filter(wanted));
            }
            found.sort_by_key(|payment| std::cmp::Reverse(payment.created_at));
        }
        if query.state.as_deref() == Some("live") {
            return Ok(PaymentPage {
                payments: found.iter().take(limit as usize).map(|it| self.record(it)).collect(),
                next: None,
            });
        }
        // What runs comes beside the first page, and what is not wanted is passed over, for a while.
        for _ in 0..MOST_PAGES {
            let page = self.channels.payments(before, limit).await.map_err(refused)?;
            before = page.next;
            found.extend(page.items.into_iter().filter(wanted));
            if before.is_none() || found.len() >= limit as usize {
                break;
            }
        }
        Ok(PaymentPage { payments: found.iter().map(|it| self.record(it)).collect(), next: before.map(|next| next.to_string()) })
    }

    /// Our channels in an asset.
    pub(super) async fn channels_in(&self, asset: Asset) -> Result<Vec<channels::ChannelView>, ServiceError> {
        let mut all = self.channels.list().await.map_err(refused)?;
        all.retain(|channel| asset_of(channel.ledger, channel.token) == asset);
        Ok(all)
    }

    pub(super) async fn ways(&self, query: RouteQuery) -> Result<RouteView, ServiceError> {
        let money = self.channel_money(&AssetAmount { asset: query.asset, amount: query.amount, coins: None })?;
        let (ledger, amount) = (money.asset.ledger(), units(money.amount)?);
        self.channels.policy(ledger).map_err(refused)?;
        let (payee, _) = self.payee(&query.payee).await?;
        let (token, most_fee) = (money.asset.token(), most_fee(None, amount)?);
        let found = self.channels.ways(WayQuery { ledger, token, payee, amount, most_fee }).await.map_err(refused)?;
        let reason = if found.is_empty() { Some(self.no_way(money.asset, payee).await?) } else { None };
        let view = |way: FoundWay| WayView { fee: self.desk.assets.show(money.asset, way.fee.into()), through: way.through };
        Ok(RouteView { ways: found.into_iter().map(view).collect(), reason })
    }

    /// Why there is none, and what to do.
    async fn no_way(&self, asset: Asset, payee: Address) -> Result<String, ServiceError> {
        let all = self.channels_in(asset).await?;
        let straight = all.iter().filter(|channel| channel.peer == payee && channel.is_ready);
        Ok(match straight.map(|channel| channel.own_free).max() {
            Some(free) => {
                let free = Amount::from_units(u128::try_from(free).unwrap_or_default());
                let free = self.desk.assets.show(asset, free);
                let (coins, symbol) = (free.coins.unwrap_or_else(|| free.amount.to_string()), free.asset);
                format!("only {coins} {symbol} can be sent there, and no other way is known: put more into the channel")
            }
            None => {
                "no open channels lead there that are connected and carry so much, as far as their owners announce them: open \
                     one, try less, or wait until they are online"
                    .to_owned()
            }
        })
    }

    pub(super) async fn earned(&self) -> Result<Vec<EarnedView>, ServiceError> {
        let rows = self.desk.coordinator.store.earned().await.map_err(stored)?;
        let view = |row: EarnedRow| {
            let asset = asset_of(row.ledger, row.token);
            let known = self.desk.assets.known(asset);
            EarnedView {
                asset: known.map_or_else(|| asset.to_string(), |known| known.symbol.clone()),
                decimals: known.map_or(0, |known| known.decimals),
                earned: row.earned,
                payments: row.payments,
            }
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

fn most_fee(asked: Option<Amount>, amount: Units) -> Result<Units, ServiceError> {
    match asked {
        Some(most) => units(most),
        None => Ok(Units::new(amount.get().div_ceil(100)).unwrap_or(Units::MAX)),
    }
}
