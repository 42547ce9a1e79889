//! Channels and payments in memory. A payment is paid at once, unless its note says `fail` or `hold`.

use super::{Fake, NOW, amount, none};
use crate::service::*;
use async_trait::async_trait;
use photon_chains::{Address, Amount, Ledger, Secret, SecretHash, UnixTime};

/// A channel in ether, both of whose sides have put in 2.
pub(crate) fn channel(number: u8, state: &str) -> ChannelView {
    let ether = |tenths: u128| Amount::from_units(tenths * 100_000_000_000_000_000);
    ChannelView {
        id: super::id(number),
        ledger: Ledger::Ethereum,
        peer: Address::from_bytes([0xbb; 20]),
        alias: Some("bob".to_owned()),
        asset: "ETH".to_owned(),
        decimals: 18,
        state: state.to_owned(),
        connected: true,
        can_send: ether(15),
        can_receive: ether(20),
        balance: ether(17),
        peer_balance: ether(23),
        pending_out: ether(2),
        pending_in: Amount::ZERO,
        pending: 1,
        window_minutes: 60,
        opened_block: 100,
        settles_at: (state == "closed").then_some(UnixTime::from_secs(NOW + 3600)),
        in_sight: true,
        unseen: Amount::ZERO,
        unseen_limit: ether(5),
        doing: None,
        trouble: None,
    }
}

fn record(id: &str, direction: &str, pay: AssetAmount) -> PaymentRecord {
    PaymentRecord {
        id: id.to_owned(),
        direction: direction.to_owned(),
        payee: Some(Address::from_bytes([0xcc; 20])),
        channel: super::id(1),
        ledger: Ledger::Ethereum,
        pay,
        fee: Some(amount("ETH", 1000, "0.000000000000001")),
        state: "paid".to_owned(),
        reason: None,
        secret_hash: Some(SecretHash::from_bytes([7; 32])),
        memo: None,
        created_at: UnixTime::from_secs(NOW - 5),
        ended_at: Some(UnixTime::from_secs(NOW)),
    }
}

impl Fake {
    pub fn put_channel(&self, channel: ChannelView) {
        self.state().channels.push(channel);
    }

    fn change_channel(&self, at: &ChannelAt, change: impl FnOnce(&mut ChannelView)) -> Result<ChannelView, ServiceError> {
        let mut state = self.look()?;
        let found =
            state.channels.iter_mut().find(|it| it.id == at.id && it.ledger == at.ledger).ok_or_else(|| none("channel"))?;
        change(found);
        Ok(found.clone())
    }

    fn change_request(
        &self,
        hash: SecretHash,
        change: impl FnOnce(&mut PaymentRequestView),
    ) -> Result<PaymentRequestView, ServiceError> {
        let mut state = self.look()?;
        let found = state.requests.iter_mut().find(|it| it.secret_hash == hash).ok_or_else(|| none("request"))?;
        change(found);
        Ok(found.clone())
    }
}

#[async_trait]
impl ChannelService for Fake {
    async fn channels(&self, query: ChannelQuery) -> Result<ChannelPage, ServiceError> {
        let state = self.look()?;
        let from = query.after.map_or(0, |after| after.parse::<usize>().unwrap());
        let limit = query.limit.unwrap_or(50) as usize;
        let wanted = |channel: &&ChannelView| match query.state.as_deref() {
            Some("settled") => channel.state == "settled",
            Some("all") => true,
            _ => channel.state != "settled",
        };
        let channels: Vec<_> = state.channels.iter().filter(wanted).skip(from).take(limit).cloned().collect();
        let next = (channels.len() == limit).then(|| (from + limit).to_string());
        Ok(ChannelPage { channels, next })
    }

    async fn channel(&self, at: &ChannelAt) -> Result<ChannelView, ServiceError> {
        self.change_channel(at, |_| ())
    }

    async fn open_channel(&self, new: NewChannel) -> Result<ChannelView, ServiceError> {
        let number = self.effect().await?;
        let made = ChannelView {
            asset: new.deposit.asset,
            balance: new.deposit.amount,
            window_minutes: new.window_minutes.unwrap_or(60),
            ..channel(number, "opening")
        };
        self.put_channel(made.clone());
        Ok(made)
    }

    async fn deposit(&self, at: &ChannelAt, amount: Amount) -> Result<ChannelView, ServiceError> {
        self.channel(at).await?;
        self.effect().await?;
        self.change_channel(at, |channel| {
            channel.balance = channel.balance.checked_add(amount).unwrap();
            channel.doing = Some("deposit".to_owned());
        })
    }

    async fn withdraw(&self, at: &ChannelAt, _amount: Amount) -> Result<ChannelView, ServiceError> {
        self.channel(at).await?;
        self.effect().await?;
        self.change_channel(at, |channel| channel.doing = Some("withdraw".to_owned()))
    }

    async fn close_channel(&self, at: &ChannelAt, close: NewClose) -> Result<ChannelView, ServiceError> {
        self.channel(at).await?;
        self.effect().await?;
        let state = if close.how == Closing::Together { "closing" } else { "closed" };
        self.change_channel(at, |found| *found = ChannelView { id: at.id.clone(), ..channel(1, state) })
    }

    async fn settle_channel(&self, at: &ChannelAt) -> Result<ChannelView, ServiceError> {
        let found = self.channel(at).await?;
        if found.state == "closed" {
            return Err(ServiceError::Conflict("the window is not over".to_owned()));
        }
        Ok(found)
    }

