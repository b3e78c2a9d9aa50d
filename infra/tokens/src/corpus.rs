//! The corpus: bots with their documents, and what their customers wrote when. One file a bot, in `corpus/`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::{EpochMs, MessageId};
use clivy::conversation::message::{Author, Content, Message, MessageKind};
use serde::Deserialize;

/// Midnight in Jakarta of the day that all of it happens on, a Monday.
pub const DAY: EpochMs = EpochMs(1_768_150_800_000);

const DAY_MS: i64 = 86_400_000;

/// A bot, and what its customers and it said.
#[derive(Debug)]
pub struct Talk {
    /// The bot with its documents.
    pub bot: Bot,
    /// One for each contact.
    pub conversations: Vec<Conversation>,
}

/// What one contact wrote, and what it was answered.
#[derive(Debug)]
pub struct Conversation {
    /// The contact's bubbles, in order, at least a second apart: WhatsApp's time is whole seconds.
    pub bubbles: Vec<Message>,
    /// The answers, each to what was written since the one before.
    pub answers: Vec<Answer>,
}

impl Talk {
    /// The same words from one contact, who comes back every day with the next conversation.
    #[must_use]
    pub fn of_one_contact(&self) -> Self {
        let mut all = Conversation {
            bubbles: Vec::new(),
            answers: Vec::new(),
        };
        let mut days_ms = 0;
        for conversation in &self.conversations {
            let before = all.bubbles.len();
            let later = |bubble: &Message| Message {
                platform_at: bubble.platform_at.plus_ms(days_ms),
                received_at: bubble.received_at.plus_ms(days_ms),
                ..bubble.clone()
            };
            all.bubbles.extend(conversation.bubbles.iter().map(later));
            let answers = conversation.answers.iter().map(|answer| Answer {
                after: before + answer.after,
                text: answer.text.clone(),
            });
            all.answers.extend(answers);
            days_ms += DAY_MS;
        }
        Self {
            bot: self.bot.clone(),
            conversations: vec![all],
        }
    }
}

/// A text that the bot could have answered with. Nobody asked a model for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How many bubbles stand before it.
    pub after: usize,
    /// The text, as WhatsApp shows it.
    pub text: String,
}

/// A file of the corpus.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    bot: Bot,
    conversation: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// When its first bubble came, `hh:mm` in Jakarta.
    at: String,
    said: Vec<Said>,
}

/// A bubble with the seconds since the one before, or an answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Bubble((u32, String)),
    Media((u32, String, MessageKind)),
    Answer(String),
}

/// Reads the corpus of a checkout, bots in the order of their files' names.
///
/// # Errors
/// A file is missing or malformed.
pub fn read(root: &Path) -> Result<Vec<Talk>> {
    let folder = root.join("infra/tokens/corpus");
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        paths.push(entry?.path());
    }
    paths.sort();
    paths
        .iter()
        .map(|path| {
            {
                let text = std::fs::read_to_string(path)?;
                talk(&text)
            }
            .with_context(|| path.display().to_string())
        })
        .collect()
}

/// Reads a file's text.
fn talk(text: &str) -> Result<Talk> {
    let file: File = toml::from_str(text)?;
    let conversations = file
        .conversation
        .into_iter()
        .enumerate()
        .map(|(index, written)| {
            let name = format!("{}-{index}", file.bot.bot_id.as_str());
            conversation(&name, written).with_context(|| format!("conversation {}", index + 1))
        });
    Ok(Talk {
        conversations: conversations.collect::<Result<_>>()?,
        bot: file.bot,
    })
}

fn conversation(name: &str, written: Written) -> Result<Conversation> {
    let mut now = DAY.plus_ms(minutes(&written.at)? * 60_000);
    let (mut bubbles, mut answers) = (Vec::new(), Vec::new());
    for said in written.said {
        let (after, text, kind) = match said {
            Said::Bubble((after, text)) => (after, text, MessageKind::Text),
            Said::Media((after, text, kind)) => (after, text, kind),
            Said::Answer(text) => {
                let after = bubbles.len();
                answers.push(Answer { after, text });
                continue;
            }
        };
        if after == 0 && !bubbles.is_empty() {
            bail!("two bubbles in one second");
        }
        now = now.plus_ms(i64::from(after) * 1_000);
        let content = Content { kind, text };
        let mid = format!("{name}-{:03}", bubbles.len());
        bubbles.push(message(&mid, Author::Customer, content, now)?);
    }
    Ok(Conversation { bubbles, answers })
}

/// Minutes since midnight.
fn minutes(time: &str) -> Result<i64> {
    let (hours, minutes) = time.split_once(':').context("a time is hh:mm")?;
    Ok(hours.parse::<i64>()? * 60 + minutes.parse::<i64>()?)
}

/// A message as the table would hold it.
///
/// # Errors
/// `mid` is no id.
pub fn message(mid: &str, author: Author, content: Content, at: EpochMs) -> Result<Message> {
    Ok(Message {
        mid: MessageId::new(mid)?,
        author,
        content,
        platform_at: at,
        received_at: at,
        delivered: true,
        delivery: None,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const HEAD: &str = "[bot]\nid = \"x\"\nowner = \"corpus\"\ngateway = { kind = \"wuzapi\", token = \"none\" }\n";

    /// A talk with one conversation, from 09:00 on.
    pub fn said(said: &str) -> Result<Talk> {
        talk(&format!(
            "{HEAD}[[conversation]]\nat = \"09:00\"\nsaid = [{said}]\n"
        ))
    }

    #[test]
    fn pauses_become_times_and_answers_know_what_they_answer() {
        let talk =
            said(r#"[0, "halo"], [2, "kak"], "Halo", [60, "[pesan suara]", "audio"], "Maaf""#);
        let conversation = talk.unwrap().conversations.remove(0);
        let nine = DAY.plus_ms(9 * 3_600_000);
        let came: Vec<i64> = conversation
            .bubbles
            .iter()
            .map(|b| b.received_at.since_ms(nine))
            .collect();
        assert_eq!(came, [0, 2_000, 62_000]);
        assert_eq!(conversation.bubbles[2].content.kind, MessageKind::Audio);
        let after: Vec<usize> = conversation
            .answers
            .iter()
            .map(|answer| answer.after)
            .collect();
        assert_eq!(after, [2, 3]);
    }

    #[test]
    fn a_contact_that_comes_back_has_all_conversations_a_day_apart() {
        let mut talk = said(r#"[0, "a"], [2, "b"], "x""#).unwrap();
        let again = said(r#"[0, "c"], "y""#).unwrap().conversations;
        talk.conversations.extend(again);
        let one = talk.of_one_contact().conversations.remove(0);
        let came: Vec<i64> = one
            .bubbles
            .iter()
            .map(|b| b.received_at.since_ms(one.bubbles[0].received_at))
            .collect();
        assert_eq!(came, [0, 2_000, DAY_MS]);
        let after: Vec<usize> = one.answers.iter().map(|answer| answer.after).collect();
        assert_eq!(after, [2, 3]);
    }

    #[test]
    fn two_bubbles_of_one_second_are_refused() {
        let error = said(r#"[0, "a"], [0, "b"], "c""#).unwrap_err();
        assert!(
            format!("{error:#}").contains("two bubbles in one second"),
            "{error:#}"
        );
    }
}
