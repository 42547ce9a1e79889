//! Conservation: what a party holds is what it held, plus what came, minus what went and the fees of its own transactions. To the unit.

use super::until;
use photon::demo::party::Party;
use photon::service::BalanceView;
use std::collections::BTreeMap;
use std::time::Duration;

/// What some parties held.
pub struct Books {
    before: Vec<(String, BTreeMap<String, BalanceView>)>,
}

impl Books {
    /// Opens the books of parties whose daemons run.
    pub async fn open(parties: &[&Party]) -> Self {
        let mut before = Vec::new();
        for party in parties {
            before.push((party.name.clone(), held(party).await));
        }
        Self { before }
    }

    /// Closes them: `paid` names who gave how many units of what to whom. Everything else must be as it was, less fees.
    /// Waits for what is still on its way, then insists.
    pub async fn close(&self, parties: &[&Party], paid: &[(&Party, u128, &str, &Party)]) {
        for party in parties {
            let what = format!("the books of {} balance", party.name);
            let mut wrong = Vec::new();
            let looked = tokio::time::timeout(Duration::from_secs(45), async {
                until(&what, Duration::from_secs(60), async || {
                    wrong = self.wrong(party, paid).await;
                    wrong.is_empty().then_some(())
                })
                .await;
            });
            let _ = looked.await;
            assert!(wrong.is_empty(), "{what}: {wrong:?}");
        }
    }

    async fn wrong(&self, party: &Party, paid: &[(&Party, u128, &str, &Party)]) -> Vec<String> {
        let after = held(party).await;
        let before = &self.before.iter().find(|(name, _)| *name == party.name).expect("its books were opened").1;
        let mut wrong = Vec::new();
        for (asset, after) in &after {
            let before = &before[asset];
            let mut due = total(before) - (units(after.fees_paid) - units(before.fees_paid));
            for (from, units, what, to) in paid.iter().filter(|(_, _, what, _)| what == asset) {
                assert_ne!(from.name, to.name, "{what}");
                due +=
                    i128::try_from(*units).unwrap() * (i128::from(to.name == party.name) - i128::from(from.name == party.name));
            }
            if due != total(after) || !after.incoming.is_zero() || !after.locked.is_zero() {
                wrong.push(format!("{asset}: {due} are due, and there is {after:?}"));
            }
        }
        wrong
    }
}

async fn held(party: &Party) -> BTreeMap<String, BalanceView> {
    let balances = party.balances().await.unwrap();
    for balance in &balances {
        assert_eq!(balance.trouble, None, "{} {}", party.name, balance.asset);
    }
    balances.into_iter().map(|balance| (balance.asset.clone(), balance)).collect()
}

/// All that is a party's: free, coming in, and standing in its own locks.
fn total(balance: &BalanceView) -> i128 {
    units(balance.available) + units(balance.incoming) + units(balance.locked)
}

fn units(amount: photon_chains::Amount) -> i128 {
    i128::try_from(amount.units()).unwrap()
}
