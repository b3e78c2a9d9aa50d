//! Whether a run adds up: every accepted bubble in exactly one answer, each answer to whom it belongs, under one id, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::ledger::{Leak, Ledger, Sent};
use crate::token::{Customer, Token};

/// The turns that ended with the fallback text, as the table tells them: reply id, and the bubbles of the burst.
pub type Parked = BTreeMap<String, BTreeSet<Token>>;

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// I1: accepted, and in no answer.
    Lost(Token),
    /// I2: in more than one answer.
    Doubled(Token, BTreeSet<String>),
    /// I5: one id with two texts, or for two customers.
    Changed(String),
    /// I12: an answer that reaches somebody else.
    Misdirected(String, Token),
    /// An answer to a bubble that nobody wrote.
    Invented(String, Token),
    /// An answer to nobody we know.
    Stranger(String),
    /// I12: a prompt with another conversation in it.
    Leaked(Leak),
    /// I4: an answer after the answer to later bubbles.
    OutOfOrder(String),
    /// A text that answers nothing, and belongs to no turn that was parked.
    Empty(String),
}

impl Fault {
    fn kind(&self) -> &'static str {
        match self {
            Self::Lost(_) => "lost",
            Self::Doubled(..) => "answered twice",
            Self::Changed(_) => "id with two texts",
            Self::Misdirected(..) => "sent to somebody else",
            Self::Invented(..) => "answer to nothing",
            Self::Stranger(_) => "sent to a stranger",
            Self::Leaked(_) => "prompt of two conversations",
            Self::OutOfOrder(_) => "out of order",
            Self::Empty(_) => "text without a turn",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind())?;
        match self {
            Self::Lost(token) => write!(f, "{token}"),
            Self::Doubled(token, ids) => write!(f, "{token} in {ids:?}"),
            Self::Misdirected(id, token) | Self::Invented(id, token) => {
                write!(f, "{token} in {id}")
            }
            Self::Leaked(Leak { asker, seen }) => write!(f, "{asker} saw {seen}"),
            Self::Changed(id) | Self::Stranger(id) | Self::OutOfOrder(id) | Self::Empty(id) => {
                f.write_str(id)
            }
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Bubbles whose webhook got 200.
    pub accepted: usize,
    /// Of these, in exactly one answer of the model.
    pub answered: usize,
    /// Of these, met with exactly one fallback text, and their turn parked where a person sees it (I1).
    pub parked: usize,
    /// Bubbles whose webhook never got 200, however often it was posted. Nobody was promised anything, and yet.
    pub refused: usize,
    /// Answers and fallback texts, each id once.
    pub replies: usize,
    /// Sends of an id that had been sent.
    pub repeated_sends: usize,
    /// What must not happen.
    #[serde(serialize_with = "as_texts")]
    pub faults: Vec<Fault>,
}

fn as_texts<S: serde::Serializer>(faults: &[Fault], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(faults.iter().map(Fault::to_string))
}

impl Verdict {
    /// Judges a run that has come to rest.
    #[must_use]
    pub fn of(ledger: &Ledger, parked: &Parked) -> Self {
        let mut verdict = Self {
            accepted: ledger.accepted_count(),
            refused: ledger.bubbles.len() - ledger.accepted_count(),
            replies: ledger.replies().count(),
            ..Self::default()
        };
        verdict.repeated_sends = ledger.sends.len() - verdict.replies;
        verdict.ids(ledger);
        verdict.texts(ledger, parked);
        verdict.order(ledger);
        verdict.bubbles(ledger, parked);
        let leaks = ledger.leaks.iter().copied().map(Fault::Leaked);
        verdict.faults.extend(leaks);
        verdict
    }

