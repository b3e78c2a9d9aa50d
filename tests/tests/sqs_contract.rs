//! What the product needs of SQS, said with the AWS SDK against an endpoint.
//!
//! Against the embedded engine, or another one: [`tests::contract`], with `SQS` for the name.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

#[path = "sqs_contract/batch.rs"]
mod batch;
#[path = "sqs_contract/dead_letters.rs"]
mod dead_letters;
#[path = "sqs_contract/endpoint.rs"]
mod endpoint;
#[path = "sqs_contract/messages.rs"]
mod messages;
#[path = "sqs_contract/polling.rs"]
mod polling;
#[path = "sqs_contract/queues.rs"]
mod queues;
#[path = "sqs_contract/visibility.rs"]
mod visibility;

use endpoint::{Endpoint, SUITE};
use tests::contract;

contract! {
    SUITE;
    polling::a_delayed_message_arrives_after_its_delay_and_not_before,
    polling::a_queues_delay_applies_and_a_messages_own_overrules_it,
    polling::a_delay_outside_0_to_900_is_refused,
    polling::a_long_poll_ends_when_a_message_is_sent,
    polling::a_long_poll_ends_when_a_delayed_message_is_due,
    polling::a_long_poll_without_messages_ends_empty_after_its_wait,
    polling::a_short_poll_does_not_wait,
    polling::a_queues_own_wait_applies_to_a_receive_without_one,
    polling::one_message_goes_to_one_of_two_long_polls,
    polling::receive_parameters_outside_their_range_are_refused,
    visibility::a_received_message_is_hidden_until_its_visibility_timeout_ends,
    visibility::a_longer_visibility_keeps_a_message_hidden,
    visibility::visibility_zero_shows_a_message_at_once,
    visibility::each_receive_raises_the_count_and_keeps_the_first_receives_time,
    visibility::each_receive_has_its_own_handle_and_an_older_one_deletes_nothing,
    visibility::a_handle_deletes_after_its_visibility_timeout_ended,
    visibility::deleting_a_message_twice_succeeds,
    visibility::a_malformed_handle_is_refused,
    visibility::the_visibility_of_a_message_that_is_visible_again_cannot_change,
    visibility::the_visibility_of_a_deleted_message_cannot_change,
    visibility::a_visibility_beyond_twelve_hours_is_refused,
    dead_letters::a_message_received_too_often_moves_with_its_id_and_sent_time,
    dead_letters::a_redriven_message_returns_as_a_new_one,
    dead_letters::a_redrive_to_a_named_queue_goes_there,
    dead_letters::a_message_sent_directly_cannot_be_redriven_without_a_destination,
    dead_letters::only_an_existing_dead_letter_queue_can_be_redriven,
    dead_letters::a_redrive_policy_must_be_well_formed_and_name_a_queue,
    dead_letters::a_redrive_policy_can_be_set_read_and_removed,
    batch::a_batch_of_ten_is_sent_received_and_deleted,
    batch::an_invalid_entry_fails_alone,
    batch::a_batch_of_visibility_changes_applies_each,
    batch::a_bad_handle_in_a_batch_fails_alone,
    batch::an_empty_batch_is_refused,
    batch::a_batch_of_eleven_is_refused,
    batch::entries_with_the_same_id_are_refused,
    batch::an_entry_id_with_other_characters_is_refused,
    batch::a_batch_of_more_than_one_mebibyte_is_refused,
    messages::a_body_comes_back_unchanged_with_its_checksum,
    messages::a_group_id_is_kept_and_returned,
    messages::a_malformed_group_id_is_refused,
    messages::system_attributes_come_only_when_asked_for,
    messages::an_unknown_system_attribute_is_refused,
    messages::message_attributes_come_back_with_the_checksum_of_those_returned,
    messages::malformed_message_attributes_are_refused,
    messages::a_trace_header_is_kept_and_returned,
    messages::an_empty_body_is_refused,
    messages::characters_that_sqs_does_not_carry_are_refused,
    messages::a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_refused,
    messages::attributes_count_towards_the_size_of_a_message,
    messages::a_deduplication_id_is_refused_by_a_standard_queue,
    queues::an_unknown_queue_is_refused_with_its_legacy_code,
    queues::a_queue_is_found_by_its_name_and_gone_after_its_deletion,
    queues::creating_a_queue_again_must_ask_for_the_same,
    queues::a_new_queue_has_the_attributes_that_aws_gives_it,
    queues::only_the_attributes_asked_for_are_returned,
    queues::attribute_values_out_of_range_are_refused,
    queues::an_attribute_that_cannot_be_set_is_refused,
    queues::a_malformed_queue_name_is_refused,
    queues::queues_are_listed_by_prefix_in_pages,
    queues::the_counts_follow_the_messages,
    queues::a_purge_empties_the_queue_and_another_must_wait,
}
