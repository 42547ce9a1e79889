//! Stories on real nodes: what a person or a program sees of Photon when it matters.
//!
//! All stories share one world that they only add to, with parties of their own; those that stop a node or move a clock own theirs.
//! Where the nodes can't be had, each story says `SKIPPED` and why; with `CI=true` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stage;

mod a_full_disk_costs_nothing;
mod a_lost_database_loses_no_channel;
mod a_lost_database_loses_no_money;
mod an_offer_is_taken_once_or_not_at_all;
mod an_offer_reaches_whom_its_maker_never_met;
mod api_over_a_real_node;
mod bad_answers_cost_nothing;
mod demo_completes_fifteen_and_refunds_one;
mod dust_is_not_swapped;
mod duties_go_on_while_another_chain_is_down;
mod initiator_restarts_after_each_durable_fact;
mod lying_makers_are_refused;
mod lying_takers_are_refused;
mod maker_vanishes;
mod neighbours_pay_while_the_chain_is_down;
mod newcomer_path;
mod outside_wallet_funds_a_lock;
mod participant_restarts_after_each_durable_fact;
mod reorgs_in_the_middle_change_nothing;
mod secrets_never_leave;
mod swaps_go_over_channels;
mod taker_vanishes;
mod three_pay_over_channels_and_have_their_coins;
mod time_goes_wrong_and_nobody_loses;
mod two_nodes_are_asked;
mod whatever_is_unmined_nobody_loses;
mod words_alone_find_every_lock;
mod wrong_clocks_cost_nothing;
mod wrong_nodes_refuse_to_start;
