use super::*;
use crate::conversation::bot::{DEFAULT_SYSTEM_PROMPT, Gateway, GatewayKind};
use crate::conversation::ids::{BotId, EpochMs, MessageId};
use crate::conversation::message::{Content, MessageKind};

pub(super) fn bot(documents: Vec<Document>) -> Bot {
    let gateway = Gateway {
        kind: GatewayKind::Wuzapi,
        url: "http://127.0.0.1".to_owned(),
        token: "t".to_owned(),
        hmac_key: None,
        secret_path: None,
    };
    Bot {
        system_prompt: "Anda menjawab untuk Toko Kue Melati.".to_owned(),
        documents,
        ..Bot::new(
            BotId::new("demo").unwrap(),
            crate::access::OwnerId::new("owner").unwrap(),
            gateway,
        )
    }
}

pub(super) fn document(kind: &str, title: &str, content: &str) -> Document {
    Document {
        title: title.to_owned(),
        kind: kind.to_owned(),
        content: content.to_owned(),
    }
}

pub(super) fn message(author: Author, at: i64, text: &str) -> Message {
    Message {
        mid: MessageId::new(&format!("m{at}")).unwrap(),
        author,
        content: Content {
            kind: MessageKind::Text,
            text: text.to_owned(),
        },
        platform_at: EpochMs(at),
        received_at: EpochMs(at),
        delivered: true,
        delivery: None,
    }
}

fn history(count: i64) -> Vec<Message> {
    (0..count)
        .map(|at| {
            let author = if at % 2 == 0 {
                Author::Customer
            } else {
                Author::Bot
            };
            message(author, at, &format!("pesan {at}"))
        })
        .collect()
}

fn ask(bot: &Bot, history: &[Message], burst: &[Message], level: Level) -> Vec<ChatMessage> {
    build(bot, history, burst, &Limits::default(), level)
}

#[test]
fn the_burst_is_one_last_user_message_in_order() {
    let burst = [
        message(Author::Customer, 50, "halo"),
        message(Author::Customer, 51, "harga bolu?"),
        message(Author::Customer, 52, "bisa kirim?"),
    ];
    let prompt = ask(&bot(vec![]), &history(4), &burst, Level::Full);
    let last = prompt.last().unwrap();
    assert_eq!(last.role, Role::User);
    assert_eq!(last.content, "halo\nharga bolu?\nbisa kirim?");
    assert_eq!(prompt.len(), 1 + 4 + 1);
}

#[test]
fn bubbles_of_one_second_stand_in_the_order_they_came() {
    let mut first = message(Author::Customer, 1_000, "satu");
    let mut second = message(Author::Customer, 1_000, "dua");
    first.received_at = EpochMs(1_100);
    first.mid = MessageId::new("z").unwrap();
    second.received_at = EpochMs(1_200);
    second.mid = MessageId::new("a").unwrap();
    let prompt = ask(&bot(vec![]), &[], &[second, first], Level::Full);
    assert_eq!(prompt.last().unwrap().content, "satu\ndua");
}

#[test]
fn the_system_message_is_instructions_then_documents_and_no_customer_text() {
    let bot = bot(vec![document("faq", "Jam buka", "Setiap hari 08-20")]);
    let burst = [message(Author::Customer, 9, "RAHASIA-PELANGGAN")];
    let past = [message(Author::Customer, 1, "SEJARAH-PELANGGAN")];
    let prompt = ask(&bot, &past, &burst, Level::Full);
    let system = &prompt[0];
    assert_eq!(system.role, Role::System);
    assert!(
        system
            .content
            .starts_with("Anda menjawab untuk Toko Kue Melati.\n\nAturan")
    );
    assert!(
        system
            .content
            .ends_with("Dokumen:\n\n[faq - Jam buka]\nSetiap hari 08-20")
    );
    assert!(!system.content.contains("PELANGGAN"));
    assert_eq!(prompt.iter().filter(|m| m.role == Role::System).count(), 1);
}

#[test]
fn the_system_message_does_not_change_between_turns() {
    let bot = bot(vec![document("faq", "A", "a"), document("faq", "B", "b")]);
    let one = ask(
        &bot,
        &[],
        &[message(Author::Customer, 1, "halo")],
        Level::Full,
    );
    let two = ask(
        &bot,
        &history(8),
        &[message(Author::Customer, 99, "terima kasih")],
        Level::Full,
    );
    assert_eq!(one[0], two[0], "or the provider's prompt cache is lost");
}

