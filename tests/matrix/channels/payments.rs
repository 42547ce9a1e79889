//! The tales of payments. Whoever is killed, all three say the same of a payment in the end: it was paid, and came in once; or it
//! was not, and nothing did.

use super::asks::{self, fresh};
use super::books::Books;
use super::plan::{Death, Part, Tale};
use super::play::{Ended, Run, Trio};
use crate::judge;
use crate::play::words;
use photon::service::{NewPayment, PaymentRecord, PaymentRequestView};
use photon_chains::{Secret, SecretHash};

/// Smallest units of a payment, and of the one back.
const PAID: u128 = 1_000;
const BACK: u128 = 300;
/// The payee's lock is made for so long, in the profile for regtest: its margin twice.
const LOCK_SECS: u64 = 64;
/// And so much before its end its payee registers what it could not show.
const MARGIN_SECS: u64 = 32;
/// Of whoever hears of an end by the chain: the depth that is relied on, and its patience.
const DEPTH_SECS: u64 = 60;

impl Run<'_> {
    pub(super) async fn both_pay(&mut self, before: Books) -> Result<(Ended, Books), String> {
        let (mut ended, mut after) = (Ended::Done, before);
        for (from, to, units) in [(Part::Alice, Part::Bob, PAID), (Part::Bob, Part::Alice, BACK)] {
            let order = asks::direct(self.seat(to), self.case.asset, units);
            let paid = self.pays(from, &order).await?;
            let paid = self.ends(from, &paid.id).await?;
            let came = self.came(to, None, &paid, units).await?;
            if came != Ended::Done {
                // What failed without a reason is not excused by the other payment's.
                ended = if ended == Ended::Failed { ended } else { came };
                continue;
            }
            let units = i128::try_from(units).unwrap();
            after = after.paid(if from == Part::Alice { units } else { -units }, 0);
        }
        Ok((ended, after))
    }

    pub(super) async fn request_is_paid(&mut self, before: Books) -> Result<(Ended, Books), String> {
        let request = self.requests(None).await?;
        let paid = self.pays(Part::Alice, &asks::requested(&request)).await?;
        let paid = self.ends(Part::Alice, &paid.id).await?;
        let ended = self.came(Part::Charlie, Some(request.secret_hash), &paid, PAID).await?;
        Ok((ended, after(before, ended)))
    }

    /// Charlie holds a payment, until what the tale has of it.
    pub(super) async fn hold(&mut self, before: Books) -> Result<(Ended, Books), String> {
        let secret = Secret::from_bytes(fresh());
        let hash = secret.hash();
        let request = self.requests(Some(hash)).await?;
        let paid = self.pays(Part::Alice, &asks::requested(&request)).await?;
        let locked_at = self.now();
        if self.is_held(Part::Charlie, hash, &paid.id).await? {
            match self.case.tale {
                Tale::GivenUp => self.gives_up(Part::Charlie, hash).await?,
                Tale::Recalled => self.recalls(hash, &paid.id).await?,
                Tale::Lapsed => self.lapses(locked_at, &paid.id).await?,
                Tale::Registered => self.is_registered(locked_at, &secret).await?,
                Tale::Released
                | Tale::Direct
                | Tale::Requested
                | Tale::Deposited
                | Tale::Withdrawn
                | Tale::Together
                | Tale::Alone
                | Tale::Deserted => self.releases(Part::Charlie, &secret).await?,
            }
        }
        let paid = self.ends(Part::Alice, &paid.id).await?;
        let ended = self.came(Part::Charlie, Some(hash), &paid, PAID).await?;
        Ok((ended, after(before, ended)))
    }

    /// Asks for a payment until that is durable. Where its answer was lost, a second one is another request, that nobody pays.
    async fn requests(&mut self, hold: Option<SecretHash>) -> Result<PaymentRequestView, String> {
        self.asks_for(Part::Charlie, hold).await
    }

    pub(super) async fn asks_for(&mut self, part: Part, hold: Option<SecretHash>) -> Result<PaymentRequestView, String> {
        let asset = self.case.asset;
        let ask = async |trio: &Trio| asks::request(trio.seat(part), asset, PAID, hold).await.map_err(words);
        let request = self.soon("requested", ask).await?;
        // Who is not connected can't be paid.
        self.at_rest().await?;
        Ok(request)
    }

    /// Sent until it is answered: the same name is the same payment.
    pub(super) async fn pays(&mut self, from: Part, payment: &NewPayment) -> Result<PaymentRecord, String> {
        let ask = async |trio: &Trio| asks::pay(trio.seat(from), payment).await.map_err(words);
        self.soon("begun", ask).await
    }

    /// Until its payer knows what became of it.
    pub(super) async fn ends(&mut self, from: Part, id: &str) -> Result<PaymentRecord, String> {
        let look = async |trio: &Trio| match asks::payment(trio.seat(from), id).await.map_err(words)? {
            paid if paid.ended_at.is_some() => Ok(paid),
            paid => Err(format!("{paid:?}")),
        };
        self.soon("ended", look).await
    }

    /// True once the payee holds it. False if it has failed before.
    pub(super) async fn is_held(&mut self, by: Part, hash: SecretHash, id: &str) -> Result<bool, String> {
        let look = async |trio: &Trio| {
            let paid = asks::payment(trio.seat(Part::Alice), id).await.map_err(words)?;
            let asked = asks::request_of(trio.seat(by), hash).await.map_err(words)?;
            match asked.state.as_str() {
                "held" => Ok(true),
                _ if paid.ended_at.is_some() => Ok(false),
                _ => Err(format!("{paid:?}, and for {asked:?}")),
            }
        };
        self.soon("held", look).await
    }

    async fn gives_up(&mut self, part: Part, hash: SecretHash) -> Result<(), String> {
        self.soon("given up", async |trio| asks::give_up(trio.seat(part), hash).await.map_err(words)).await
    }

    pub(super) async fn releases(&mut self, part: Part, secret: &Secret) -> Result<(), String> {
        let ask = async |trio: &Trio| {
            let seat = trio.seat(part);
            // Its answer may have been lost with it.
            if asks::request_of(seat, secret.hash()).await.map_err(words)?.state == "paid" {
                return Ok(());
            }
            asks::release(seat, secret).await.map(drop).map_err(words)
        };
        self.soon("released", ask).await
    }

    /// Alice wants it back: Charlie is asked, and gives it up.
    async fn recalls(&mut self, hash: SecretHash, id: &str) -> Result<(), String> {
        let ask = async |trio: &Trio| {
            let seat = trio.seat(Part::Alice);
            let is_over = asks::payment(seat, id).await.map_err(words)?.ended_at.is_some();
            if is_over { Ok(()) } else { asks::cancel(seat, id).await.map_err(words) }
        };
        self.soon("recalled", ask).await?;
        let (what, hash_text) = ("recalled", hash.to_string());
        let look = async |trio: &Trio| {
            if judge::has_heard(&trio.seat(Part::Charlie).database(), what, &hash_text)? {
                Ok(())
            } else {
                Err("Charlie has not heard of it".to_owned())
            }
        };
        self.soon("asked to give it back", look).await?;
        self.gives_up(Part::Charlie, hash).await
    }

    /// Nobody does anything until both locks have ended, which is when they are taken back.
    async fn lapses(&mut self, locked_at: u64, id: &str) -> Result<(), String> {
        self.waits_until(locked_at + LOCK_SECS).await?;
        let look = async |trio: &Trio| match asks::payment(trio.seat(Part::Alice), id).await.map_err(words)? {
            paid if paid.ended_at.is_some() => Ok(()),
            paid => Err(format!("{paid:?}")),
        };
        self.until("taken back", LOCK_SECS + DEPTH_SECS, look).await
    }

    /// Bob is gone, Charlie shows the secret, and registers it before its lock ends; then Bob is back.
    async fn is_registered(&mut self, locked_at: u64, secret: &Secret) -> Result<(), String> {
        self.leave(Part::Bob)?;
        self.releases(Part::Charlie, secret).await?;
        self.until_registered(locked_at).await?;
        self.come_back(Part::Bob).await
    }

    /// Until the payee of a lock has registered its secret, and has seen it there.
    pub(super) async fn until_registered(&mut self, locked_at: u64) -> Result<(), String> {
        self.waits_until(locked_at + LOCK_SECS - MARGIN_SECS).await?;
        self.passes(MARGIN_SECS / 2).await
    }

    /// Whether somebody's node was down, and the payment failed for that.
    fn is_out_of_sight(&self, paid: &PaymentRecord) -> bool {
        let is_down = self.case.kills.iter().any(|kill| kill.death == Death::NodeDown);
        is_down && paid.reason.as_ref().is_some_and(|reason| reason.contains("can't see the chain"))
    }

    /// The payee says the same of it as the payer: it came in once, or never.
    pub(super) async fn came(
        &mut self,
        to: Part,
        hash: Option<SecretHash>,
        paid: &PaymentRecord,
        units: u128,
    ) -> Result<Ended, String> {
        let (ended, due) = match paid.state.as_str() {
            "paid" => (Ended::Done, vec![units]),
            "failed" if self.is_out_of_sight(paid) => (Ended::OutOfSight, vec![]),
            "failed" => (Ended::Failed, vec![]),
            _ => return Err(format!("neither paid nor failed: {paid:?}")),
        };
        let look = async |trio: &Trio| match asks::received(trio.seat(to), hash, &paid.id).await.map_err(words)? {
            came if came == due => Ok(ended),
            came => Err(format!("{to:?} has got {came:?} of {paid:?}")),
        };
        self.soon("said alike", look).await
    }
}

fn after(before: Books, ended: Ended) -> Books {
    let units = i128::try_from(PAID).unwrap();
    match ended {
        Ended::Done => before.paid(units, units),
        Ended::Failed | Ended::OutOfSight => before,
    }
}
