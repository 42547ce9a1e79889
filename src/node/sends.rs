//! Payments from the wallet: each ensured again and again until it is final.

use crate::ledgers::Ledgers;
use crate::reserve::Reserves;
use crate::store::{NewEvent, SendRow, SendState, Store};
use photon_chains::{Act, IntentKey, Journal, PortError, Progress, Purpose, Settlement};
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(2);

/// Works through unfinished payments, at once when woken.
pub(super) async fn run(store: Store, ledgers: Ledgers, reserves: Reserves, mut wakes: mpsc::Receiver<()>) -> anyhow::Result<()> {
    for row in store.unfinished_sends().await?.iter().filter(|row| row.state == SendState::Pending) {
        reserves.unsent(row.send.id, row.send.asset, row.send.amount);
    }
    loop {
        for row in store.unfinished_sends().await? {
            ensure(&store, &ledgers, &reserves, &row).await?;
        }
        tokio::select! {
            woken = wakes.recv() => if woken.is_none() { return Ok(()) },
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Nothing is left to do: it was paid, or it never will be, because something else took its coins or its nonce.
async fn settled(store: &Store, row: &SendRow) -> anyhow::Result<(SendState, Option<String>)> {
    let ends: Vec<_> = store.transactions_of(row.send.id).await?.into_iter().filter_map(|tx| tx.ended).collect();
    let paid = |settlement: &Settlement| matches!(settlement, Settlement::Mined { succeeded: true, .. });
    Ok(if ends.is_empty() || ends.iter().any(|end| paid(&end.settlement)) {
        (SendState::Done, None)
    } else {
        (SendState::Refused, Some("it was not paid: its transaction failed, or another took its place; send it anew".to_owned()))
    })
}

async fn ensure(store: &Store, ledgers: &Ledgers, reserves: &Reserves, row: &SendRow) -> anyhow::Result<()> {
    let send = &row.send;
    let Some(port) = ledgers.port(send.asset.ledger()) else { return Ok(()) };
    let act = Act::Send { id: send.id, asset: send.asset, amount: send.amount, to: send.to.clone() };
    let (state, reason) = match port.ensure(&act).await {
        Ok(Progress::Done) => settled(store, row).await?,
        Ok(Progress::Sent { .. } | Progress::Mined { .. }) => (SendState::Sent, None),
        Ok(Progress::NotYet) => return Ok(()),
        Err(PortError::Journal(error)) => return Err(error.into()),
        Err(error @ (PortError::Refused { .. } | PortError::NotEnough { .. })) => {
            // Only what was never signed can be given up.
            let signed = store.of_intent(&IntentKey::new(Purpose::Send, send.id)).await?;
            if !signed.is_empty() {
                return Ok(());
            }
            (SendState::Refused, Some(error.to_string()))
        }
        Err(error) => {
            tracing::warn!(send_id = %send.id, %error, "payment not done yet");
            return Ok(());
        }
    };
    if state != row.state {
        store.set_send_state(send.id, state, reason).await?;
        reserves.sent(send.id);
        let body = serde_json::json!({ "id": send.id, "state": state.word() });
        store.append_event(NewEvent { kind: "send".to_owned(), swap: None, body: body.to_string() }).await?;
    }
    Ok(())
}
