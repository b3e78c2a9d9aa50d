//! K6: the burst is counted, its reply, its turn and its usage are written, all or nothing.

use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};

use super::item::{self, preview};
use super::schema::item_key;
use super::store::{put, token, update};
use super::usage::UsageCounts;
use super::{Name, Table, TableError, Transacted, keys, n, s};
use crate::conversation::head::{Claim, Draft, Head, PausedBy};
use crate::conversation::ids::{ConversationId, EpochMs, MessageKey};
use crate::conversation::message::{Author, Content, Message, MessageKind};
use crate::conversation::opt::Opt;
use crate::conversation::outcome::TurnStatus;
use crate::conversation::rate::Window;

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
    /// small items, 2 in the index by activity and 1 in that of owed answers.
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
        let (said, listed) = if is_last_word {
            (
                ", last_text = :text, last_kind = :kind, last_author = :author",
                "l_text = :text, l_kind = :kind, l_author = :author, l_unread = unread, \
                 l_name = if_not_exists(contact_name, :empty)",
            )
        } else {
            ("", super::claim::LIST_FROM_ROOM)
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
                "SET burst = :burst, ended_at = :now, active_at = :now, list_at = :now, {listed}{said}{window}{paused}{opted_out}{still_owed} \
                 REMOVE c_fence, c_owner, c_until, c_since, c_mids, c_text, c_rid, c_outcome, c_sends, \
                 tries, spent, retry_at{opted_in}{no_longer_owed}"
            ))
            .condition_expression(format!("c_fence = :fence AND {covered}{not_longer}"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":burst", n(commit.burst))
            .expression_attribute_values(":now", n(commit.now.0))
            .expression_attribute_values(":empty", s(""))
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
        if let Some(rearmed) = commit.rearmed {
            head = head.expression_attribute_values(":rearmed", s(rearmed.as_str()));
        }
        head
    }
}

/// What the commit of a burst counts.
fn counted(commit: &Commit<'_>) -> UsageCounts {
    let outcome = &commit.draft.outcome;
    UsageCounts {
        turns: 1,
        by_status: [(outcome.status.as_str(), 1)].into(),
        messages: commit.claim.keys.len() as u64,
        free_answers: u64::from(outcome.is_free),
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
    }
}
