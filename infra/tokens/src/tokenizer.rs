//! Prompts in the tokens of the model: `o200k_base`, which OpenAI's gpt-4o and gpt-4.1 families use.

use clivy::prompt::{ChatMessage, Role};
use tiktoken_rs::CoreBPE;

/// Begins a message, stands before its text, and ends it: numbers that no text becomes. Three tokens a message next to
/// its role and text, and three that introduce the answer, is what OpenAI's cookbook counts for gpt-4o-mini.
const FRAME: [u32; 3] = [u32::MAX, u32::MAX - 1, u32::MAX - 2];

/// The tokenizer, with its vocabulary.
#[derive(Clone, Copy)]
pub struct Tokenizer(&'static CoreBPE);

impl Default for Tokenizer {
    /// The vocabulary that is built in, read once in a process.
    fn default() -> Self {
        Self(tiktoken_rs::o200k_base_singleton())
    }
}

impl Tokenizer {
    /// A text.
    #[must_use]
    pub fn text(&self, text: &str) -> Vec<u32> {
        self.0.encode_ordinary(text)
    }

    /// A whole prompt, in the order in which the model reads it.
    #[must_use]
    pub fn prompt(&self, messages: &[ChatMessage]) -> Vec<u32> {
        let [begin, separate, end] = FRAME;
        let mut tokens = Vec::new();
        for message in messages {
            tokens.push(begin);
            tokens.extend(self.text(role(message.role)));
            tokens.push(separate);
            tokens.extend(self.text(&message.content));
            tokens.push(end);
        }
        tokens.push(begin);
        tokens.extend(self.text(role(Role::Assistant)));
        tokens.push(separate);
        tokens
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_counted_as_openais_cookbook_counts_it() {
        let tokenizer = Tokenizer::default();
        // Known numbers of o200k_base.
        assert_eq!(tokenizer.text("hello world"), [24912, 2375]);
        let message = |role, content: &str| ChatMessage {
            role,
            content: content.to_owned(),
        };
        assert_eq!(tokenizer.prompt(&[]).len(), 3);
        let prompt = tokenizer.prompt(&[
            message(Role::System, "hello"),
            message(Role::User, "hello world"),
        ]);
        assert_eq!(prompt.len(), (4 + 1) + (4 + 2) + 3);
    }
}
