//! The chains' nodes, each asked anew.

use super::Finding;
use crate::clock;
use crate::config::Config;
use crate::keys::Wallet;
use crate::wire::{ConnectError, Connector};
use async_trait::async_trait;
use photon_chains::{
    Address, Asset, ClockRule, Family, IntentKey, Journal, JournalError, Ledger, Port, Purpose, Settlement, SignedTx, Tip, TxId,
    UnixTime,
};
use std::sync::Arc;
use std::time::Duration;

/// For one node to answer everything.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How far ahead of ours an honest block's time may be where blocks carry their true time.
const AHEAD_SECS: u64 = 15;
/// What miners of Bitcoin and Litecoin may write ahead.
const AHEAD_MINED_SECS: u64 = 7200;

/// Every configured node, side by side.
pub(super) async fn examine(config: &Config, wallet: Wallet, has_account: bool) -> Vec<Finding> {
    let connector = Connector::new(config.clone(), Arc::new(wallet), Arc::new(NoJournal));
    let mut asked = Vec::new();
    for ledger in config.ledgers() {
        asked.push((ledger, false));
        if config.has_second_node(ledger) {
            asked.push((ledger, true));
        }
    }
    let looks = asked.into_iter().map(|(ledger, second)| {
        let connector = connector.clone();
        async move {
            let look = Look { ledger, second, has_account };
            let found = tokio::time::timeout(ANSWER_WITHIN, look.take(&connector)).await;
            found.unwrap_or_else(|_| vec![look.bad("answers too slowly", "see what the node is busy with")])
        }
    });
    futures::future::join_all(looks).await.concat()
}

struct Look {
    ledger: Ledger,
    second: bool,
    has_account: bool,
}

impl Look {
    fn what(&self, part: &str) -> String {
        let which = if self.second { " (second)" } else { "" };
        format!("{}{which}{part}", self.ledger)
    }

    fn bad(&self, seen: impl Into<String>, advice: &str) -> Finding {
        Finding::bad(self.what(" node"), seen, advice)
    }

    async fn take(&self, connector: &Connector) -> Vec<Finding> {
        let port = match connector.probe(self.ledger, self.second).await {
            Ok(port) => port,
            Err(ConnectError::Unreachable(error)) => {
                return vec![self.bad(error.to_string(), "start it, or mend rpc_url and its credentials")];
            }
            Err(ConnectError::Refused(error)) => {
                return vec![
                    self.bad(format!("{error:#}"), "mend the section in config.toml: the node does not start like this"),
                ];
            }
        };
        let tip = match port.poll().await {
            Ok(tip) => tip,
            Err(error) => return vec![self.bad(error.to_string(), "see the node's own log")],
        };
        let now = clock::now();
        let mut findings = vec![self.tip(&tip, port.timing().stale_tip_secs, now), self.clock(&tip, port.timing().rule, now)];
        if !self.second {
            findings.extend(self.money(&*port).await);
            findings.extend(self.contracts(port));
        }
        findings
    }

    fn tip(&self, tip: &Tip, stale_secs: u64, now: UnixTime) -> Finding {
        let age = now.secs_since(tip.time);
        let seen = format!("right network; block {}, {age} s old", tip.block.height);
        if age > stale_secs {
            let advice = "the node is behind, or this machine's clock is ahead: until it caught up nothing new is begun";
            return self.bad(seen, advice);
        }
        Finding::ok(self.what(" node"), seen)
    }

    /// A block from the future says that our clock is slow. (A clock that is ahead looks like a node that is behind.)
    fn clock(&self, tip: &Tip, rule: ClockRule, now: UnixTime) -> Finding {
        let ahead = tip.time.secs_since(now);
        let allowed = match rule {
            ClockRule::MedianTimePast { .. } => AHEAD_MINED_SECS,
            ClockRule::BlockTime { .. } => AHEAD_SECS,
        };
        let what = self.what(" clock");
        if ahead > allowed {
            let seen = format!("its newest block is {ahead} s in our future");
            return Finding::bad(what, seen, "this machine's clock is slow: set it (NTP), every deadline rests on it");
        }
        Finding::ok(what, format!("agrees within {} s", allowed.max(now.secs_since(tip.time))))
    }

