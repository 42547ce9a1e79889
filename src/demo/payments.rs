//! Payments over channels, as three people make them: Alice opens a channel with Bob, Bob one with Charlie. Alice pays Bob, and
//! Charlie through Bob. She takes some out and goes on; Bob and Charlie close together; Alice closes alone, and after the window
//! everybody's coins on chain are right to the unit.

use super::party::Party;
use crate::service::{
    AssetAmount, BalanceView, ChannelAmount, ChannelPage, ChannelView, Closing, NewChannel, NewClose, NewPayment,
    NewPaymentRequest, PaymentPage, PaymentRecord, PaymentRequestView,
};
use anyhow::{Context, bail, ensure};
use photon_chains::Amount;
use photon_regtest::world::EvmChain;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(200);
/// Longer than anything here takes on chains with a block a second.
const WITHIN: Duration = Duration::from_secs(90);
/// A close together has both paid out within this.
const TOGETHER_WITHIN: Duration = Duration::from_secs(20);
/// The shortest there is.
const WINDOW_MINUTES: u16 = 10;
/// The window's blocks, as the contract reckons them, and some to be sure.
const WINDOW_BLOCKS: u64 = 45;

/// Who plays, in which asset, and on which chain.
pub struct Story<'a> {
    /// Opens with Bob.
    pub alice: &'a Party,
    /// Between both.
    pub bob: &'a Party,
    /// Bob opens with him.
    pub charlie: &'a Party,
    /// The asset's symbol.
    pub asset: &'a str,
    /// Smallest units of what the story counts in.
    pub coin: u128,
    /// Where the contract is.
    pub chain: &'a EvmChain,
}

/// What Alice, Bob and Charlie held at first.
#[derive(Debug, Clone, Copy)]
pub struct Before([i128; 3]);

/// What came of the payments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sent and paid, as their payers see it.
    pub sent: u64,
    /// Come in, as their payees see it.
    pub received: u64,
}

impl Tally {
    /// `payments: 2 sent, 2 received, 0 lost`.
    pub fn closing_line(&self) -> String {
        format!("payments: {} sent, {} received, {} lost", self.sent, self.received, self.lost())
    }

    /// Sent, and not come in.
    pub const fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }
}

