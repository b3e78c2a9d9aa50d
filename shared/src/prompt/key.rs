//! Which questions may share an answer.

use sha2::{Digest, Sha256};

use super::{DOCUMENTS_HEADING, Limits, STYLE_RULES};
use crate::conversation::bot::{Bot, MaxPrice, ModelEntry};
use crate::conversation::ids::{EpochMs, hex};
use crate::conversation::message::{Message, MessageKind};
use crate::conversation::question::normalised;

/// Whether a burst may share its answer: texts only, and nothing was said within `free_ms` before it.
#[must_use]
pub fn stands_alone(history: &[Message], burst: &[Message], free_ms: i64) -> bool {
    let Some(first) = burst.iter().map(|message| message.received_at).min() else {
        return false;
    };
    let quiet_since = first.plus_ms(-free_ms);
    let is_text = |kind: MessageKind| kind == MessageKind::Text;
    let is_old = |at: EpochMs| at < quiet_since;
    burst.iter().all(|message| is_text(message.content.kind))
        && history.iter().all(|message| is_old(message.received_at))
}

/// The key of an answer in the response cache: sha256, in hex, over the bot, everything of its settings that the
/// answer depends on, `model` (the default one, or whichever the caller asks first), and the question as
/// [`normalised`]. Two bots never share a key, nor does one bot before and after a change of its prompt, its
/// documents or its models (I12). Only for a question without a history: that is not in it.
#[must_use]
pub fn cache_key(bot: &Bot, model: &str, question: &str) -> String {
    let mut key = Key::default();
    key.text(bot.bot_id.as_str());
    key.text(bot.owner.as_str());
    key.text(bot.system_prompt());
    key.text(STYLE_RULES);
    key.text(DOCUMENTS_HEADING);
    let Limits {
        history_max_messages,
        history_max_characters,
        documents_max,
        document_max_characters,
    } = Limits::default();
    for limit in [
        history_max_messages,
        history_max_characters,
        documents_max,
        document_max_characters,
    ] {
        key.text(&limit.to_string());
    }
    key.count(bot.documents.len());
    for document in &bot.documents {
        key.text(&document.kind);
        key.text(&document.title);
        key.text(&document.content);
    }
    key.text(model);
    key.models(&bot.models);
    let simple = bot.simple.as_ref();
    key.models(simple.map(|rule| &rule.model));
    key.text(&simple.map_or_else(String::new, |rule| rule.max_characters.to_string()));
    let MaxPrice { prompt, completion } = bot.max_price.unwrap_or_default();
    for price in [prompt, completion] {
        key.text(&price.map_or_else(String::new, |usd| usd.to_string()));
    }
    key.text(&bot.allow_training.to_string());
    key.text(&normalised(question));
    hex(&key.0.finalize())
}

/// Fields, each with its length before it: where one ends never depends on what is in it.
#[derive(Default)]
struct Key(Sha256);

impl Key {
    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text);
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }

    fn models<'m>(&mut self, models: impl IntoIterator<Item = &'m ModelEntry>) {
        let names: Vec<&str> = models.into_iter().map(|m| m.name.as_str()).collect();
        self.count(names.len());
        for name in names {
            self.text(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tests::{bot, document, message};
    use super::*;
    use crate::conversation::bot::SimpleRule;
    use crate::conversation::ids::BotId;
    use crate::conversation::message::Author;

    fn shop() -> Bot {
        bot(vec![document("faq", "Jam", "08-20"), document("", "", "x")])
    }

    #[test]
    fn the_same_question_has_one_key_however_it_is_typed() {
        let key = cache_key(&shop(), "m", "Jam buka?");
        assert_eq!(key.len(), 64);
        assert_eq!(key, cache_key(&shop(), "m", " jam  BUKA 😊"));
        assert_ne!(key, cache_key(&shop(), "m", "jam tutup"));
    }

    #[test]
    fn whatever_the_answer_depends_on_is_another_key() {
        type Change = fn(&mut Bot);
        let changes: [(&str, Change); 15] = [
            ("bot", |bot| bot.bot_id = BotId::new("demo2").unwrap()),
            ("owner", |bot| {
                bot.owner = crate::access::OwnerId::new("someone else").unwrap();
            }),
            ("prompt", |bot| bot.system_prompt.push('.')),
            ("content", |bot| bot.documents[0].content.push('0')),
            ("title", |bot| bot.documents[0].title.push('s')),
            ("kind", |bot| bot.documents[0].kind.clear()),
            ("one document less", |bot| drop(bot.documents.pop())),
            ("order", |bot| bot.documents.swap(0, 1)),
            ("moved", |bot| {
                bot.documents[0].title = "Jam08".to_owned();
                bot.documents[0].content = "-20".to_owned();
            }),
            ("models", |bot| bot.models = vec![ModelEntry::named("a")]),
            ("more models", |bot| {
                bot.models = ["a", "b"].map(ModelEntry::named).to_vec();
            }),
            ("joined models", |bot| {
                bot.models = vec![ModelEntry::named("ab")];
            }),
            ("simple", |bot| {
                bot.simple = Some(SimpleRule {
                    model: ModelEntry::named("a"),
                    max_characters: 60,
                });
            }),
            ("price", |bot| {
                bot.max_price = Some(MaxPrice {
                    prompt: Some(1.0),
                    completion: None,
                });
            }),
            ("training", |bot| bot.allow_training = true),
        ];
        let mut keys = BTreeSet::from([
            cache_key(&shop(), "m", "jam buka"),
            cache_key(&shop(), "n", "jam buka"),
            cache_key(&shop(), "mj", "am buka"),
        ]);
        for (index, (what, change)) in changes.into_iter().enumerate() {
            let mut bot = shop();
            change(&mut bot);
            assert!(
                keys.insert(cache_key(&bot, "m", "jam buka")),
                "{what} ({index}) makes no difference"
            );
        }
    }

    #[test]
    fn what_the_answer_does_not_depend_on_keeps_the_key() {
        let mut bot = shop();
        bot.fallback_text = "Maaf".to_owned();
        bot.name = "Toko".to_owned();
        bot.openrouter_key = Some("sk".to_owned());
        bot.gateway.token = "other".to_owned();
        assert_eq!(
            cache_key(&bot, "m", "halo"),
            cache_key(&shop(), "m", "halo")
        );
    }

    #[test]
    fn a_burst_stands_alone_after_a_silence_and_without_media() {
        let said = [message(Author::Bot, 1_000, "Sama-sama")];
        let asked = |at| [message(Author::Customer, at, "jam buka?")];
        assert!(stands_alone(&[], &asked(1_500), 500));
        assert!(stands_alone(&said, &asked(1_501), 500));
        assert!(!stands_alone(&said, &asked(1_500), 500));
        assert!(!stands_alone(&said, &[], 500), "nothing is asked");
        let mut voice = asked(9_000);
        voice[0].content.kind = MessageKind::Audio;
        assert!(!stands_alone(&said, &voice, 500));
    }
}
