//! Contacts that want no answers, and those that want them again.

use serde::{Deserialize, Serialize};

use super::bot::Bot;
use super::message::Message;
use super::question::normalised;

/// The words that opt out, for a bot that names none.
#[must_use]
pub fn default_out_words() -> Vec<String> {
    ["/stop", "stop", "berhenti"].map(str::to_owned).to_vec()
}

/// The words that opt in again, for a bot that names none.
#[must_use]
pub fn default_in_words() -> Vec<String> {
    ["/start", "mulai"].map(str::to_owned).to_vec()
}

/// What a contact reads who has opted in again, for a bot without a text of its own.
pub const DEFAULT_IN_TEXT: &str =
    "Baik, kami akan membalas pesan Anda lagi. Silakan tulis pertanyaan Anda 🙏";

/// What a contact reads who has opted out, for a bot without a text of its own: with the first word that opts in again,
/// where there is one.
#[must_use]
pub fn default_out_text(in_words: &[String]) -> String {
    let text = "Baik, pesan Anda tidak akan kami balas secara otomatis lagi.";
    match in_words.iter().find(|word| !word.trim().is_empty()) {
        Some(word) => format!(
            "{text} Ketik {} untuk mengaktifkannya kembali.",
            word.trim()
        ),
        None => text.to_owned(),
    }
}

/// What a contact decides about being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opt {
    /// No answers any more.
    Out,
    /// Answers again.
    In,
}

impl Opt {
    /// The word that logs use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

/// What that means for a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The contact has changed its mind: confirm it.
    Changed(Opt),
    /// The contact opted out before: say nothing.
    Silence,
    /// An ordinary burst.
    Answer,
}

/// What a contact wants who writes `burst`, in the order given. One bubble that is a word of the bot's lists is enough,
/// and the last one counts. A word that changes nothing is an ordinary one.
#[must_use]
pub fn wish<'m>(bot: &Bot, is_out: bool, burst: impl IntoIterator<Item = &'m Message>) -> Wish {
    let last = burst
        .into_iter()
        .filter_map(|message| word(bot, &message.content.text))
        .last();
    match (is_out, last) {
        (false, Some(Opt::Out)) => Wish::Changed(Opt::Out),
        (true, Some(Opt::In)) => Wish::Changed(Opt::In),
        (true, _) => Wish::Silence,
        (false, _) => Wish::Answer,
    }
}

/// What a bubble says as a whole. A word of both lists opts out.
fn word(bot: &Bot, text: &str) -> Option<Opt> {
    let text = normalised(text);
    let is_one_of = |words: &[String]| {
        let mut words = words.iter().map(|word| normalised(word));
        !text.is_empty() && words.any(|word| word == text)
    };
    if is_one_of(&bot.opt_out_words) {
        Some(Opt::Out)
    } else {
        is_one_of(&bot.opt_in_words).then_some(Opt::In)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ids::{EpochMs, MessageId};
    use crate::conversation::message::{Author, Content, MessageKind};

    fn bot(extra: &str) -> Bot {
        let json = format!(
            r#"{{"id": "demo", "owner": "o", "gateway": {{"kind": "wuzapi", "token": "t"}}{extra}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn burst(texts: &[&str]) -> Vec<Message> {
        let message = |text: &&str| Message {
            mid: MessageId::new("A").unwrap(),
            author: Author::Customer,
            content: Content {
                kind: MessageKind::Text,
                text: (*text).to_owned(),
            },
            platform_at: EpochMs(1),
            received_at: EpochMs(1),
            delivered: true,
            delivery: None,
        };
        texts.iter().map(message).collect()
    }

    fn wishes(bot: &Bot, is_out: bool, texts: &[&str]) -> Wish {
        wish(bot, is_out, &burst(texts))
    }

    #[test]
    fn a_word_counts_however_it_is_typed_and_only_as_a_whole_bubble() {
        let bot = bot("");
        for text in ["/stop", "STOP", " Stop! ", "*berhenti*", "Berhenti 🙏"] {
            assert_eq!(
                wishes(&bot, false, &[text]),
                Wish::Changed(Opt::Out),
                "{text}"
            );
        }
        for text in [
            "stop dulu ya",
            "nonstop",
            "jangan berhenti",
            "halo",
            "",
            "🙏",
        ] {
            assert_eq!(wishes(&bot, false, &[text]), Wish::Answer, "{text}");
        }
        for text in ["/start", "Mulai", "mulai."] {
            assert_eq!(
                wishes(&bot, true, &[text]),
                Wish::Changed(Opt::In),
                "{text}"
            );
        }
    }

    #[test]
    fn one_bubble_among_others_is_enough_and_the_last_word_counts() {
        let bot = bot("");
        let out = Wish::Changed(Opt::Out);
        assert_eq!(wishes(&bot, false, &["halo", "stop", "ada kopi?"]), out);
        assert_eq!(wishes(&bot, false, &["mulai", "stop"]), out);
        assert_eq!(wishes(&bot, false, &["stop", "mulai"]), Wish::Answer);
        assert_eq!(wishes(&bot, true, &["mulai", "stop"]), Wish::Silence);
    }

    #[test]
    fn who_is_out_stays_out_and_who_is_in_is_answered() {
        let bot = bot("");
        for texts in [&["stop"][..], &["halo"], &[]] {
            assert_eq!(wishes(&bot, true, texts), Wish::Silence);
        }
        assert_eq!(wishes(&bot, false, &["mulai"]), Wish::Answer);
    }

    #[test]
    fn the_confirmation_names_the_way_back() {
        assert!(bot("").opt_text(Opt::Out).contains("Ketik /start untuk"));
        let own = bot(r#", "opt_in_words": [" ", "Lanjut"]"#);
        assert!(own.opt_text(Opt::Out).contains("Ketik Lanjut untuk"));
        let none = bot(r#", "opt_in_words": []"#);
        assert!(!none.opt_text(Opt::Out).contains("Ketik"));
        let own = bot(r#", "opt_out_text": "Oke.", "opt_in_text": " ""#);
        assert_eq!(own.opt_text(Opt::Out), "Oke.");
        assert_eq!(own.opt_text(Opt::In), DEFAULT_IN_TEXT);
    }

    #[test]
    fn logs_and_the_table_have_the_same_words() {
        for opt in [Opt::Out, Opt::In] {
            assert_eq!(serde_json::to_value(opt).unwrap(), opt.as_str());
        }
        assert_eq!((Opt::Out.as_str(), Opt::In.as_str()), ("out", "in"));
    }

    #[test]
    fn a_list_is_the_owners_and_an_empty_one_is_off() {
        let own = bot(r#", "opt_out_words": ["UNSUB!", " "], "opt_in_words": ["unsub", "sub"]"#);
        assert_eq!(wishes(&own, false, &["unsub"]), Wish::Changed(Opt::Out));
        assert_eq!(
            wishes(&own, true, &["unsub"]),
            Wish::Silence,
            "out of both lists"
        );
        assert_eq!(wishes(&own, true, &["sub"]), Wish::Changed(Opt::In));
        assert_eq!(wishes(&own, false, &["stop"]), Wish::Answer);
        assert_eq!(
            wishes(&own, false, &[" "]),
            Wish::Answer,
            "a blank word is none"
        );
        let off = bot(r#", "opt_out_words": []"#);
        assert_eq!(wishes(&off, false, &["/stop"]), Wish::Answer);
    }
}
