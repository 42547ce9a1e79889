//! Conservation: what a party holds is what it held, plus what came, minus what went and the fees of its own transactions. To the unit.

use photon::demo::party::Party;
use photon::service::BalanceView;
use std::collections::BTreeMap;
use std::time::Duration;

/// Redeems and sweeps become final within this.
const PATIENCE_SECS: u32 = 120;

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
    pub async fn close(&self, parties: &[&Party], paid: &[(&Party, u128, &str, &Party)]) {
        for party in parties {
            let of = |payer: bool| {
                let mine =
                    paid.iter().filter(move |(from, _, _, to)| party.name == if payer { &from.name } else { &to.name }[..]);
                mine.map(|(_, units, asset, _)| (*units, *asset)).collect::<Vec<_>>()
            };
            self.close_with(party, &of(true), &of(false)).await;
        }
    }

    /// Closes those of one party: what it gave, and what it got. Waits for what is still on its way, then insists.
    pub async fn close_with(&self, party: &Party, gave: &[(u128, &str)], got: &[(u128, &str)]) {
        let mut wrong = Vec::new();
        for _ in 0..PATIENCE_SECS {
            wrong = self.wrong(party, gave, got).await;
            if wrong.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("the books of {} don't balance: {wrong:#?}", party.name);
    }

    async fn wrong(&self, party: &Party, gave: &[(u128, &str)], got: &[(u128, &str)]) -> Vec<String> {
        let after = held(party).await;
        let before = &self.before.iter().find(|(name, _)| *name == party.name).expect("its books were opened").1;
        let sum = |of: &[(u128, &str)], asset: &str| -> i128 {
            of.iter().filter(|(_, what)| *what == asset).map(|(units, _)| i128::try_from(*units).unwrap()).sum()
        };
        let mut wrong = Vec::new();
        for (asset, after) in &after {
            let before = &before[asset];
            let fees = units(after.fees_paid) - units(before.fees_paid);
            let due = total(before) - fees + sum(got, asset) - sum(gave, asset);
            if due != total(after) || !after.incoming.is_zero() || !after.locked.is_zero() {
                wrong.push(format!("{asset}: {due} is due, and there is {after:?}"));
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

/// Every row of a party's database, table by table, but for who called and when, and for what it told its owner of its own health.
pub fn rows(party: &Party) -> BTreeMap<String, Vec<String>> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(party.folder.join("photon.db"), flags).unwrap();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'peers'";
    let mut tables = conn.prepare(names).unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let content = |table: &String| {
        let mut query = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let width = query.column_count();
        let line = |row: &rusqlite::Row<'_>| {
            let values = (0..width).map(|at| row.get::<_, rusqlite::types::Value>(at)).collect::<Result<Vec<_>, _>>()?;
            Ok(format!("{values:?}"))
        };
        let lines = query.query_map([], line).unwrap().map(Result::unwrap);
        lines.filter(|line| !line.contains("Text(\"alert\")")).collect()
    };
    tables.iter().map(|table| (table.clone(), content(table))).collect()
}
