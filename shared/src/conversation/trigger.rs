//! The trigger: a delayed queue message that says "look at this conversation". It carries no state; the
//! worker decides from HEAD alone.

use super::ids::{ConversationId, EpochMs, MessageKey};

/// A trigger, or the parked turn of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Whose turn it may be.
    pub conversation: ConversationId,
    /// The message that this trigger was sent for.
    pub key: MessageKey,
    /// When the trigger was first sent for that message; re-arming keeps it.
    pub first_at: EpochMs,
    /// What to look for.
    pub errand: Errand,
}

/// What a trigger is sent for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// A customer's message: the burst may be due.
    Answer,
    /// A parked turn: its burst is to be answered again. On its dead letter, and when a person wants it.
    Retry {
        /// The turn's number.
        turn: u64,
        /// The only model to ask; none for the bot's ladder.
        model: Option<ModelName>,
    },
    /// A person's message from the inbox: it is to be sent.
    Send,
}

impl Trigger {
    /// The trigger of a customer's message.
    #[must_use]
    pub fn answer(conversation: ConversationId, key: MessageKey, first_at: EpochMs) -> Self {
        Self {
            conversation,
            key,
            first_at,
            errand: Errand::Answer,
        }
    }

    /// The same when it is sent again. A turn that was put back needs no second time.
    #[must_use]
    pub fn rearmed(&self) -> Self {
        Self {
            errand: match self.errand {
                Errand::Send => Errand::Send,
                Errand::Answer | Errand::Retry { .. } => Errand::Answer,
            },
            ..self.clone()
        }
    }
}

/// The name of a model at OpenRouter, as a person chose it: 1 to 200 visible characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName(String);

/// The string is no model's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a model's name is 1 to 200 visible characters")]
pub struct InvalidModelName;

impl ModelName {
    /// A model's name.
    ///
    /// # Errors
    /// Empty, longer than 200 characters, or with spaces or control characters.
    pub fn new(value: &str) -> Result<Self, InvalidModelName> {
        let is_visible = |c: char| !c.is_whitespace() && !c.is_control();
        let is_one = (1..=200).contains(&value.chars().count()) && value.chars().all(is_visible);
        is_one
            .then(|| Self(value.to_owned()))
            .ok_or(InvalidModelName)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ids::{BotId, Contact};

    #[test]
    fn a_turn_is_put_back_once() {
        let conversation = ConversationId {
            bot_id: BotId::new("demo").unwrap(),
            contact: Contact::new("62811").unwrap(),
        };
        let answer = Trigger::answer(
            conversation,
            MessageKey::new("M#1#A".to_owned()),
            EpochMs(1),
        );
        let with = |errand| Trigger {
            errand,
            ..answer.clone()
        };
        let retry = with(Errand::Retry {
            turn: 3,
            model: None,
        });
        assert_eq!(retry.rearmed(), answer);
        assert_eq!(answer.rearmed(), answer);
        assert_eq!(with(Errand::Send).rearmed(), with(Errand::Send));
    }

    #[test]
    fn a_models_name_is_visible_and_not_too_long() {
        let longest = "x".repeat(200);
        for good in ["a/b:free", "openai/gpt-4o-mini", longest.as_str()] {
            assert_eq!(ModelName::new(good).unwrap().as_str(), good);
        }
        let too_long = "x".repeat(201);
        for bad in ["", " ", "a b", "a\0b", "a\n", too_long.as_str()] {
            assert_eq!(ModelName::new(bad), Err(InvalidModelName));
        }
    }
}