    async fn neighbours(&self) -> Result<Vec<NeighbourView>, ServiceError> {
        let state = self.look()?;
        let (identity, channels) = (Address::from_bytes([0xbb; 20]), state.channels.len() as u32);
        let view = NeighbourView {
            alias: Some("bob".to_owned()),
            identity,
            connected: true,
            channels,
            can_send: vec![amount("ETH", 1_500_000_000_000_000_000, "1.5")],
            can_receive: vec![amount("ETH", 2_000_000_000_000_000_000, "2")],
        };
        Ok((channels > 0).then_some(view).into_iter().collect())
    }

    async fn fees_earned(&self) -> Result<Vec<EarnedView>, ServiceError> {
        drop(self.look()?);
        Ok(vec![EarnedView { asset: "USDX".to_owned(), decimals: 6, earned: Amount::from_units(1_250_000), payments: 12 }])
    }

    async fn pay(&self, new: NewPayment) -> Result<PaymentRecord, ServiceError> {
        let id = new.id.unwrap_or_else(|| "ab".repeat(16));
        if let Some(known) = self.look()?.payments.iter().find(|payment| payment.id == id) {
            return Ok(known.clone());
        }
        self.effect().await?;
        let pay = new.pay.unwrap_or_else(|| amount("USDX", 5_000_000, "5"));
        let mut made = PaymentRecord { memo: new.memo, ..record(&id, "sent", pay) };
        match made.memo.as_deref() {
            Some("fail") => {
                made.state = "failed".to_owned();
                made.reason = Some("no way to the payee has room for it".to_owned());
            }
            Some("hold") => {
                made.state = "held".to_owned();
                made.ended_at = None;
            }
            _ => {}
        }
        self.state().payments.insert(0, made.clone());
        Ok(made)
    }

    async fn pay_many(&self, payments: Vec<NewPayment>) -> Result<Vec<BatchEntry>, ServiceError> {
        let mut entries = Vec::new();
        for payment in payments {
            let paid = self.pay(payment).await?;
            entries.push(BatchEntry { id: paid.id, state: paid.state, reason: paid.reason });
        }
        Ok(entries)
    }

    async fn payments(&self, query: PaymentQuery) -> Result<PaymentPage, ServiceError> {
        let state = self.look()?;
        let from = query.after.map_or(0, |after| after.parse::<usize>().unwrap());
        let limit = query.limit.unwrap_or(50) as usize;
        let wanted = |payment: &&PaymentRecord| {
            let live = matches!(payment.state.as_str(), "pending" | "held");
            let of_state = match query.state.as_deref() {
                None | Some("all") => true,
                Some("live") => live,
                Some(state) => payment.state == state,
            };
            of_state && matches!(query.direction.as_deref(), None | Some("all" | "sent"))
        };
        let payments: Vec<_> = state.payments.iter().filter(wanted).skip(from).take(limit).cloned().collect();
        let next = (payments.len() == limit).then(|| (from + limit).to_string());
        Ok(PaymentPage { payments, next })
    }

    async fn paid(&self, id: &str) -> Result<PaymentRecord, ServiceError> {
        self.look()?.payments.iter().find(|payment| payment.id == id).cloned().ok_or_else(|| none("payment"))
    }

    async fn cancel_payment(&self, id: &str) -> Result<PaymentRecord, ServiceError> {
        let mut state = self.look()?;
        let found = state.payments.iter_mut().find(|payment| payment.id == id).ok_or_else(|| none("payment"))?;
        if found.state == "paid" {
            return Err(ServiceError::Conflict("it is paid".to_owned()));
        }
        found.state = "failed".to_owned();
        found.ended_at = Some(UnixTime::from_secs(NOW));
        Ok(found.clone())
    }

    async fn request_payment(&self, new: NewPaymentRequest) -> Result<PaymentRequestView, ServiceError> {
        let number = self.effect().await?;
        let pay = AssetAmount { asset: new.asset, amount: new.amount, coins: None };
        let made = PaymentRequestView {
            secret_hash: new.secret_hash.unwrap_or(SecretHash::from_bytes([number; 32])),
            request: format!("photon{number}request"),
            qr_svg: "<svg/>".to_owned(),
            pay,
            memo: new.memo,
            valid_until: UnixTime::from_secs(NOW + new.valid_secs),
            state: "open".to_owned(),
            came: None,
            release_by: None,
        };
        self.state().requests.insert(0, made.clone());
        Ok(made)
    }

    async fn payment_requests(&self) -> Result<Vec<PaymentRequestView>, ServiceError> {
        Ok(self.look()?.requests.clone())
    }

    async fn payment_request(&self, hash: SecretHash) -> Result<PaymentRequestView, ServiceError> {
        self.change_request(hash, |_| ())
    }

    async fn release(&self, secret: Secret) -> Result<PaymentRequestView, ServiceError> {
        self.change_request(secret.hash(), |request| request.state = "paid".to_owned())
    }

    async fn give_up(&self, hash: SecretHash) -> Result<PaymentRequestView, ServiceError> {
        self.change_request(hash, |request| request.state = "given_up".to_owned())
    }

    async fn routes(&self, query: RouteQuery) -> Result<RouteView, ServiceError> {
        drop(self.look()?);
        if query.payee == "nobody" {
            let reason = "no open channel leads there: open one, with them or with somebody who has one".to_owned();
            return Ok(RouteView { ways: Vec::new(), reason: Some(reason) });
        }
        let way = WayView { fee: amount("ETH", 1000, "0.000000000000001"), through: vec![Address::from_bytes([0xbb; 20])] };
        Ok(RouteView { ways: vec![way], reason: None })
    }
}
