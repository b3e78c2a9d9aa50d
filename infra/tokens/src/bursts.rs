//! Which bubbles are answered together: the product's own decision, played through for one conversation.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Range;

use anyhow::{Context, Result, ensure};
use clivy::conversation::decide::{Debounce, Decision, Later, View, decide};
use clivy::conversation::head::{Claim, Head};
use clivy::conversation::ids::{EpochMs, Fence, MessageKey, Owner};
use clivy::conversation::message::{Author, Content, Message, MessageKind};

use crate::corpus::{Conversation, message};

/// Bubbles that are answered together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Which ones, by their place in the conversation.
    pub bubbles: Range<usize>,
    /// When the model is asked.
    pub asked_at: EpochMs,
    /// When the customer has the answer.
    pub answered_at: EpochMs,
}

/// One question to the model, with what was said before it.
#[derive(Clone, Debug)]
pub struct Turn {
    /// When.
    pub asked_at: EpochMs,
    /// What the customer had written before, and the answers to it.
    pub history: Vec<Message>,
    /// What is asked.
    pub burst: Vec<Message>,
    /// What is answered.
    pub answer: String,
}

/// What happens to a conversation. In one moment the message comes first: a delay of the queue is at least as long as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A bubble is stored; its trigger was sent.
    Arrives(usize),
    /// The trigger of a bubble comes out of the queue.
    Fires(usize),
    /// The reply has left.
    Commits,
}

/// A conversation on its way: HEAD, and what is going to happen.
struct Run<'a> {
    bubbles: &'a [Message],
    debounce: &'a Debounce,
    /// From the claim to the answer.
    service_ms: i64,
    head: Head,
    due: BinaryHeap<Reverse<(EpochMs, Event)>>,
    taken: usize,
    batches: Vec<Batch>,
}

/// The bursts that come out when these bubbles arrive at their times, and a turn takes `service_ms` from its claim to its
/// answer. One trigger a bubble, `debounce.seconds` after it; [`decide`] says what it does.
///
/// # Errors
/// A bubble is left without a burst: the rule has lost it (I1).
pub fn bursts(bubbles: &[Message], debounce: &Debounce, service_ms: i64) -> Result<Vec<Batch>> {
    let arrivals = bubbles.iter().enumerate();
    let mut run = Run {
        bubbles,
        debounce,
        service_ms,
        head: Head::default(),
        due: arrivals
            .map(|(index, bubble)| Reverse((bubble.received_at, Event::Arrives(index))))
            .collect(),
        taken: 0,
        batches: Vec::new(),
    };
    while let Some(Reverse((now, event))) = run.due.pop() {
        run.happens(now, event)?;
    }
    ensure!(
        run.taken == bubbles.len(),
        "only {} bubbles are answered",
        run.taken
    );
    Ok(run.batches)
}

fn key(index: usize) -> MessageKey {
    MessageKey::new(format!("M#{index:06}"))
}

