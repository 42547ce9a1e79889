//! The running node, as its API tells it.

use super::Finding;
use crate::cli::{CliError, Client};
use crate::config::Config;
use crate::datadir::DataDir;
use crate::service::BalanceView;

/// What a running node says of itself; one line if none runs.
pub(super) async fn examine(datadir: &DataDir, config: &Config) -> Vec<Finding> {
    let mut at = config.api.listen;
    if at.ip().is_unspecified() {
        at.set_ip([127, 0, 0, 1].into());
    }
    let client = match Client::new(&format!("http://{at}"), datadir.api_token()) {
        Ok(client) => client,
        Err(error) => return vec![Finding::bad("API", error.to_string(), "mend listen of [api]")],
    };
    let health = match client.health().await {
        Ok(health) => health,
        Err(CliError::Unreachable { .. }) => {
            let advice = "start it with `photon node`: it must be back within the time that its profile promises";
            return vec![Finding::warn("running node", format!("none answers at {at}"), advice)];
        }
        Err(error) => return vec![Finding::bad("running node", error.to_string(), "another program may listen there")],
    };
    let mut findings = vec![match health.ready {
        true => Finding::ok(
            "running node",
            format!("version {}, {} live swaps, ready for new ones", health.version, health.live_swaps),
        ),
        false => Finding::bad("running node", "begins nothing new", "see the lines below; what runs goes on"),
    }];
    findings.extend(health.troubles.iter().map(|trouble| Finding::bad("running node", trouble, "mend it, then look again")));
    for ledger in &health.ledgers {
        let what = format!("{} as the node sees it", ledger.ledger);
        findings.push(match &ledger.trouble {
            None => Finding::ok(what, "healthy"),
            Some(trouble) => Finding::bad(what, trouble, "see the lines about that node"),
        });
    }
    match client.balances().await {
        Ok(balances) => findings.extend(balances.iter().map(balance)),
        Err(error) => findings.push(Finding::bad("balances", error.to_string(), "see the node's log")),
    }
    findings
}

/// What is there against what running swaps still need of it.
fn balance(view: &BalanceView) -> Finding {
    let (what, coins) = (format!("{} held", view.asset), |amount: photon_chains::Amount| amount.coins(view.decimals));
    if let Some(trouble) = &view.trouble {
        return Finding::bad(what, trouble, "see the lines about that node");
    }
    let seen = format!("{} free, {} needed by running swaps", coins(view.available), coins(view.reserved));
    if view.available < view.reserved {
        return Finding::bad(what, seen, "top up: running swaps need more than is there, and nothing new is begun");
    }
    Finding::ok(what, seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use photon_chains::{Amount, Ledger};

    #[test]
    fn a_wallet_that_lacks_what_running_swaps_need_is_bad() {
        let view = |available, reserved| BalanceView {
            asset: "ETH".to_owned(),
            ledger: Ledger::Ethereum,
            decimals: 18,
            available: Amount::from_units(available),
            incoming: Amount::ZERO,
            locked: Amount::ZERO,
            reserved: Amount::from_units(reserved),
            fees_paid: Amount::ZERO,
            trouble: None,
        };
        assert!(balance(&view(5, 5)).advice.is_none());
        assert!(balance(&view(4, 5)).advice.is_some_and(|advice| advice.contains("top up")));
    }
}
