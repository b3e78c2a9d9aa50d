//! What the product needs of DynamoDB: every operation of the table, with each of its conditions met and not met, at once
//! with another one where that can be, and what is left behind.
//!
//! Against the embedded engine, or another one: [`tests::contract`], with `DYNAMODB` for the name.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

#[path = "table_contract/api_keys.rs"]
mod api_keys;
#[path = "table_contract/bot_items.rs"]
mod bot_items;
#[path = "table_contract/bots.rs"]
mod bots;
#[path = "table_contract/claims.rs"]
mod claims;
#[path = "table_contract/endpoint.rs"]
mod endpoint;
#[path = "table_contract/inbox.rs"]
mod inbox;
#[path = "table_contract/ledger.rs"]
mod ledger;
#[path = "table_contract/outbox.rs"]
mod outbox;
#[path = "table_contract/races.rs"]
mod races;
#[path = "table_contract/refusals.rs"]
mod refusals;
#[path = "table_contract/retries.rs"]
mod retries;
#[path = "table_contract/smoke.rs"]
mod smoke;
#[path = "table_contract/troubles.rs"]
mod troubles;
#[path = "table_contract/turns.rs"]
mod turns;

use std::path::Path;

use endpoint::{Endpoint, SUITE};
use tests::contract;

contract! {
    SUITE;
    claims::a_message_is_stored_once_and_is_pending,
    claims::a_message_without_a_time_is_unique_by_its_id,
    claims::of_webhooks_that_store_one_message_at_once_one_finds_it_new,
    claims::messages_that_are_stored_at_once_are_all_pending,
    claims::messages_are_read_newest_first_or_by_their_keys,
    claims::a_claim_needs_its_own_message_and_a_burst_that_is_due,
    claims::many_messages_are_claimed_without_waiting,
    claims::of_workers_that_claim_at_once_one_wins,
    claims::a_pause_and_a_backoff_hold_a_claim_back,
    claims::an_expired_claim_is_taken_over_once_with_what_came_in,
    claims::a_claim_with_a_draft_is_taken_over_as_it_is,
    turns::a_draft_is_stored_once_under_its_fence,
    turns::a_commit_moves_head_turn_reply_and_usage_together,
    turns::an_hour_counts_what_its_bursts_did,
    turns::an_owner_whose_claim_was_taken_over_is_fenced_out,
    turns::a_commit_that_is_repeated_after_a_lost_answer_happens_once,
    turns::a_commit_does_not_leave_what_came_in_without_a_trigger,
    turns::the_brakes_pause_does_not_shorten_a_longer_one,
    turns::a_release_puts_messages_back_unless_there_is_a_draft,
    turns::a_lease_is_handed_back_by_its_owner_only,
    turns::a_parked_turn_is_put_back_once,
    turns::turns_are_listed_by_how_they_stand_in_pages,
    inbox::conversations_are_listed_by_activity_and_found,
    inbox::the_list_goes_on_where_a_page_ended,
    inbox::a_thread_goes_on_where_a_page_ended,
    inbox::a_conversation_is_read_paused_and_resumed_only_if_it_is_there,
    inbox::a_persons_message_pauses_and_shortens_no_pause,
    inbox::an_edit_changes_its_authors_message_only,
    inbox::erasing_leaves_nothing_and_keeps_messages_out_meanwhile,
    outbox::an_outgoing_message_is_stored_once_in_a_conversation_that_is_there,
    outbox::the_outbox_is_claimed_once_and_emptied_by_its_owner,
    outbox::an_erased_message_only_leaves_the_outbox,
    outbox::what_is_owed_is_found_until_it_is_not_any_more,
    outbox::owed_conversations_come_in_pages,
    bots::a_bot_is_written_over_what_was_read_and_nothing_else,
    bots::a_token_leads_to_one_bot,
    bots::twenty_versions_are_kept_the_current_one_among_them,
    bots::an_owner_sees_its_own_bots_only,
    bots::a_document_is_written_over_what_was_read_and_goes_on_counting,
    bots::a_bot_has_as_many_documents_as_it_may_and_not_one_more,
    bots::a_file_writes_a_bot_once_and_leaves_edits_alone,
    bots::a_deleted_bot_leaves_a_mark_and_nothing_else,
    bots::a_vault_seals_what_is_written_and_opens_what_is_read,
    bot_items::items_that_are_older_than_versions_can_be_edited,
    bot_items::items_of_newer_versions_are_left_alone,
    bot_items::settings_hold_no_documents,
    bot_items::a_file_takes_back_the_token_and_the_owner_that_it_names_no_more,
    bot_items::a_file_writes_the_documents_that_differ,
    bot_items::a_file_may_have_as_many_documents_as_a_bot,
    bot_items::a_file_takes_a_bot_from_an_owner_whose_deletion_was_cut_short,
    bot_items::a_deleted_bot_stays_away_until_its_file_says_something_else,
    bot_items::a_deletion_that_is_late_leaves_the_next_bot_alone,
    api_keys::an_api_key_is_found_by_its_hash_and_revoked_by_its_owner,
    ledger::a_breaker_is_opened_once_by_failures_in_a_row,
    ledger::one_at_a_time_probes_a_breaker_and_a_dead_probe_ends,
    ledger::a_breaker_is_opened_and_closed_for_a_reason,
    ledger::a_model_is_parked_by_itself,
    ledger::an_answer_is_kept_for_a_day_and_its_hits_are_counted,
    ledger::an_hour_of_the_credits_is_run_once,
    ledger::what_was_told_about_credits_is_kept_by_concern,
    ledger::the_newest_outcome_and_the_last_sweep_are_kept,
    ledger::a_bots_window_has_room_for_so_many_messages,
    ledger::lost_calls_count_once_a_fence_and_trials_every_time,
    smoke::a_smoke_tests_reply_counts_once_and_each_other_text_again,
}

/// The names of the public operations in a source of `shared/src/table`.
fn operations(source: &str) -> Vec<&str> {
    let shipped = source.split("#[cfg(test)]").next().unwrap_or_default();
    shipped
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("pub async fn "))
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect()
}

fn sources(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn every_operation_of_the_table_is_called_by_the_contract() {
    let cases = sources("tests/table_contract").concat();
    let table = sources("../shared/src/table");
    let all: Vec<&str> = table.iter().flat_map(|source| operations(source)).collect();
    assert!(all.len() > 70, "only {} operations are seen", all.len());
    let is_called = |name: &str| {
        [format!(".{name}("), format!("schema::{name}(")]
            .iter()
            .any(|call| cases.contains(call))
    };
    let forgotten: Vec<&&str> = all.iter().filter(|name| !is_called(name)).collect();
    assert!(forgotten.is_empty(), "not in the contract: {forgotten:?}");
}

#[test]
fn an_operation_is_seen_whatever_stands_around_it() {
    let source = "impl Table {\n    pub async fn a(&self) {}\n    async fn b() {}\n    pub async fn c<T>(t: T) {}\n}\n\
                  #[cfg(test)]\nmod tests { pub async fn d() {} }";
    assert_eq!(operations(source), ["a", "c"]);
}
