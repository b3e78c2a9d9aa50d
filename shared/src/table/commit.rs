//! K6: the burst is counted, its reply, its turn and its usage are written, all or nothing.

use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};

use super::item::{self, preview};
use super::schema::item_key;
use super::store::{put, token, update};
use super::thread::summary;
use super::{Name, Table, TableError, Transacted, keys, n, s};
use crate::conversation::head::{Claim, Draft, Head, PausedBy};
use crate::conversation::ids::{ConversationId, EpochMs, MessageKey};
use crate::conversation::message::{Author, Content, Message, MessageKind};
use crate::conversation::opt::Opt;
use crate::conversation::outcome::TurnStatus;
use crate::conversation::rate::Window;
use crate::usage::{Day, Times, UsageCounts};

/// What is committed.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The conversation.
    pub id: &'a ConversationId,
    /// The burst's number.
    pub burst: u64,
    /// Tries it took.
    pub tries: u32,
    /// The claim, with the fence that must still hold.
    pub claim: &'a Claim,
    /// The reply that was sent.
    pub draft: &'a Draft,
    /// Not before the newest message of the burst, so that the history reads right.
    pub reply_at: EpochMs,
    /// The time.
    pub now: EpochMs,
    /// The rate limit's window with this burst in it; none when the burst ends without a reply.
    pub window: Option<Window>,
    /// Until when the loop brake pauses the conversation from now on, if it does. A pause that lasts longer stays; then
    /// the commit fails as uncovered.
    pub brake_until: Option<EpochMs>,
    /// Whether the burst is the one for which a person has chosen a model: it is chosen for no other.
    pub used_wanted_model: bool,
    /// The day on which the conversation was counted last, as HEAD said when the claim was won. Only a commit moves it,
    /// and while the fence holds there is no other one.
    pub counted_day: Option<Day>,
    /// The newest pending message for which a trigger was sent just before, if any was (I3).
    pub rearmed: Option<&'a MessageKey>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Committed {
    /// Done.
    Done,
    /// More has come in, and no trigger was sent for it yet: send one for HEAD's newest message, then
    /// commit again (I3). Or the conversation is paused for longer than the brake wants. HEAD as it is.
    Uncovered(Head),
    /// The claim is somebody else's by now, or was committed already.
    FencedOut,
}

impl Table {
    /// Commits a burst under its fence. While messages are pending it succeeds only if a trigger for the
    /// newest of them was sent just before (I3). All counters move in this one transaction, so they move
    /// once per reply (I8).
    ///
    /// Keys: HEAD, the reply message, the turn, the bot's usage of this hour. Costs 8 WCU for
    /// small items, 1 in the index of owed answers, and 3 in that by activity: 1 for the turn, which is listed from now on,
    /// and 2 for HEAD, whose key moves with the reply. A burst that ends without one does not move HEAD there, and writes
    /// to it only what it changes: a pause, an opt-out, a failure.
    ///
    /// # Errors
    /// The table cannot be reached, or conflicts do not end: the lease runs out, and the next owner sends the
    /// same id and text again and commits.
    pub async fn commit(&self, commit: Commit<'_>) -> Result<Committed, TableError> {
        const OPERATION: &str = "commit";
        let malformed = |e: aws_sdk_dynamodb::error::BuildError| {
            TableError::malformed(OPERATION, e.to_string())
        };
        let mut writes: Vec<TransactWriteItem> = vec![
            update(self.end_claim(&commit).build().map_err(malformed)?),
            update(self.turn_record(&commit).build().map_err(malformed)?),
            update(
                self.add_usage(&commit.id.bot_id, commit.now, &counted(&commit))
                    .build()
                    .map_err(malformed)?,
            ),
        ];
        if !commit.draft.text.is_empty() {
            let reply = reply(&commit);
            let key = keys::message(reply.platform_at, &reply.mid);
            let pk = keys::conversation(commit.id);
            let mut item = self.message_item(&pk, &key, &reply)?;
            item.insert("burst".to_owned(), n(commit.burst));
            item.insert("turn".to_owned(), summary(&commit));
            writes.push(put(self.put_new(item).build().map_err(malformed)?));
        }
        let token = token(&[
            OPERATION,
            commit.draft.reply_id.as_str(),
            &commit.claim.fence.0.to_string(),
            commit.rearmed.map_or("", MessageKey::as_str),
            if commit.brake_until.is_some() {
                "braked"
            } else {
                ""
            },
        ]);
        let cancelled = match self.transact(OPERATION, Name::Once(&token), writes).await? {
            Transacted::Done => return Ok(Committed::Done),
            Transacted::Cancelled(cancelled) => cancelled,
        };
        if !cancelled.condition_failed(0) {
            return Err(cancelled.refused(OPERATION));
        }
        let old = cancelled.old_item(0).cloned().unwrap_or_default();
        let head = item::head(OPERATION, old)?;
        Ok(match &head.claim {
            Some(claim) if claim.fence == commit.claim.fence => Committed::Uncovered(head),
            _ => Committed::FencedOut,
        })
    }

