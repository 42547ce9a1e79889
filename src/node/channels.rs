//! Payment channels as people and programs see them: this node runs none, and says so.

use super::Node;
use crate::service::{
    BatchEntry, ChannelAt, ChannelPage, ChannelQuery, ChannelService, ChannelView, EarnedView, NeighbourView, NewChannel,
    NewClose, NewPayment, NewPaymentRequest, PaymentPage, PaymentQuery, PaymentRecord, PaymentRequestView, RouteQuery, RouteView,
    ServiceError,
};
use async_trait::async_trait;
use photon_chains::{Amount, Secret, SecretHash};

fn none() -> ServiceError {
    ServiceError::NotFound("this node runs no payment channels on any ledger".to_owned())
}

#[async_trait]
impl ChannelService for Node {
    async fn channels(&self, _query: ChannelQuery) -> Result<ChannelPage, ServiceError> {
        Ok(ChannelPage { channels: Vec::new(), next: None })
    }

    async fn channel(&self, _at: &ChannelAt) -> Result<ChannelView, ServiceError> {
        Err(none())
    }

    async fn open_channel(&self, _channel: NewChannel) -> Result<ChannelView, ServiceError> {
        Err(none())
    }

    async fn deposit(&self, _at: &ChannelAt, _amount: Amount) -> Result<ChannelView, ServiceError> {
        Err(none())
    }

    async fn withdraw(&self, _at: &ChannelAt, _amount: Amount) -> Result<ChannelView, ServiceError> {
        Err(none())
    }

    async fn close_channel(&self, _at: &ChannelAt, _close: NewClose) -> Result<ChannelView, ServiceError> {
        Err(none())
    }

    async fn settle_channel(&self, _at: &ChannelAt) -> Result<ChannelView, ServiceError> {
        Err(none())
    }

    async fn neighbours(&self) -> Result<Vec<NeighbourView>, ServiceError> {
        Ok(Vec::new())
    }

    async fn fees_earned(&self) -> Result<Vec<EarnedView>, ServiceError> {
        Ok(Vec::new())
    }

    async fn pay(&self, _payment: NewPayment) -> Result<PaymentRecord, ServiceError> {
        Err(none())
    }

    async fn pay_many(&self, _payments: Vec<NewPayment>) -> Result<Vec<BatchEntry>, ServiceError> {
        Err(none())
    }

    async fn payments(&self, _query: PaymentQuery) -> Result<PaymentPage, ServiceError> {
        Ok(PaymentPage { payments: Vec::new(), next: None })
    }

    async fn paid(&self, _id: &str) -> Result<PaymentRecord, ServiceError> {
        Err(none())
    }

    async fn cancel_payment(&self, _id: &str) -> Result<PaymentRecord, ServiceError> {
        Err(none())
    }

    async fn request_payment(&self, _request: NewPaymentRequest) -> Result<PaymentRequestView, ServiceError> {
        Err(none())
    }

    async fn payment_requests(&self) -> Result<Vec<PaymentRequestView>, ServiceError> {
        Ok(Vec::new())
    }

    async fn payment_request(&self, _hash: SecretHash) -> Result<PaymentRequestView, ServiceError> {
        Err(none())
    }

    async fn release(&self, _secret: Secret) -> Result<PaymentRequestView, ServiceError> {
        Err(none())
    }

    async fn give_up(&self, _hash: SecretHash) -> Result<PaymentRequestView, ServiceError> {
        Err(none())
    }

    async fn routes(&self, _query: RouteQuery) -> Result<RouteView, ServiceError> {
        Err(none())
    }
}
