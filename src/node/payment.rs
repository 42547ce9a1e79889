//! What a wallet that is not ours must pay, so that a swap begins.

use super::Node;
use super::service::{ported, stored};
use crate::clock;
use crate::service::{CallView, DraftView, Funding, NewDraft, PaymentView, RelayedView, ServiceError, SignedPayment};
use crate::store::StoreError;
use photon_chains::{Draft, Family, Ledger, LockStatus, OutsideCoin, Port, UnixTime};
use photon_swap::{Leg, Role, SwapId};
use qrcode::QrCode;
use std::sync::Arc;

/// What may be paid by hand now.
struct Payable {
    leg: Leg,
    pay_until: UnixTime,
    port: Arc<dyn Port>,
}

impl Node {
    /// Alpha, if it may be paid by hand: by a taker that holds keys of its own, or by our owner's other wallet.
    async fn payable(&self, id: SwapId) -> Result<Payable, ServiceError> {
        let known = self.desk.coordinator.store.swap(id).await.map_err(stored)?.is_some();
        let Some(live) = self.desk.coordinator.book.get(id) else {
            let ended = ServiceError::Conflict("this swap has ended: nothing is to be paid".to_owned());
            return Err(if known { ended } else { stored(StoreError::NoSuch("swap")) });
        };
        let (terms, facts) = (live.swap.terms, &live.swap.facts);
        let may_pay = match live.swap.role {
            Role::Participant => facts.agreed,
            Role::Initiator => live.funding == Funding::Outside && facts.fund_intent && !facts.cancel_intent,
        };
        let leg = terms.alpha;
        let ledger = leg.lock.asset.ledger();
        let seen = self.desk.coordinator.ledgers.sighting(ledger, leg.lock.id());
        let is_paid = seen.is_some_and(|seen| seen.status != LockStatus::Absent);
        let pay_until = terms.deadlines.fund_alpha_by;
        if !may_pay || is_paid || clock::now() > pay_until {
            return Err(ServiceError::Conflict("nothing is to be paid for this swap by hand, or not any more".to_owned()));
        }
        let port = self.desk.coordinator.ledgers.port(ledger).ok_or_else(|| nowhere(ledger))?;
        Ok(Payable { leg, pay_until, port: port.clone() })
    }

    /// How it is paid by hand.
    pub(super) async fn payment_of(&self, id: SwapId) -> Result<PaymentView, ServiceError> {
        let Payable { leg, pay_until, port } = self.payable(id).await?;
        let ledger = leg.lock.asset.ledger();
        let (address, uri, call) = match ledger.family() {
            Family::Utxo => {
                let address = port.funding_address(&leg.lock).ok_or_else(|| nowhere(ledger))?;
                // BIP-21, and the same by custom on Litecoin.
                let uri = format!("{ledger}:{address}?amount={}", leg.lock.amount.coins(leg.decimals));
                (Some(address), uri, None)
            }
            Family::Evm => {
                let chain_id = leg.chain_id.unwrap_or_default();
                let hands = photon_evm::by_hand(&leg.lock, ledger, chain_id);
                let hands = hands.ok_or_else(|| ServiceError::Internal("a lock without a contract".to_owned()))?;
                let call = CallView {
                    chain_id,
                    from: match leg.lock.refundee {
                        photon_chains::Party::Account(account) => account.to_string(),
                        photon_chains::Party::Key(_) => String::new(),
                    },
                    to: hands.to.to_string(),
                    value: hands.value,
                    calldata: format!("0x{}", hex::encode(&hands.calldata)),
                    refund_calldata: format!("0x{}", hex::encode(&hands.refund_calldata)),
                    approve_to: hands.approve.as_ref().map(|(token, _)| token.to_string()),
                    approve_calldata: hands.approve.map(|(_, call)| format!("0x{}", hex::encode(call))),
                };
                (None, hands.uri, Some(call))
            }
        };
        let qr = QrCode::new(uri.as_bytes()).map_err(|_| ServiceError::Internal("the link fits no QR code".to_owned()))?;
        Ok(PaymentView {
            swap: id.to_string(),
            ledger,
            pay: self.desk.assets.show(leg.lock.asset, leg.lock.amount),
            pay_until,
            refund_from: leg.lock.expiry.opens_time,
            address,
            qr_svg: super::qr::svg(&qr),
            psbt: port.funding_psbt(&leg.lock),
            uri,
            call,
        })
    }

    /// The same as a transaction out of these coins.
    pub(super) async fn draft_of(&self, id: SwapId, draft: NewDraft) -> Result<DraftView, ServiceError> {
        let Payable { leg, port, .. } = self.payable(id).await?;
        let coins: Vec<OutsideCoin> = draft.coins.iter().map(|coin| OutsideCoin { txid: coin.txid, vout: coin.vout }).collect();
        let Draft { psbt, fee } = port.draft_funding(&leg.lock, &coins, &draft.change_address).await.map_err(ported)?;
        Ok(DraftView { psbt, fee })
    }

    /// Hands a signed one to our node.
    pub(super) async fn relay_of(&self, id: SwapId, signed: SignedPayment) -> Result<RelayedView, ServiceError> {
        let Payable { leg, port, .. } = self.payable(id).await?;
        let txid = port.relay_funding(&leg.lock, &signed.psbt).await.map_err(ported)?;
        tracing::info!(swap_id = %id, %txid, "a funding from outside was handed to the node");
        Ok(RelayedView { txid })
    }
}

fn nowhere(ledger: Ledger) -> ServiceError {
    ServiceError::Unavailable(format!("{ledger}'s node is not connected yet"))
}