    /// Connecting compared the code of every contract that is configured.
    fn contracts(&self, port: Arc<dyn Port>) -> Option<Finding> {
        let (ledger, what) = (self.ledger, self.what(" contracts"));
        let channels = port.contracts().and_then(|contracts| contracts.channels());
        (ledger.family() == Family::Evm).then(|| match channels {
            Some(place) => Finding::ok(what, format!("their code is right; payment channels at {place}")),
            None => Finding::ok(what, format!("their code is right; none for payment channels (photon deploy {ledger} adds it)")),
        })
    }

    async fn money(&self, port: &dyn Port) -> Vec<Finding> {
        let (ledger, native) = (self.ledger, Asset::Native(self.ledger));
        let fee = match port.worst_fee(native, Purpose::Redeem).await {
            Ok(fee) => fee,
            Err(error) => return vec![Finding::bad(self.what(" fees"), error.to_string(), "the node gives no fee: see its log")],
        };
        let (coins, ticker) = (|amount: photon_chains::Amount| amount.coins(ledger.decimals()), ledger.ticker());
        let mut findings = vec![Finding::ok(self.what(" fees"), format!("a redeem costs {} {ticker} at worst", coins(fee)))];
        let knows_purse = ledger.family() == Family::Utxo || self.has_account;
        if !knows_purse {
            return findings;
        }
        let what = self.what(" balance");
        findings.push(match port.balance(native).await {
            Err(error) => Finding::bad(what, error.to_string(), "see the node's wallet"),
            Ok(balance) if ledger.family() == Family::Evm && balance.available < fee => {
                let seen = format!("{} {ticker}: not enough for one redeem", coins(balance.available));
                Finding::bad(what, seen, "top up: redeeming and refunding pay gas from here")
            }
            Ok(balance) if balance.available.is_zero() => {
                Finding::warn(what, format!("no {ticker}"), "pay some in, if you mean to give it")
            }
            Ok(balance) => Finding::ok(what, format!("{} {ticker} free", coins(balance.available))),
        });
        findings
    }
}

/// Nothing is known, and nothing can be written: whoever asks with it can't send.
struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    async fn record(&self, _tx: &SignedTx) -> Result<(), JournalError> {
        Err(JournalError("nothing is sent here".to_owned()))
    }

    async fn of_intent(&self, _intent: &IntentKey) -> Result<Vec<SignedTx>, JournalError> {
        Ok(Vec::new())
    }

    async fn unsettled(&self, _ledger: Ledger) -> Result<Vec<SignedTx>, JournalError> {
        Ok(Vec::new())
    }

    async fn highest_nonce(&self, _ledger: Ledger, _account: Address) -> Result<Option<u64>, JournalError> {
        Ok(None)
    }

    async fn settle(&self, _ledger: Ledger, _txid: TxId, _end: Settlement) -> Result<(), JournalError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use photon_chains::{BlockHeight, BlockRef, Hash32};

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn tip(time: UnixTime) -> Tip {
        let block = BlockRef { height: BlockHeight::new(7), hash: Hash32::from_bytes([1; 32]) };
        Tip { block, time, lock_clock: time }
    }

    // F6, F16
    #[test]
    fn a_node_that_is_behind_and_a_clock_that_is_slow_are_told_apart() {
        let look = Look { ledger: Ledger::Ethereum, second: false, has_account: false };
        let rule = photon_evm::params(Ledger::Ethereum, photon_chains::Network::Mainnet).map(|params| params.timing.rule);
        let Ok(rule) = rule else { return };
        let verdict = |finding: Finding| finding.verdict;
        assert_eq!(verdict(look.tip(&tip(NOW.minus_secs(30)), 60, NOW)), super::super::Verdict::Ok);
        let behind = look.tip(&tip(NOW.minus_secs(61)), 60, NOW);
        assert!(behind.advice.is_some_and(|advice| advice.contains("behind")));
        assert_eq!(verdict(look.clock(&tip(NOW.plus_secs(AHEAD_SECS)), rule, NOW)), super::super::Verdict::Ok);
        let slow = look.clock(&tip(NOW.plus_secs(AHEAD_SECS + 1)), rule, NOW);
        assert!(slow.advice.is_some_and(|advice| advice.contains("clock is slow")));
        let mined = ClockRule::MedianTimePast { early_secs: 0, settle_secs: 0, late_secs: 0 };
        assert_eq!(verdict(look.clock(&tip(NOW.plus_secs(3600)), mined, NOW)), super::super::Verdict::Ok);
    }
}
