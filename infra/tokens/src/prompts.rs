//! Prompts: the product's own, and what others would send in its place. All of them are the product's texts in another
//! order.

use clivy::conversation::bot::{Bot, Document};
use clivy::conversation::ids::EpochMs;
use clivy::prompt::{ChatMessage, Level, Limits, Role, build, documents_for, question};

use crate::bursts::Turn;
use crate::corpus::DAY;

/// Where the documents stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As in the product: behind the instructions, the most relevant first.
    Relevance,
    /// The same documents, in the order in which the owner keeps them.
    Owners,
    /// The same documents, the most relevant first, between the history and the question.
    BehindHistory,
}

/// The prompt of a turn.
#[must_use]
pub fn prompt(bot: &Bot, turn: &Turn, limits: &Limits, order: Order) -> Vec<ChatMessage> {
    let asked = question(&turn.burst);
    match order {
        Order::Relevance => build(bot, &turn.history, &turn.burst, limits, Level::Full),
        Order::Owners => {
            let chosen = documents_for(bot, &asked, limits, Level::Full);
            let is_chosen =
                |document: &&Document| chosen.iter().any(|c| std::ptr::eq(*c, *document));
            let documents = bot.documents.iter().filter(is_chosen).cloned().collect();
            // Where nothing is asked, no document is more relevant than another: the owner's order stays.
            let mut messages = build(
                &with(bot, documents),
                &turn.history,
                &[],
                limits,
                Level::Full,
            );
            messages.push(message(Role::User, asked));
            messages
        }
        Order::BehindHistory => {
            let mut messages = build(
                &with(bot, Vec::new()),
                &turn.history,
                &[],
                limits,
                Level::Full,
            );
            let all = build(bot, &[], &turn.burst, limits, Level::Full);
            let [before, documents] =
                [messages.first(), all.first()].map(|m| m.map_or("", |m| m.content.as_str()));
            let documents = documents
                .strip_prefix(before)
                .unwrap_or(documents)
                .trim_start();
            if !documents.is_empty() {
                let documents = message(Role::System, documents.to_owned());
                messages.push(documents);
            }
            messages.push(message(Role::User, asked));
            messages
        }
    }
}

/// The same with the time at its very beginning, to the minute.
#[must_use]
pub fn behind_the_time(mut messages: Vec<ChatMessage>, at: EpochMs) -> Vec<ChatMessage> {
    let minutes = at.since_ms(DAY) / 60_000;
    if let Some(system) = messages.first_mut() {
        let (hour, minute) = (minutes / 60, minutes % 60);
        system.content = format!(
            "Sekarang hari Senin, pukul {hour:02}.{minute:02}.\n\n{}",
            system.content
        );
    }
    messages
}

/// The bot with other documents.
#[must_use]
pub fn with(bot: &Bot, documents: Vec<Document>) -> Bot {
    Bot {
        documents,
        ..bot.clone()
    }
}

fn message(role: Role, content: String) -> ChatMessage {
    ChatMessage { role, content }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::tests::said;
    use crate::settings::Settings;

    fn document(title: &str, content: &str) -> Document {
        Document {
            title: title.to_owned(),
            kind: String::new(),
            content: content.to_owned(),
        }
    }

    /// A bot with three documents, and the second question to it.
    fn asked() -> (Bot, Turn) {
        let talk = said(r#"[0, "halo"], "Halo", [60, "bayar pakai qris?"], "Bisa""#).unwrap();
        let documents = vec![
            document("Jam", "08-20"),
            document("Kirim", "kurir"),
            document("Bayar", "QRIS"),
        ];
        let conversation = &talk.conversations[0];
        let batches = conversation
            .bursts(&Settings::default().debounce, 2_800)
            .unwrap();
        (
            with(&talk.bot, documents),
            conversation.turns(&batches).unwrap().remove(1),
        )
    }

    fn labels(prompt: &[ChatMessage]) -> Vec<&str> {
        prompt
            .iter()
            .flat_map(|m| m.content.lines())
            .filter(|line| line.starts_with('['))
            .collect()
    }

    #[test]
    fn only_the_order_differs() {
        let (bot, turn) = asked();
        let limits = Limits {
            documents_max: 2,
            ..Limits::default()
        };
        let of = |order| prompt(&bot, &turn, &limits, order);
        let (product, owners, behind) = (
            of(Order::Relevance),
            of(Order::Owners),
            of(Order::BehindHistory),
        );
        assert_eq!(labels(&product), ["[Bayar]", "[Jam]"]);
        assert_eq!(labels(&owners), ["[Jam]", "[Bayar]"]);
        assert_eq!(labels(&behind), ["[Bayar]", "[Jam]"]);
        assert_eq!(product[1..], owners[1..]);
        let contents: Vec<&str> = behind.iter().map(|m| m.content.as_str()).collect();
        assert_eq!(
            contents[1..],
            [
                "halo",
                "Halo",
                "Dokumen:\n\n[Bayar]\nQRIS\n\n[Jam]\n08-20",
                "bayar pakai qris?"
            ]
        );
        assert_eq!(
            format!("{}\n\n{}", contents[0], contents[3]),
            product[0].content
        );
    }

    #[test]
    fn the_time_stands_before_everything() {
        let (bot, turn) = asked();
        let plain = prompt(&bot, &turn, &Limits::default(), Order::Relevance);
        let timed = behind_the_time(plain.clone(), turn.asked_at);
        assert_eq!(
            timed[0].content,
            format!("Sekarang hari Senin, pukul 09.01.\n\n{}", plain[0].content)
        );
        assert_eq!(timed[1..], plain[1..]);
    }
}
