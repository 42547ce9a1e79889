//! Every ledger is put through the same stories, on real nodes: the chains, and the payment channels on two of them.
//!
//! To add a ledger: a file that makes a [`bench::Bench`] of it, and its line in the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
mod channel;
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

/// One test for each story that is told of a kind of ledgers, on each ledger of it. A constructor that gives nothing has said why (no
/// nodes here). The table itself is [`KINDS`].
macro_rules! conformance {
    ($($kind:literal [$($ledger:ident: $bench:path;)+] tells $told:tt but not $left:tt)+) => {
        $($(
            mod $ledger {
                conformance!(@tests $bench, $told);
            }
        )+)+

        const KINDS: &[Kind] = &[$(
            Kind { name: $kind, told: conformance!(@names $told), left_out: conformance!(@reasons $left) },
        )+];
    };
    (@tests $bench:path, { $($story:ident;)+ }) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $story() {
            let Some(bench) = $bench().await else { return };
            crate::suite::$story(&bench).await;
        }
    )+ };
    (@names { $($story:ident;)+ }) => { &[$(stringify!($story)),+] };
    (@reasons { $($story:ident: $why:literal;)* }) => { &[$((stringify!($story), $why)),*] };
}

/// Ledgers of one kind: which stories are told of them, and why the others are not.
struct Kind {
    name: &'static str,
    told: &'static [&'static str],
    left_out: &'static [(&'static str, &'static str)],
}

conformance! {
    "coins under scripts" [
        bitcoin: crate::utxo::bitcoin;
        litecoin: crate::utxo::litecoin;
    ] tells {
        a_lock_is_funded_and_redeemed_and_the_secret_is_seen;
        a_lock_that_nobody_redeems_is_refunded_after_its_expiry_only;
        a_wrong_secret_is_refused_and_nothing_is_signed;
        what_is_less_or_ends_sooner_than_agreed_is_not_credited;
        a_late_redeem_works_exactly_where_the_ledger_says_so;
        ensuring_twice_funds_once;
        a_restarted_adapter_sees_the_same;
        a_cancelled_funding_never_comes;
        a_wallet_that_has_too_little_says_so;
        impossible_terms_are_refused;
        a_crash_before_sending_sends_the_same_bytes_later;
        a_lost_journal_does_not_fund_again;
        what_a_lost_block_showed_is_undone_but_for_the_secret;
        a_payment_is_sent_once;
        a_wrong_amount_is_a_fault_and_never_credited;
        a_second_funding_is_a_fault_and_the_refund_takes_both;
        an_outside_payment_funds_the_lock;
    } but not {
        only_its_payer_can_fund_the_lock: "anybody can: a lock is an address";
    }

    "accounts and contracts" [
        ethereum: crate::evm::ethereum;
        smt: crate::evm::smt;
        erc20: crate::evm::erc20;
        silent_erc20: crate::evm::silent_erc20;
        smt_erc20: crate::evm::smt_erc20;
    ] tells {
        a_lock_is_funded_and_redeemed_and_the_secret_is_seen;
        a_lock_that_nobody_redeems_is_refunded_after_its_expiry_only;
        a_wrong_secret_is_refused_and_nothing_is_signed;
        what_is_less_or_ends_sooner_than_agreed_is_not_credited;
        a_late_redeem_works_exactly_where_the_ledger_says_so;
        ensuring_twice_funds_once;
        a_restarted_adapter_sees_the_same;
        a_cancelled_funding_never_comes;
        a_wallet_that_has_too_little_says_so;
        impossible_terms_are_refused;
        only_its_payer_can_fund_the_lock;
        a_crash_before_sending_sends_the_same_bytes_later;
        a_lost_journal_does_not_fund_again;
        what_a_lost_block_showed_is_undone_but_for_the_secret;
        a_payment_is_sent_once;
    } but not {
        a_wrong_amount_is_a_fault_and_never_credited: "a slot is named by all terms, payer and amount among them: what a stranger locks, or another amount, is another lock";
        a_second_funding_is_a_fault_and_the_refund_takes_both: "the contract takes the same terms once";
        an_outside_payment_funds_the_lock: "a lock is a call of its payer's account";
    }

    "payment channels" [
        ethereum_channel: crate::channel::ethereum;
        smt_channel: crate::channel::smt;
        erc20_channel: crate::channel::erc20;
    ] tells {
        a_lock_is_funded_and_redeemed_and_the_secret_is_seen;
        a_lock_that_nobody_redeems_is_refunded_after_its_expiry_only;
        a_wrong_secret_is_refused_and_nothing_is_signed;
        what_is_less_or_ends_sooner_than_agreed_is_not_credited;
        a_late_redeem_works_exactly_where_the_ledger_says_so;
        ensuring_twice_funds_once;
        a_restarted_adapter_sees_the_same;
        a_cancelled_funding_never_comes;
        a_wallet_that_has_too_little_says_so;
        impossible_terms_are_refused;
        only_its_payer_can_fund_the_lock;
    } but not {
        a_crash_before_sending_sends_the_same_bytes_later: "no transaction is sent: what was signed and what is on its way are one commit, and tests/matrix kills at every point of it";
        a_lost_journal_does_not_fund_again: "a channel's books are the money: who has lost them signs no update any more (src/channels/tests/a_lost_database_costs_nothing.rs)";
        what_a_lost_block_showed_is_undone_but_for_the_secret: "no block shows a leg while its parties answer; registrations and closes that are unmined are told in src/channels/tests/a_reorganisation_loses_nothing.rs";
        a_payment_is_sent_once: "money in channels is paid by payments, which are no deeds of this port";
        a_wrong_amount_is_a_fault_and_never_credited: "a stranger's payment finds nothing that awaits it, and goes back by itself";
        a_second_funding_is_a_fault_and_the_refund_takes_both: "a payee holds one lock for a hash, and gives a second one back";
        an_outside_payment_funds_the_lock: "a lock is an update of its payer's channel";
    }
}

/// A story that is told of one ledger is told of all, or is left out there by its name and for a reason.
#[test]
fn every_story_is_told_of_every_kind_of_ledger_or_left_out_for_a_reason() {
    let stories = |kind: &Kind| {
        let left = kind.left_out.iter().map(|(story, _)| *story);
        let mut all: Vec<_> = kind.told.iter().copied().chain(left).collect();
        all.sort_unstable();
        all
    };
    let all = stories(&KINDS[0]);
    assert!(all.windows(2).all(|two| two[0] != two[1]), "each of them once");
    for kind in KINDS {
        assert_eq!(stories(kind), all, "{}", kind.name);
        assert!(kind.left_out.iter().all(|(_, why)| !why.is_empty()), "{}", kind.name);
    }
}