    fn end_claim(&self, commit: &Commit<'_>) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let text = &commit.draft.text;
        // What was withheld is not the last word of the conversation: the person's is.
        let is_last_word =
            !text.is_empty() && commit.draft.outcome.status != TurnStatus::LeftToPerson;
        let said = if is_last_word {
            ", list_at = :now, last_text = :text, last_kind = :kind, last_author = :author"
        } else {
            ""
        };
        let failed = if commit.draft.outcome.status.is_parked() {
            ", failed_turn = :burst"
        } else {
            ""
        };
        let window = commit.window.map_or(
            "",
            |_| ", rate_since = :rate_since, rate_answered = :rate_answered",
        );
        let (paused, not_longer) = commit.brake_until.map_or(("", ""), |_| {
            (
                ", paused_until = :pause, paused_by = :by",
                " AND (attribute_not_exists(paused_until) OR paused_until <= :pause)",
            )
        });
        let (opted_out, opted_in) = match commit.draft.outcome.opt {
            Some(Opt::Out) => (", opted_out_at = :now", ""),
            Some(Opt::In) => ("", ", opted_out_at"),
            None => ("", ""),
        };
        let wanted_model = if commit.used_wanted_model {
            ", r_model, r_mid"
        } else {
            ""
        };
        let counted = first_of_day(commit).map_or("", |_| ", counted_day = :today");
        let (covered, still_owed, no_longer_owed) = match commit.rearmed {
            None => ("attribute_not_exists(pend)", "", ", owed_pk, owed_since"),
            Some(_) => (
                "attribute_exists(pend) AND last_mid = :rearmed",
                ", owed_since = pend_since",
                "",
            ),
        };
        let mut head = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(commit.id), keys::HEAD)))
            .update_expression(format!(
                "SET burst = :burst, ended_at = :now{said}{failed}{window}{paused}{opted_out}{counted}{still_owed} \
                 REMOVE c_fence, c_owner, c_until, c_since, c_mids, c_text, c_rid, c_outcome, c_sends, \
                 tries, spent, retry_at{opted_in}{wanted_model}{no_longer_owed}"
            ))
            .condition_expression(format!("c_fence = :fence AND {covered}{not_longer}"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":burst", n(commit.burst))
            .expression_attribute_values(":now", n(commit.now.0))
            .expression_attribute_values(":fence", n(commit.claim.fence.0));
        if is_last_word {
            head = head
                .expression_attribute_values(":text", s(preview(text)))
                .expression_attribute_values(":kind", s(MessageKind::Text.as_str()))
                .expression_attribute_values(":author", s(Author::Bot.as_str()));
        }
        if let Some(Window { since, answered }) = commit.window {
            head = head
                .expression_attribute_values(":rate_since", n(since.unwrap_or(commit.now).0))
                .expression_attribute_values(":rate_answered", n(answered));
        }
        if let Some(until) = commit.brake_until {
            head = head
                .expression_attribute_values(":pause", n(until.0))
                .expression_attribute_values(":by", s(PausedBy::LoopBrake.as_str()));
        }
        if let Some(today) = first_of_day(commit) {
            head = head.expression_attribute_values(":today", n(today.number()));
        }
        if let Some(rearmed) = commit.rearmed {
            head = head.expression_attribute_values(":rearmed", s(rearmed.as_str()));
        }
        head
    }
}

/// The day that the conversation is counted for by this commit; none when it has been counted for that day already. Never
/// for a day before that: two clocks around midnight must not count one day twice (I8).
fn first_of_day(commit: &Commit<'_>) -> Option<Day> {
    let today = Day::of(commit.now);
    commit
        .counted_day
        .is_none_or(|counted| counted < today)
        .then_some(today)
}

/// What the commit of a burst counts.
fn counted(commit: &Commit<'_>) -> UsageCounts {
    let outcome = &commit.draft.outcome;
    let messages = commit.claim.keys.len() as u64;
    let waited_ms = commit.now.since_ms(commit.claim.since).max(0);
    let is_said = commit.draft.is_said();
    let is_answered = outcome.status == TurnStatus::Answered;
    UsageCounts {
        conversations: u64::from(first_of_day(commit).is_some()),
        new_contacts: u64::from(commit.burst == 1),
        turns: 1,
        by_status: [(outcome.status.as_str(), 1)].into(),
        messages,
        response_ms: if is_said { waited_ms.unsigned_abs() } else { 0 },
        response_times: if is_said {
            Times::one(waited_ms)
        } else {
            Times::default()
        },
        free_answers: u64::from(outcome.is_free),
        saved_by_batching: if is_answered {
            messages.saturating_sub(1)
        } else {
            0
        },
        cache_hits: u64::from(outcome.tokens_saved.is_some()),
        tokens_saved: outcome.tokens_saved.unwrap_or_default(),
        ..UsageCounts::of(&outcome.spent)
    }
}

fn reply(commit: &Commit<'_>) -> Message {
    Message {
        mid: commit.draft.reply_id.clone(),
        author: Author::Bot,
        content: Content {
            kind: MessageKind::Text,
            text: commit.draft.text.clone(),
        },
        platform_at: commit.reply_at,
        received_at: commit.now,
        delivered: commit.draft.is_said(),
        delivery: None,
    }
}