#[test]
fn a_bot_without_a_prompt_is_a_friendly_customer_service() {
    let mut bot = bot(vec![]);
    bot.system_prompt = " ".to_owned();
    let prompt = ask(&bot, &[], &[], Level::Full);
    assert!(prompt[0].content.starts_with(DEFAULT_SYSTEM_PROMPT));
    assert!(!prompt[0].content.contains(DOCUMENTS_HEADING));
}

#[test]
fn history_is_the_last_ten_with_everyone_of_the_business_as_assistant() {
    let mut past = history(14);
    past.push(message(Author::Person, 100, "saya bantu ya"));
    past.reverse();
    let prompt = ask(
        &bot(vec![]),
        &past,
        &[message(Author::Customer, 200, "ok")],
        Level::Full,
    );
    let told: Vec<(Role, &str)> = prompt[1..11]
        .iter()
        .map(|m| (m.role, m.content.as_str()))
        .collect();
    assert_eq!(told[0], (Role::Assistant, "pesan 5"));
    assert_eq!(told[1], (Role::User, "pesan 6"));
    assert_eq!(told[9], (Role::Assistant, "saya bantu ya"));
    assert_eq!(prompt.len(), 12);
}

#[test]
fn history_and_documents_are_cut_by_characters_and_the_burst_is_not() {
    let long = "é".repeat(600);
    let bot = bot(vec![document("", "Panjang", &long)]);
    let past = [message(Author::Customer, 1, &long)];
    let burst = [message(Author::Customer, 2, &long)];
    let prompt = ask(&bot, &past, &burst, Level::Full);
    assert!(
        prompt[0]
            .content
            .ends_with(&format!("[Panjang]\n{}…", "é".repeat(499)))
    );
    assert_eq!(prompt[1].content, format!("{}…", "é".repeat(199)));
    assert_eq!(prompt[2].content, long);
}

#[test]
fn an_endless_burst_keeps_its_newest_part() {
    let burst: Vec<Message> = (0..40)
        .map(|at| message(Author::Customer, at, &format!("{at:02}{}", "x".repeat(998))))
        .collect();
    let prompt = ask(&bot(vec![]), &[], &burst, Level::Full);
    let content = &prompt[1].content;
    assert_eq!(content.chars().count(), BURST_MAX_CHARACTERS);
    assert!(content.contains("\n39x") && !content.contains("\n23x"));
}

#[test]
fn five_documents_at_most_the_relevant_one_first() {
    let documents = (0..8)
        .map(|n| document("faq", &format!("D{n}"), &format!("topik{n}")))
        .collect();
    let prompt = ask(
        &bot(documents),
        &[],
        &[message(Author::Customer, 1, "soal topik7?")],
        Level::Full,
    );
    let labels: Vec<&str> = prompt[0]
        .content
        .lines()
        .filter(|line| line.starts_with('['))
        .collect();
    assert_eq!(
        labels,
        [
            "[faq - D7]",
            "[faq - D0]",
            "[faq - D1]",
            "[faq - D2]",
            "[faq - D3]"
        ]
    );
}

#[test]
fn each_level_leaves_more_out() {
    let bot = bot(vec![document("faq", "A", "a")]);
    let burst = [message(Author::Customer, 99, "halo")];
    let mut level = Some(Level::Full);
    let mut seen = Vec::new();
    while let Some(now) = level {
        let prompt = ask(&bot, &history(12), &burst, now);
        assert_eq!(prompt.last().unwrap().content, "halo");
        seen.push((prompt.len() - 2, prompt[0].content.contains("[faq - A]")));
        level = now.shorter();
    }
    assert_eq!(seen, [(10, true), (5, true), (5, false), (0, false)]);
}

#[test]
fn empty_messages_are_left_out() {
    let past = [message(Author::Bot, 1, " "), message(Author::Bot, 2, "ada")];
    let prompt = ask(
        &bot(vec![]),
        &past,
        &[message(Author::Customer, 3, "")],
        Level::Full,
    );
    assert_eq!(prompt.len(), 2);
    assert_eq!(prompt[1].content, "ada");
}

#[test]
fn a_prompt_is_written_as_the_api_takes_it_and_never_printed() {
    let message = ChatMessage {
        role: Role::Assistant,
        content: "rahasia".to_owned(),
    };
    let wire = serde_json::to_value(&message).unwrap();
    assert_eq!(
        wire,
        serde_json::json!({"role": "assistant", "content": "rahasia"})
    );
    assert!(!format!("{message:?}").contains("rahasia"));
}
