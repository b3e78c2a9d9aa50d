//! HEAD: the one item a conversation is decided from.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{EpochMs, Fence, MessageId, MessageKey, Owner};
use super::outcome::{Outcome, Spent, TurnStatus};
use super::outgoing::Outbox;
use super::rate::Window;
use super::trigger::ModelName;
use crate::usage::Day;

/// The protocol's part of a conversation's HEAD.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    /// When the conversation began; none when that was before it was noted. Part of its reply ids.
    pub born_at: Option<EpochMs>,
    /// Messages that no burst has taken yet.
    pub pend: BTreeSet<MessageKey>,
    /// When the oldest of them became pending.
    pub pend_since: Option<EpochMs>,
    /// The message that arrived last.
    pub last_key: Option<MessageKey>,
    /// When it arrived.
    pub last_at: Option<EpochMs>,
    /// Bursts committed so far. The burst in flight, if any, is this plus one.
    pub bursts: u64,
    /// Tries at the burst in flight or released, this one included.
    pub tries: u32,
    /// Until when a failed burst waits for its next try.
    pub retry_at: Option<EpochMs>,
    /// Until when a person has the conversation, or nobody because of the loop brake.
    pub paused_until: Option<EpochMs>,
    /// Who paused it last.
    pub paused_by: Option<PausedBy>,
    /// Since when the contact wants no answers; none when they are welcome.
    pub opted_out_at: Option<EpochMs>,
    /// Until when the last burst that met a rate limit was held.
    pub held_until: Option<EpochMs>,
    /// When its last burst was committed.
    pub ended_at: Option<EpochMs>,
    /// The window of the rate limit.
    pub window: Window,
    /// What earlier tries of the burst in flight have used up.
    pub spent: Spent,
    /// The day on which the conversation was counted last. Moved by the commit alone, so it stands still while a claim
    /// is held.
    pub counted_day: Option<Day>,
    /// Who works on it, if anybody.
    pub claim: Option<Claim>,
    /// Persons' messages that are being sent.
    pub outbox: Outbox,
    /// The model that a person wants a retried turn to be answered with.
    pub retry_with: Option<RetryWith>,
}

/// The model of a turn that a person has retried.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryWith {
    /// The only model to ask.
    pub model: ModelName,
    /// The newest message of that turn: the wish is for the burst that holds it, and for no other.
    pub key: MessageKey,
}

/// What a conversation is waiting for, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing is owed.
    Idle,
    /// Messages wait for their silence, the end of a pause or a limit, or a worker.
    Waiting,
    /// A worker makes the answer.
    Answering,
    /// The answer is made, and on its way.
    Sending,
    /// A try has failed; another one follows.
    Retrying,
}

/// Who paused a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// A person of the business, who answers.
    Person,
    /// The loop brake: the contact looks like another bot.
    LoopBrake,
    /// Somebody that only a newer version knows.
    #[serde(other)]
    Unknown,
}

impl PausedBy {
    /// The word the table uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::LoopBrake => "loop_brake",
            Self::Unknown => "unknown",
        }
    }
}

/// The claim part of HEAD: the burst somebody works on.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Its number.
    pub fence: Fence,
    /// Who holds it.
    pub owner: Owner,
    /// When it may be taken over.
    pub until: EpochMs,
    /// When the burst's oldest message became pending.
    pub since: EpochMs,
    /// The messages of the burst.
    pub keys: BTreeSet<MessageKey>,
    /// The reply, once there is one. It never changes again (I2).
    pub draft: Option<Draft>,
}

/// A reply that is stored but perhaps not yet sent.
#[derive(Clone, PartialEq)]
pub struct Draft {
    /// What the customer will read. Empty when the burst ends without a reply.
    pub text: String,
    /// The id the gateway will see, every time (I5).
    pub reply_id: MessageId,
    /// What the turn's record will say.
    pub outcome: Outcome,
    /// Calls to the gateway that were begun for it.
    pub sends: u32,
}

/// Without the text: it must not reach a log (I11).
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("text", &"[redacted]")
            .field("reply_id", &self.reply_id)
            .field("outcome", &self.outcome)
            .field("sends", &self.sends)
            .finish()
    }
}

impl Draft {
    /// The same when it is not sent (again), because a person has the conversation. It may have reached the customer
    /// already, so its text stays what it is and its id is used for nothing else (I2, I5).
    #[must_use]
    pub fn withheld(&self) -> Self {
        Self {
            outcome: self.outcome.clone().withheld(),
            ..self.clone()
        }
    }