    /// How many faults there are of each kind.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for fault in &self.faults {
            *kinds.entry(fault.kind()).or_default() += 1;
        }
        kinds
    }

    /// How many bubbles were lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        let is_lost = |fault: &&Fault| matches!(fault, Fault::Lost(_));
        self.faults.iter().filter(is_lost).count()
    }

    /// Everything that must not happen, but losses.
    #[must_use]
    pub fn wrong(&self) -> usize {
        self.faults.len() - self.lost()
    }

    /// Everything was accepted in the end, and nothing happened that must not.
    ///
    /// # Errors
    /// Something did; the error names the first faults.
    pub fn check(&self) -> anyhow::Result<()> {
        const SHOWN: usize = 20;
        let shown: Vec<String> = self
            .faults
            .iter()
            .take(SHOWN)
            .map(Fault::to_string)
            .collect();
        anyhow::ensure!(
            self.faults.is_empty(),
            "{} faults {:?}:\n  {}",
            self.faults.len(),
            self.kinds(),
            shown.join("\n  ")
        );
        let refused = self.refused;
        anyhow::ensure!(refused == 0, "{refused} bubbles were never accepted");
        anyhow::ensure!(
            self.accepted > 0,
            "no bubble was accepted: nothing was tried"
        );
        Ok(())
    }

    /// I5: one id, one text, one customer.
    fn ids(&mut self, ledger: &Ledger) {
        let mut first: BTreeMap<&str, &Sent> = BTreeMap::new();
        let mut changed = BTreeSet::new();
        for sent in &ledger.sends {
            let known = first.entry(&sent.id).or_insert(sent);
            if (&known.text, &known.phone, known.bot) != (&sent.text, &sent.phone, sent.bot) {
                changed.insert(sent.id.clone());
            }
        }
        self.faults.extend(changed.into_iter().map(Fault::Changed));
    }

    /// Each text reaches who asked, and answers something.
    fn texts(&mut self, ledger: &Ledger, parked: &Parked) {
        for sent in ledger.replies() {
            let id = || sent.id.clone();
            let Some(customer) = sent.customer() else {
                self.faults.push(Fault::Stranger(id()));
                continue;
            };
            let tokens: BTreeSet<Token> = Token::all(&sent.text).collect();
            if tokens.is_empty() && !parked.contains_key(&sent.id) {
                self.faults.push(Fault::Empty(id()));
            }
            for token in tokens {
                if token.customer != customer {
                    self.faults.push(Fault::Misdirected(id(), token));
                } else if !ledger.bubbles.contains_key(&token) {
                    self.faults.push(Fault::Invented(id(), token));
                }
            }
        }
    }

    /// I4: a customer's answers come in the order of the bubbles they answer.
    fn order(&mut self, ledger: &Ledger) {
        let mut answered_to: BTreeMap<Customer, u32> = BTreeMap::new();
        for sent in ledger.replies() {
            let Some(customer) = sent.customer() else {
                continue;
            };
            let numbers = || {
                let own = Token::all(&sent.text).filter(|token| token.customer == customer);
                own.map(|token| token.number)
            };
            let (Some(least), Some(most)) = (numbers().min(), numbers().max()) else {
                continue;
            };
            let before = answered_to.entry(customer).or_default();
            if least <= *before {
                self.faults.push(Fault::OutOfOrder(sent.id.clone()));
            }
            *before = (*before).max(most);
        }
    }

    /// I1, I2: every accepted bubble is in exactly one answer.
    fn bubbles(&mut self, ledger: &Ledger, parked: &Parked) {
        let mut ids: BTreeMap<Token, BTreeSet<String>> = BTreeMap::new();
        for sent in ledger.replies() {
            let fallback = parked.get(&sent.id).into_iter().flatten().copied();
            // Once each, though a text may quote a bubble twice.
            for token in Token::all(&sent.text).chain(fallback) {
                ids.entry(token).or_default().insert(sent.id.clone());
            }
        }
        for (token, bubble) in &ledger.bubbles {
            let ids = ids.remove(token).unwrap_or_default();
            let is_accepted = bubble.accepted.is_some();
            match (ids.first(), ids.len()) {
                (None, _) if is_accepted => self.faults.push(Fault::Lost(*token)),
                // Nobody was promised anything.
                (_, 0 | 1) if !is_accepted => {}
                (Some(id), 1) if parked.contains_key(id) => self.parked += 1,
                (Some(_), 1) => self.answered += 1,
                _ => self.faults.push(Fault::Doubled(*token, ids)),
            }
        }
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