impl Run<'_> {
    fn happens(&mut self, now: EpochMs, event: Event) -> Result<()> {
        match event {
            Event::Arrives(index) => {
                self.head.pend.insert(key(index));
                self.head.pend_since = self.head.pend_since.or(Some(now));
                self.head.last_key = Some(key(index));
                self.head.last_at = Some(now);
                self.fire_in(self.debounce.seconds, now, index);
            }
            Event::Fires(index) => self.fires(now, index)?,
            Event::Commits => {
                self.head.claim = None;
                if let Some(newest) = self.bubbles_arrived().checked_sub(1)
                    && !self.head.pend.is_empty()
                {
                    let seconds = self.debounce.rest_seconds(self.head.last_at, now);
                    self.fire_in(seconds, now, newest);
                }
            }
        }
        Ok(())
    }

    fn bubbles_arrived(&self) -> usize {
        self.taken + self.head.pend.len()
    }

    fn fire_in(&mut self, seconds: u32, now: EpochMs, index: usize) {
        let at = now.plus_ms(i64::from(seconds) * 1_000);
        self.due.push(Reverse((at, Event::Fires(index))));
    }

    fn fires(&mut self, now: EpochMs, index: usize) -> Result<()> {
        let bubble = self.bubbles.get(index).context("no such bubble")?;
        let view = View {
            head: Some(&self.head),
            own_message_is_stored: true,
            key: &key(index),
            first_at: bubble.received_at,
            owner: &Owner("this trigger".to_owned()),
            now,
        };
        match decide(&view, self.debounce) {
            Decision::Ack(_) => {}
            // The rule is asked after a claim that failed. Nobody else is here: it says that HEAD must have changed
            // exactly where the claim's condition holds, so this is the claim.
            Decision::Rearm {
                why: Later::Changed,
                ..
            } => self.claims(now),
            Decision::Rearm { delay_seconds, .. } => self.fire_in(delay_seconds, now, index),
            // No claim outlives its turn here.
            other => anyhow::bail!("the rule says {other:?}"),
        }
        Ok(())
    }

    fn claims(&mut self, now: EpochMs) {
        let answered_at = now.plus_ms(self.service_ms);
        let end = self.bubbles_arrived();
        self.batches.push(Batch {
            bubbles: self.taken..end,
            asked_at: now,
            answered_at,
        });
        self.taken = end;
        let keys: BTreeSet<MessageKey> = std::mem::take(&mut self.head.pend);
        self.head.claim = Some(Claim {
            fence: Fence(1),
            owner: Owner("the turn".to_owned()),
            until: answered_at.plus_ms(60_000),
            since: self.head.pend_since.take().unwrap_or(now),
            keys,
            draft: None,
        });
        self.due.push(Reverse((answered_at, Event::Commits)));
    }
}

impl Conversation {
    /// The bursts, by the rule. An answer of the corpus must stand where one ends.
    ///
    /// # Errors
    /// The rule ends a burst where the corpus has no answer, or the other way round.
    pub fn bursts(&self, debounce: &Debounce, service_ms: i64) -> Result<Vec<Batch>> {
        let batches = bursts(&self.bubbles, debounce, service_ms)?;
        let ends: Vec<usize> = batches.iter().map(|batch| batch.bubbles.end).collect();
        let answers: Vec<usize> = self.answers.iter().map(|answer| answer.after).collect();
        ensure!(
            ends == answers,
            "bursts end after {ends:?}, answers stand after {answers:?}"
        );
        Ok(batches)
    }

    /// Each bubble by itself, answered before the next one comes.
    #[must_use]
    pub fn one_by_one(&self) -> Vec<Batch> {
        let alone = |(index, bubble): (usize, &Message)| Batch {
            bubbles: index..index + 1,
            asked_at: bubble.received_at,
            answered_at: bubble.received_at.plus_ms(1),
        };
        self.bubbles.iter().enumerate().map(alone).collect()
    }

