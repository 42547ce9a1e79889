//! What a wallet that is not ours must pay, so that a swap begins.

use super::Node;
use super::service::stored;
use crate::clock;
use crate::service::{CallView, Funding, PaymentView, ServiceError};
use crate::store::StoreError;
use photon_chains::{Family, LockStatus};
use photon_swap::{Role, SwapId};
use qrcode::QrCode;
use qrcode::render::svg;

impl Node {
    /// How Alpha is paid by hand: by a taker that holds keys of its own, or by our owner's other wallet.
    pub(super) async fn payment_of(&self, id: SwapId) -> Result<PaymentView, ServiceError> {
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
        let leg = &terms.alpha;
        let ledger = leg.lock.asset.ledger();
        let seen = self.desk.coordinator.ledgers.sighting(ledger, leg.lock.id());
        let is_paid = seen.is_some_and(|seen| seen.status != LockStatus::Absent);
        let pay_until = terms.deadlines.fund_alpha_by;
        if !may_pay || is_paid || clock::now() > pay_until {
            return Err(ServiceError::Conflict("nothing is to be paid for this swap by hand, or not any more".to_owned()));
        }
        let nowhere = || ServiceError::Unavailable(format!("{ledger}'s node is not connected yet"));
        let port = self.desk.coordinator.ledgers.port(ledger).ok_or_else(nowhere)?;
        let (address, uri, call) = match ledger.family() {
            Family::Utxo => {
                let address = port.funding_address(&leg.lock).ok_or_else(nowhere)?;
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
            qr_svg: qr.render::<svg::Color<'_>>().build(),
            uri,
            call,
        })
    }
}
