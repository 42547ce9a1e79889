//! Payments from the wallet: each ensured again and again until it is final.

use crate::ledgers::Ledgers;
use crate::store::{NewEvent, SendRow, SendState, Store};
use photon_chains::{Act, IntentKey, Journal, PortError, Progress, Purpose};
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(2);

/// Works through unfinished payments, at once when woken.
pub(super) async fn run(store: Store, ledgers: Ledgers, mut wakes: mpsc::Receiver<()>) -> anyhow::Result<()> {
    loop {
        for row in store.unfinished_sends().await? {
            ensure(&store, &ledgers, &row).await?;
        }
        tokio::select! {
            woken = wakes.recv() => if woken.is_none() { return Ok(()) },
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn ensure(store: &Store, ledgers: &Ledgers, row: &SendRow) -> anyhow::Result<()> {
    let send = &row.send;
    let Some(port) = ledgers.port(send.asset.ledger()) else { return Ok(()) };
    let act = Act::Send { id: send.id, asset: send.asset, amount: send.amount, to: send.to.clone() };
    let (state, reason) = match port.ensure(&act).await {
        Ok(Progress::Done) => (SendState::Done, None),
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
        let body = serde_json::json!({ "id": send.id, "state": state.word() });
        store.append_event(NewEvent { kind: "send".to_owned(), swap: None, body: body.to_string() }).await?;
    }
    Ok(())
}