    /// The questions that these batches are. A bubble that is answered alone gets its burst's answer.
    ///
    /// # Errors
    /// A batch has no answer.
    pub fn turns(&self, batches: &[Batch]) -> Result<Vec<Turn>> {
        let mut turns = Vec::new();
        let mut history: Vec<Message> = Vec::new();
        for (number, batch) in batches.iter().enumerate() {
            let burst = self
                .bubbles
                .get(batch.bubbles.clone())
                .context("no such bubbles")?;
            let answer = self
                .answers
                .iter()
                .find(|answer| answer.after >= batch.bubbles.end);
            let answer = answer.context("a burst without an answer")?.text.clone();
            turns.push(Turn {
                asked_at: batch.asked_at,
                history: history.clone(),
                burst: burst.to_vec(),
                answer: answer.clone(),
            });
            let content = Content {
                kind: MessageKind::Text,
                text: answer,
            };
            let reply = message(
                &format!("reply-{number:03}"),
                Author::Bot,
                content,
                batch.answered_at,
            )?;
            history.extend(burst.iter().cloned().chain([reply]));
            history.sort_by(|a, b| a.order().cmp(&b.order()));
        }
        Ok(turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::tests::said;
    use crate::settings::Settings;

    /// Where the bursts of bubbles end that come with these pauses, in seconds.
    fn ends(pauses: &[u32]) -> Vec<usize> {
        let bubbles: Vec<String> = pauses
            .iter()
            .map(|pause| format!("[{pause}, \"x\"]"))
            .collect();
        let talk = said(&bubbles.join(", ")).unwrap();
        let debounce = Settings::default().debounce;
        let batches = bursts(&talk.conversations[0].bubbles, &debounce, 2_800).unwrap();
        batches.iter().map(|batch| batch.bubbles.end).collect()
    }

    #[test]
    fn a_silence_of_three_seconds_ends_a_burst() {
        assert_eq!(ends(&[0, 2, 2]), [3]);
        assert_eq!(ends(&[0, 4]), [1, 2]);
        assert_eq!(ends(&[0, 60, 2, 90]), [1, 3, 4]);
    }

    #[test]
    fn a_steady_typist_is_answered_after_fifteen_seconds() {
        // The seventh trigger fires 15 s after the first bubble: eight bubbles have come by then.
        assert_eq!(ends(&[0, 2, 2, 2, 2, 2, 2, 2, 2, 2]), [8, 10]);
    }

    #[test]
    fn fifty_bubbles_are_answered_at_once() {
        let mut debounce = Settings::default().debounce;
        debounce.max_wait_seconds = 900;
        let pauses: Vec<String> = (0..60)
            .map(|n| format!("[{}, \"x\"]", u32::from(n > 0)))
            .collect();
        let talk = said(&pauses.join(", ")).unwrap();
        let batches = bursts(&talk.conversations[0].bubbles, &debounce, 2_800).unwrap();
        assert_eq!(batches[0].bubbles, 0..50);
        assert_eq!(batches.last().unwrap().bubbles.end, 60);
    }

    #[test]
    fn what_comes_while_the_bot_answers_is_the_next_burst() {
        // Asked at 3 s, answered at 5.8 s; the second bubble comes in between and has a silence of its own.
        let talk = said(r#"[0, "a"], [4, "b"], "x""#).unwrap();
        let batches = bursts(
            &talk.conversations[0].bubbles,
            &Settings::default().debounce,
            2_800,
        )
        .unwrap();
        let from_first = |at: EpochMs| at.since_ms(talk.conversations[0].bubbles[0].received_at);
        assert_eq!(from_first(batches[0].asked_at), 3_000);
        assert_eq!(from_first(batches[0].answered_at), 5_800);
        assert_eq!(from_first(batches[1].asked_at), 7_000);
    }

    #[test]
    fn an_answer_in_the_middle_of_a_burst_is_refused() {
        let debounce = Settings::default().debounce;
        for (text, fits) in [
            (r#"[0, "a"], [2, "b"], "x""#, true),
            (r#"[0, "a"], "x", [2, "b"], "y""#, false),
            (r#"[0, "a"], [9, "b"], "y""#, false),
            (r#"[0, "a"]"#, false),
        ] {
            let talk = said(text).unwrap();
            assert_eq!(
                talk.conversations[0].bursts(&debounce, 2_800).is_ok(),
                fits,
                "{text}"
            );
        }
    }

    #[test]
    fn a_turn_knows_what_was_said_before_it_and_nothing_else() {
        let talk = said(r#"[0, "a"], [2, "b"], "x", [30, "c"], "y""#).unwrap();
        let conversation = &talk.conversations[0];
        let texts = |messages: &[Message]| -> Vec<String> {
            messages.iter().map(|m| m.content.text.clone()).collect()
        };
        let batches = conversation
            .bursts(&Settings::default().debounce, 2_800)
            .unwrap();
        let turns = conversation.turns(&batches).unwrap();
        assert_eq!(texts(&turns[0].burst), ["a", "b"]);
        assert!(turns[0].history.is_empty());
        assert_eq!(
            (texts(&turns[1].history), turns[1].answer.as_str()),
            (vec!["a".to_owned(), "b".to_owned(), "x".to_owned()], "y")
        );
        let alone = conversation.turns(&conversation.one_by_one()).unwrap();
        assert_eq!(alone.len(), 3);
        assert_eq!(texts(&alone[2].history), ["a", "x", "b", "x"]);
    }
}