    /// Whether the customer has read it, as far as we know.
    #[must_use]
    pub fn is_said(&self) -> bool {
        let never_arrived = [TurnStatus::Undelivered, TurnStatus::LeftToPerson];
        !self.text.is_empty() && !never_arrived.contains(&self.outcome.status)
    }
}

impl Head {
    /// Until when the conversation is paused; none when it is not.
    #[must_use]
    pub fn paused(&self, now: EpochMs) -> Option<EpochMs> {
        self.paused_until.filter(|until| *until > now)
    }

    /// What the conversation is waiting for.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.claim {
            Some(claim) => match &claim.draft {
                Some(draft) if !draft.text.is_empty() => State::Sending,
                _ => State::Answering,
            },
            None if self.pend.is_empty() => State::Idle,
            // Given back when the burst only waits: what is left are tries that failed.
            None if self.tries > 0 => State::Retrying,
            None => State::Waiting,
        }
    }

    /// The newest message, while something is owed: pending, or claimed and perhaps released again. Its trigger covers
    /// everything (I3).
    #[must_use]
    pub fn owes(&self) -> Option<&MessageKey> {
        let is_owed = !self.pend.is_empty() || self.claim.is_some();
        self.last_key.as_ref().filter(|_| is_owed)
    }

    /// The number of the burst in flight, or of the next one.
    #[must_use]
    pub fn burst(&self) -> u64 {
        self.bursts.saturating_add(1)
    }

    /// Since when the customer has waited for nothing but us: from the oldest message that is not answered, or the end
    /// of a pause or of a rate limit, whichever is last. None when nothing is owed.
    #[must_use]
    pub fn waits_since(&self, now: EpochMs) -> Option<EpochMs> {
        let oldest = match &self.claim {
            Some(claim) => Some(claim.since),
            None => self.pend_since,
        };
        oldest.map(|oldest| {
            [self.paused_until, self.held_until]
                .into_iter()
                .flatten()
                .map(|until| until.min(now))
                .fold(oldest, EpochMs::max)
        })
    }

    /// The only model that a burst of these messages is to be answered with; none for the bot's ladder.
    #[must_use]
    pub fn wanted_model(&self, burst: &BTreeSet<MessageKey>) -> Option<&ModelName> {
        let wanted = self.retry_with.as_ref()?;
        burst.contains(&wanted.key).then_some(&wanted.model)
    }

    /// For how long the customer has waited for nothing but us, in milliseconds; none when nothing is owed, or while a
    /// pause or a rate limit lasts.
    #[must_use]
    pub fn waited_ms(&self, now: EpochMs) -> Option<i64> {
        let is_held = [self.paused_until, self.held_until]
            .into_iter()
            .flatten()
            .any(|until| until >= now);
        let since = self.waits_since(now).filter(|_| !is_held)?;
        Some(now.since_ms(since).max(0))
    }

    /// Whether HEAD itself shows that a message is stored. `false` says nothing: the message may have
    /// been answered long ago, and only its item tells.
    #[must_use]
    pub fn shows(&self, key: &MessageKey) -> bool {
        self.pend.contains(key) || self.claim.as_ref().is_some_and(|c| c.keys.contains(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(draft: Option<&str>) -> Head {
        Head {
            claim: Some(Claim {
                fence: Fence(7),
                owner: Owner("me".to_owned()),
                until: EpochMs(0),
                since: EpochMs(0),
                keys: BTreeSet::new(),
                draft: draft.map(|text| Draft {
                    text: text.to_owned(),
                    reply_id: MessageId::new("A").unwrap(),
                    outcome: Outcome::without_answer(TurnStatus::Answered),
                    sends: 1,
                }),
            }),
            ..Head::default()
        }
    }

    #[test]
    fn the_state_says_what_the_conversation_waits_for() {
        let pending = Head {
            pend: [MessageKey::new("M#1".to_owned())].into(),
            ..Head::default()
        };
        let failed = Head {
            tries: 1,
            ..pending.clone()
        };
        // A claim whose worker died is still the one that will be answered.
        let again = Head {
            tries: 2,
            ..claimed(None)
        };
        for (head, state) in [
            (Head::default(), State::Idle),
            (pending, State::Waiting),
            (failed, State::Retrying),
            (claimed(None), State::Answering),
            (again, State::Answering),
            (claimed(Some("Halo")), State::Sending),
            (claimed(Some("")), State::Answering),
        ] {
            assert_eq!(head.state(), state);
        }
    }

    #[test]
    fn the_newest_message_covers_what_is_pending_and_what_is_claimed() {
        let newest = MessageKey::new("M#1".to_owned());
        let with_last = |head: Head| Head {
            last_key: Some(newest.clone()),
            ..head
        };
        assert_eq!(with_last(Head::default()).owes(), None);
        assert_eq!(with_last(claimed(None)).owes(), Some(&newest));
        let pending = Head {
            pend: [newest.clone()].into(),
            ..Head::default()
        };
        assert_eq!(with_last(pending).owes(), Some(&newest));
    }

    #[test]
    fn a_pause_and_a_rate_limit_are_no_wait_of_ours() {
        let now = EpochMs(100_000);
        let head = Head {
            pend_since: Some(EpochMs(10_000)),
            ..Head::default()
        };
        assert_eq!(head.waits_since(now), Some(EpochMs(10_000)));
        assert_eq!(head.waited_ms(now), Some(90_000));
        let held = Head {
            held_until: Some(EpochMs(70_000)),
            ..head.clone()
        };
        assert_eq!(held.waits_since(now), Some(EpochMs(70_000)));
        assert_eq!(held.waited_ms(now), Some(30_000));
        assert_eq!(held.waited_ms(EpochMs(60_000)), None, "it still lasts");
        let paused = Head {
            paused_until: Some(EpochMs(500_000)),
            ..held
        };
        assert_eq!(paused.waits_since(now), Some(now), "it still lasts");
        assert_eq!(paused.waited_ms(now), None);
        assert_eq!(Head::default().waited_ms(now), None);
        assert_eq!(Head::default().waits_since(now), None);
    }

    #[test]
    fn a_pause_that_ends_now_has_ended() {
        let paused = Head {
            paused_until: Some(EpochMs(1_000)),
            ..Head::default()
        };
        assert_eq!(paused.paused(EpochMs(999)), Some(EpochMs(1_000)));
        assert_eq!(paused.paused(EpochMs(1_000)), None);
        assert_eq!(paused.paused(EpochMs(1_001)), None);
        assert_eq!(Head::default().paused(EpochMs(0)), None);
    }

    #[test]
    fn a_draft_is_said_when_it_has_a_text_and_nothing_is_known_against_it() {
        for (text, status, is_said) in [
            ("Halo", TurnStatus::Answered, true),
            ("", TurnStatus::Answered, false),
            ("Halo", TurnStatus::Undelivered, false),
            ("Halo", TurnStatus::LeftToPerson, false),
            ("", TurnStatus::LeftToPerson, false),
        ] {
            let mut draft = claimed(Some(text)).claim.unwrap().draft.unwrap();
            draft.outcome = Outcome::without_answer(status);
            assert_eq!(draft.is_said(), is_said, "{text:?} {status:?}");
        }
    }

    #[test]
    fn a_withheld_draft_is_the_same_with_another_outcome_and_shows_no_text() {
        let draft = claimed(Some("Halo")).claim.unwrap().draft.unwrap();
        let withheld = draft.withheld();
        assert_eq!(withheld.outcome, draft.outcome.clone().withheld());
        assert_ne!(withheld.outcome, draft.outcome);
        assert_eq!(
            (&withheld.text, &withheld.reply_id),
            (&draft.text, &draft.reply_id)
        );
        let shown = format!("{draft:?}");
        assert!(
            !shown.contains("Halo") && shown.contains("Draft"),
            "I11: {shown}"
        );
    }

    #[test]
    fn a_burst_has_the_next_number_its_messages_are_shown_and_its_model_is_its_own() {
        let [pending, taken, other] =
            ["M#1", "M#2", "M#3"].map(|key| MessageKey::new(key.to_owned()));
        let model = ModelName::new("a/b").unwrap();
        let mut head = claimed(None);
        head.bursts = 7;
        head.pend = [pending.clone()].into();
        head.claim.as_mut().unwrap().keys = [taken.clone()].into();
        head.retry_with = Some(RetryWith {
            key: taken.clone(),
            model: model.clone(),
        });
        assert_eq!(head.burst(), 8);
        assert!(head.shows(&pending) && head.shows(&taken) && !head.shows(&other));
        assert_eq!(head.wanted_model(&[taken].into()), Some(&model));
        assert_eq!(head.wanted_model(&[other].into()), None);
    }

    #[test]
    fn who_paused_has_the_word_of_the_table() {
        for by in [PausedBy::Person, PausedBy::LoopBrake] {
            let written = serde_json::to_value(by).unwrap();
            assert_eq!(written, by.as_str());
        }
        let unknown: PausedBy = serde_json::from_str("\"somebody new\"").unwrap();
        assert_eq!(unknown.as_str(), "unknown");
    }
}
