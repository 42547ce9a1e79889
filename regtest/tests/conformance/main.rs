//! Every ledger is put through the same stories, on real nodes.
//!
//! To add a ledger: a file that makes a [`bench::Bench`] of it, and its line at the bottom.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
mod evm;
mod evm_channels;
mod evm_fees;
mod evm_only;
mod faults;
mod journal;
mod stage;
mod suite;
mod utxo;
mod utxo_only;

/// One test for each story on each ledger. A constructor that gives nothing has said why (no nodes here).
macro_rules! conformance {
    ($($ledger:ident: $bench:path;)*) => { $(
        mod $ledger {
            conformance!(@stories $bench:
                a_lock_is_funded_and_redeemed_and_the_secret_is_seen,
                a_lock_that_nobody_redeems_is_refunded_after_its_expiry_only,
                a_wrong_secret_is_refused_and_nothing_is_signed,
                a_wrong_amount_is_a_fault_and_never_credited,
                a_late_redeem_works_exactly_where_the_ledger_says_so,
                a_second_funding_is_a_fault_and_the_refund_takes_both,
                ensuring_twice_funds_once,
                a_crash_before_sending_sends_the_same_bytes_later,
                an_outside_payment_funds_the_lock,
                a_lost_journal_does_not_fund_again,
                a_restarted_adapter_sees_the_same,
                what_a_lost_block_showed_is_undone_but_for_the_secret,
                a_cancelled_funding_never_comes,
                a_payment_is_sent_once,
                a_wallet_that_has_too_little_says_so,
                impossible_terms_are_refused,
            );
        }
    )* };
    (@stories $bench:path: $($story:ident,)*) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $story() {
            let Some(bench) = $bench().await else { return };
            crate::suite::$story(&bench).await;
        }
    )* };
}

conformance! {
    bitcoin: crate::utxo::bitcoin;
    litecoin: crate::utxo::litecoin;
    ethereum: crate::evm::ethereum;
    smt: crate::evm::smt;
    erc20: crate::evm::erc20;
    silent_erc20: crate::evm::silent_erc20;
    smt_erc20: crate::evm::smt_erc20;
}
