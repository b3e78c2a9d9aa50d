//! What was written, asked and sent; whether it adds up is the [verdict](crate::verdict). Times are counted from the run's
//! beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::token::{Customer, Token, call_number};

/// A bubble.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bubble {
    /// When its sender first tried.
    pub written: Duration,
    /// When its webhook was first answered with 200.
    pub accepted: Option<Duration>,
    /// How often it was posted.
    pub posts: u32,
}

/// One question to the model.
#[derive(Clone, Debug)]
pub struct Call {
    /// When the question was there.
    pub began: Duration,
    /// When it was answered; never for one whose asker went away.
    pub ended: Option<Duration>,
}

/// One text at the gateway, as often as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The instance whose token came with it.
    pub bot: u32,
    /// To whom.
    pub phone: String,
    /// Its id.
    pub id: String,
    /// What.
    pub text: String,
    /// When.
    pub at: Duration,
}

impl Sent {
    /// Whom it reaches, if it is one of ours.
    #[must_use]
    pub fn customer(&self) -> Option<Customer> {
        Customer::at(self.bot, &self.phone)
    }
}

/// A token of another conversation in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Who asked.
    pub asker: Customer,
    /// What the model should not have seen.
    pub seen: Token,
}

/// Everything that a run's outside has seen.
#[derive(Default)]
pub struct Ledger {
    /// Every bubble.
    pub bubbles: BTreeMap<Token, Bubble>,
    /// Every question, by its number.
    pub calls: Vec<Call>,
    /// Every send, in the order of time.
    pub sends: Vec<Sent>,
    /// Prompts that hold what another conversation said (I12).
    pub leaks: Vec<Leak>,
    /// Prompts without a bubble in the last user message.
    pub empty_questions: usize,
}

/// An answer, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// When its first bubble was written.
    pub began: Duration,
    /// From the 200 of the last bubble to the question, in seconds: debounce, queue and claim.
    pub to_question: f64,
    /// From there to the answer, in seconds: the model's own time.
    pub model: f64,
    /// From the answer to the gateway, in seconds: draft and send.
    pub to_gateway: f64,
}

impl Ledger {
    /// A bubble is posted, for the first time or again.
    pub fn posted(&mut self, token: Token, at: Duration) {
        let bubble = self.bubbles.entry(token).or_insert(Bubble {
            written: at,
            ..Bubble::default()
        });
        bubble.posts += 1;
    }

    /// Its webhook was answered with 200.
    pub fn accepted(&mut self, token: Token, at: Duration) {
        let bubble = self.bubbles.entry(token).or_default();
        bubble.accepted.get_or_insert(at);
    }

    /// The model is asked; gives the call's number and what must be in the answer. `bot` is the one that the instructions
    /// are of, `question` the last user message, `others` every other text of the prompt.
    pub fn asked<'t>(
        &mut self,
        bot: Option<u32>,
        question: &str,
        others: impl Iterator<Item = &'t str>,
        at: Duration,
    ) -> (usize, Vec<Token>) {
        let tokens: Vec<Token> = Token::all(question).collect();
        match tokens.first().map(|token| token.customer) {
            None => self.empty_questions += 1,
            Some(asker) => {
                let strange = |token: &Token| {
                    token.customer != asker || bot.is_some_and(|bot| bot != token.customer.bot)
                };
                let others = others.flat_map(Token::all).collect::<Vec<_>>();
                let seen = tokens.iter().copied().chain(others).filter(strange);
                self.leaks.extend(seen.map(|seen| Leak { asker, seen }));
            }
        }
        self.calls.push(Call {
            began: at,
            ended: None,
        });
        (self.calls.len() - 1, tokens)
    }

    /// The model answers.
    pub fn answered(&mut self, call: usize, at: Duration) {
        if let Some(call) = self.calls.get_mut(call) {
            call.ended = Some(at);
        }
    }

    /// The gateway is to send a text.
    pub fn sent(&mut self, sent: Sent) {
        self.sends.push(sent);
    }

    /// Bubbles that were accepted.
    #[must_use]
    pub fn accepted_count(&self) -> usize {
        let bubbles = self.bubbles.values();
        bubbles.filter(|bubble| bubble.accepted.is_some()).count()
    }

    /// How often a webhook was posted again.
    #[must_use]
    pub fn repeated_posts(&self) -> u64 {
        let again = |bubble: &Bubble| u64::from(bubble.posts.saturating_sub(1));
        self.bubbles.values().map(again).sum()
    }

    /// The first send of each id, in the order of time.
    pub fn replies(&self) -> impl Iterator<Item = &Sent> {
        let mut seen = BTreeSet::new();
        self.sends
            .iter()
            .filter(move |sent| seen.insert(sent.id.as_str()))
    }

    /// The answers whose times are known.
    pub fn turns(&self) -> impl Iterator<Item = Turn> {
        self.replies().filter_map(|sent| {
            let call = self.calls.get(call_number(&sent.text)?)?;
            let bubbles = || Token::all(&sent.text).filter_map(|token| self.bubbles.get(&token));
            let last = bubbles().filter_map(|bubble| bubble.accepted).max()?;
            let ended = call.ended?;
            Some(Turn {
                began: bubbles().map(|bubble| bubble.written).min()?,
                to_question: seconds(last, call.began),
                model: seconds(call.began, ended),
                to_gateway: seconds(ended, sent.at),
            })
        })
    }
}

/// Negative when `to` comes first.
fn seconds(from: Duration, to: Duration) -> f64 {
    to.as_secs_f64() - from.as_secs_f64()
}