impl Story<'_> {
    /// Opens, pays, takes out, closes together. An error says what was not as it must be. What [`Self::end`] needs is beside the tally.
    pub async fn begin(&self, say: &mut (dyn FnMut(String) + Send)) -> anyhow::Result<(Tally, Before)> {
        let asset = self.asset;
        let before = Before([self.holds(self.alice).await?, self.holds(self.bob).await?, self.holds(self.charlie).await?]);
        self.open(self.alice, self.bob, 100).await.context("Alice opens with Bob")?;
        self.open(self.bob, self.charlie, 80).await.context("Bob opens with Charlie")?;
        say(format!("{asset}: Alice has opened a channel with Bob and put in 100, Bob one with Charlie and 80"));
        let tally = self.pay_both().await?;
        say(format!("{asset}: Alice has paid Bob 30, and through him Charlie 20"));
        self.stand(self.alice, self.bob, 50, 50).await?;
        self.stand(self.bob, self.charlie, 60, 20).await?;
        self.withdraw(&before).await.context("Alice withdraws")?;
        say(format!("{asset}: Alice has taken 10 out; the channel goes on"));
        let took = self.close_together(&before).await.context("Bob and Charlie close")?;
        say(format!("{asset}: Bob and Charlie have closed together, paid out after {} s", took.as_secs()));
        Ok((tally, before))
    }

    /// Alice closes alone, and the chain's clock is moved over the window: nothing that needs both clocks comes after it.
    pub async fn end(&self, before: &Before, say: &mut (dyn FnMut(String) + Send)) -> anyhow::Result<()> {
        let asset = self.asset;
        self.close_alone().await.context("Alice closes alone")?;
        for ((party, before), more) in [self.alice, self.bob, self.charlie].into_iter().zip(before.0).zip([-50, 30, 20]) {
            self.has_more(party, before, more).await?;
        }
        say(format!("{asset}: Alice has closed alone, both have settled; all coins on chain are right"));
        Ok(())
    }

    fn units(&self, coins: u128) -> Amount {
        Amount::from_units(coins * self.coin)
    }

    fn money(&self, coins: u128) -> AssetAmount {
        AssetAmount { asset: self.asset.to_owned(), amount: self.units(coins), coins: None }
    }

    /// What an account has, as if it had paid no fees.
    async fn holds(&self, party: &Party) -> anyhow::Result<i128> {
        let all = party.balances().await?;
        let found = all.into_iter().find(|balance| balance.asset == self.asset).context("the asset is not configured")?;
        let BalanceView { available, incoming, fees_paid, .. } = found;
        let sum = [available, incoming, fees_paid].into_iter().try_fold(Amount::ZERO, Amount::checked_add);
        Ok(i128::try_from(sum.context("too much")?.units())?)
    }

    /// Waits until an account has so many coins more than at first.
    async fn has_more(&self, party: &Party, before: i128, coins: i128) -> anyhow::Result<()> {
        let wanted = before + coins * i128::try_from(self.coin)?;
        let mut holds = 0;
        for _ in 0..WITHIN.as_millis() / LOOK.as_millis() {
            holds = self.holds(party).await?;
            if holds == wanted {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("{} should hold {wanted} of {} (smallest units, fees aside), and holds {holds}", party.name, self.asset)
    }

    async fn channels(&self, of: &Party, with: &Party) -> anyhow::Result<Vec<ChannelView>> {
        let page: ChannelPage = of.get("/v1/channels?state=all&limit=200").await?;
        Ok(page.channels.into_iter().filter(|it| it.asset == self.asset && it.peer == with.identity).collect())
    }

    /// Waits until a party sees its channel with another so.
    async fn until(
        &self,
        of: &Party,
        with: &Party,
        what: &str,
        so: impl Fn(&ChannelView) -> bool,
    ) -> anyhow::Result<ChannelView> {
        let began = Instant::now();
        while began.elapsed() < WITHIN {
            if let Some(found) = self.channels(of, with).await?.into_iter().find(&so) {
                return Ok(found);
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("{} does not see that the channel is {what}: {:?}", of.name, self.channels(of, with).await?)
    }

    async fn open(&self, from: &Party, with: &Party, coins: u128) -> anyhow::Result<()> {
        let new = NewChannel { peer: with.address(), deposit: self.money(coins), window_minutes: Some(WINDOW_MINUTES) };
        let _: ChannelView = from.post("/v1/channels", &new).await?;
        let is_open = |channel: &ChannelView| channel.state == "open" && channel.connected;
        self.until(from, with, "open", |it| is_open(it) && it.can_send == self.units(coins)).await?;
        self.until(with, from, "open", |it| is_open(it) && it.can_receive == self.units(coins)).await?;
        Ok(())
    }

    async fn pay_both(&self) -> anyhow::Result<Tally> {
        let direct = NewPayment { payee: Some(self.bob.identity.to_string()), ..self.order(30)? };
        let direct = self.pay(self.alice, &direct).await?;
        let asked = NewPaymentRequest {
            asset: self.asset.to_owned(),
            amount: self.units(20),
            memo: Some("the third in the story".to_owned()),
            valid_secs: 600,
            secret_hash: None,
        };
        let asked: PaymentRequestView = self.charlie.post("/v1/requests", &asked).await?;
        let through = NewPayment { request: Some(asked.request.clone()), ..NewPayment::default() };
        let through = self.pay(self.alice, &through).await?;
        ensure!(direct.state == "paid", "the direct payment: {direct:?}");
        ensure!(through.state == "paid", "the payment through Bob: {through:?}");
        // Sent again, it is not paid again.
        let again = NewPayment { request: Some(asked.request), ..NewPayment::default() };
        ensure!(self.pay(self.alice, &again).await?.id == through.id, "the same request is another payment");
        let mut tally = Tally { sent: 2, received: 0 };
        for (party, units) in [(self.bob, self.units(30)), (self.charlie, self.units(20))] {
            let page: PaymentPage = party.get("/v1/payments?direction=received&state=paid").await?;
            let came = page.payments.iter().filter(|it| it.pay.asset == self.asset && it.pay.amount == units).count();
            tally.received += u64::try_from(came)?;
        }
        Ok(tally)
    }

    fn order(&self, coins: u128) -> anyhow::Result<NewPayment> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        Ok(NewPayment { id: Some(hex::encode(id)), pay: Some(self.money(coins)), ..NewPayment::default() })
    }

    /// Pays, and follows it to its end.
    async fn pay(&self, from: &Party, payment: &NewPayment) -> anyhow::Result<PaymentRecord> {
        let mut paid: PaymentRecord = from.post("/v1/payments", payment).await?;
        let began = Instant::now();
        while paid.ended_at.is_none() && began.elapsed() < WITHIN {
            tokio::time::sleep(LOOK).await;
            paid = from.get(&format!("/v1/payments/{}", paid.id)).await?;
        }
        Ok(paid)
    }

    /// Both sides see the same balances.
    async fn stand(&self, one: &Party, other: &Party, ones: u128, others: u128) -> anyhow::Result<()> {
        let (ones, others) = (self.units(ones), self.units(others));
        let so = |mine: Amount, theirs: Amount| move |it: &ChannelView| it.balance == mine && it.peer_balance == theirs;
        self.until(one, other, "as paid", so(ones, others)).await?;
        self.until(other, one, "as paid", so(others, ones)).await?;
        Ok(())
    }

    async fn withdraw(&self, before: &Before) -> anyhow::Result<()> {
        let channel = self.until(self.alice, self.bob, "open", |it| it.state == "open").await?;
        let out = ChannelAmount { amount: self.units(10) };
        let _: ChannelView = self.alice.post(&deed(&channel, "withdraw"), &out).await?;
        let Before([alice, ..]) = *before;
        self.has_more(self.alice, alice, -90).await?;
        self.stand(self.alice, self.bob, 40, 50).await
    }

    async fn close_together(&self, before: &Before) -> anyhow::Result<Duration> {
        let channel = self.until(self.bob, self.charlie, "open", |it| it.state == "open").await?;
        let began = Instant::now();
        let _: ChannelView = self.bob.post(&deed(&channel, "close"), &NewClose::default()).await?;
        let Before([_, bob, charlie]) = *before;
        self.has_more(self.bob, bob, -20).await?;
        self.has_more(self.charlie, charlie, 20).await?;
        let took = began.elapsed();
        ensure!(took <= TOGETHER_WITHIN, "it took {} s", took.as_secs());
        Ok(took)
    }

    async fn close_alone(&self) -> anyhow::Result<()> {
        let channel = self.until(self.alice, self.bob, "open", |it| it.state == "open").await?;
        let alone = NewClose { how: Closing::Alone, alone_after_secs: None };
        let _: ChannelView = self.alice.post(&deed(&channel, "close"), &alone).await?;
        self.until(self.alice, self.bob, "closed", |it| it.state == "closed" && it.settles_at.is_some()).await?;
        self.until(self.bob, self.alice, "closed", |it| it.state == "closed").await?;
        // Bob answers in a block or two; nobody has to wait for the rest of the window here.
        tokio::time::sleep(Duration::from_secs(5)).await;
        self.chain.increase_time(u64::from(WINDOW_MINUTES) * 60).await?;
        self.chain.mine(WINDOW_BLOCKS).await?;
        Ok(())
    }
}

fn deed(channel: &ChannelView, deed: &str) -> String {
    format!("/v1/channels/{}/{}/{deed}", channel.ledger, channel.id)
}
