//! The loop brake: a contact that is a machine, and would talk with the bot for ever.
//!
//! Everything is ordered and measured by `received_at`, in milliseconds: WhatsApp's own times are whole seconds.

use super::ids::EpochMs;
use super::message::{Author, Message, MessageKind};
use super::question::normalised;

/// Bursts in a row that make a loop.
pub const BURSTS: usize = 5;
/// Nobody reads a reply and types an answer in this time, in milliseconds. Five times.
pub const FAST_MS: i64 = 2_000;
/// A bubble that follows another one sooner than this goes on with it, and is an answer to nothing.
const PAUSE_MS: i64 = 1_000;
/// The same text again and again is a loop only within this time, in milliseconds: a person may ask for the day's
/// menu every day.
pub const REPEATS_WITHIN_MS: i64 = 3_600_000;
/// Texts shorter than this, in characters, may be repeated: `ya` and `ok` answer many questions in a row.
pub const REPEATS_MIN_CHARACTERS: usize = 4;

/// Why a contact is taken for a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loop {
    /// It answered [`BURSTS`] replies in a row within [`FAST_MS`] each.
    Fast,
    /// It said the same in [`BURSTS`] bursts in a row.
    Repeats,
}

impl Loop {
    /// The word that logs and the table use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Repeats => "repeats",
        }
    }
}

/// Whether the current burst is one more turn of a loop. `history` are the newest messages before it, in any order.
/// What a person of the business wrote breaks every row: somebody looks after the conversation then.
#[must_use]
pub fn is_loop(history: &[Message], burst: &[Message]) -> Option<Loop> {
    let row = row(history, burst);
    if row.len() < BURSTS {
        None
    } else if row.iter().all(Burst::is_fast) {
        Some(Loop::Fast)
    } else {
        repeats(&row).then_some(Loop::Repeats)
    }
}

/// What the contact wrote at once.
struct Burst<'m> {
    /// Its bubbles, oldest first.
    bubbles: Vec<&'m Message>,
    /// From the reply before it to its first bubble, in milliseconds; `None` where it is an answer to no reply.
    after_reply_ms: Option<i64>,
}

impl<'m> Burst<'m> {
    /// A burst after the reply `reply` and, of the contact's own bubbles, after `previous`.
    fn after(
        reply: Option<EpochMs>,
        previous: Option<&Message>,
        bubbles: Vec<&'m Message>,
    ) -> Self {
        let answer_ms = || {
            let first = bubbles.first()?;
            let goes_on = previous.is_some_and(|previous| gap_ms(previous, first) < PAUSE_MS);
            (!goes_on).then_some(first.received_at.since_ms(reply?))
        };
        Self {
            after_reply_ms: answer_ms(),
            bubbles,
        }
    }

    /// A reply is recorded after it was sent, so a machine's answer may even be here before it.
    fn is_fast(&self) -> bool {
        self.after_reply_ms
            .is_some_and(|ms| (-FAST_MS..=FAST_MS).contains(&ms))
    }

    /// What it says; `None` where it may not be compared. A picture's text is often only a placeholder, and five
    /// pictures are no loop.
    fn says(&self) -> Option<String> {
        let is_text = |bubble: &&Message| bubble.content.kind == MessageKind::Text;
        if !self.bubbles.iter().all(is_text) {
            return None;
        }
        let texts = self.bubbles.iter().map(|m| m.content.text.as_str());
        let text = normalised(&texts.collect::<Vec<_>>().join("\n"));
        (text.chars().count() >= REPEATS_MIN_CHARACTERS).then_some(text)
    }
}

fn gap_ms(earlier: &Message, later: &Message) -> i64 {
    later.received_at.since_ms(earlier.received_at)
}

/// The current burst and the ones before it, [`BURSTS`] at most, the newest first, back to what a person wrote.
///
/// Which bubbles were a burst is not stored with them. But the current one is known, replies leave in the order of
/// the bursts (I4), and whatever is not in the current burst was answered by the last reply or an earlier one. So
/// from the end: the last bubbles are the last reply's, and reach back to the reply before it. Where none came
/// after that one, they came just before it was recorded: answers of a machine that was faster than our commit.
fn row<'m>(history: &'m [Message], burst: &'m [Message]) -> Vec<Burst<'m>> {
    let in_order = |mut messages: Vec<&'m Message>| {
        messages.sort_by_key(|message| (message.received_at, message.order()));
        messages
    };
    let current = in_order(burst.iter().collect());
    let mut past = in_order(history.iter().collect());
    let person = past.iter().rposition(|m| m.author == Author::Person);
    let past = past.split_off(person.map_or(0, |last| last + 1));
    let (mut asked, replies): (Vec<_>, Vec<_>) = past
        .into_iter()
        .partition(|message| message.author == Author::Customer);
    let mut replies: Vec<EpochMs> = replies
        .into_iter()
        // Nobody answers what did not arrive.
        .filter(|reply| reply.delivered)
        .map(|reply| reply.received_at)
        .collect();
    if current.is_empty() {
        return Vec::new();
    }
    let last_asked = asked.last().copied();
    let mut row = vec![Burst::after(replies.last().copied(), last_asked, current)];
    while row.len() < BURSTS && !asked.is_empty() && replies.pop().is_some() {
        let before = replies.last().copied();
        let bubbles = asked.split_off(start_of_last(&asked, before));
        row.push(Burst::after(before, asked.last().copied(), bubbles));
    }
    row
}

/// Where the last burst begins in what was asked; `before` is the reply before the one that answered it.
fn start_of_last(asked: &[&Message], before: Option<EpochMs>) -> usize {
    let Some(reply) = before else { return 0 };
    let after = asked.partition_point(|message| message.received_at <= reply);
    if after < asked.len() {
        return after;
    }
    asked
        .windows(2)
        .rposition(|pair| matches!(pair, [a, b] if gap_ms(a, b) >= PAUSE_MS))
        .map_or(0, |last| last + 1)
}

fn repeats(row: &[Burst<'_>]) -> bool {
    let began = |burst: Option<&Burst<'_>>| Some(burst?.bubbles.first()?.received_at);
    let within = began(row.first())
        .zip(began(row.last()))
        .is_some_and(|(newest, oldest)| newest.since_ms(oldest) <= REPEATS_WITHIN_MS);
    let mut texts = row.iter().map(Burst::says);
    let first = texts.next().flatten();
    within && first.is_some() && texts.all(|text| text == first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ids::MessageId;
    use crate::conversation::message::Content;

    fn said(author: Author, at: i64, text: &str) -> Message {
        Message {
            mid: MessageId::new(&format!("{author:?}{at}{text}")).unwrap(),
            author,
            content: Content {
                kind: MessageKind::Text,
                text: text.to_owned(),
            },
            // Whole seconds, and of the other clock: nothing may depend on it.
            platform_at: EpochMs(at / 60_000 * 1_000),
            received_at: EpochMs(at),
            delivered: true,
            delivery: None,
        }
    }

    /// Five bursts a minute apart, each answered after five seconds but the last; every burst comes so long after
    /// the reply before it, and says this.
    fn talk(after_ms: i64, text: impl Fn(i64) -> String) -> (Vec<Message>, Vec<Message>) {
        let mut history = vec![said(Author::Customer, 0, "mulai")];
        let mut at = 0;
        for turn in 0..5 {
            history.push(said(Author::Bot, at + 5_000, "Ada yang bisa dibantu?"));
            at += 5_000 + after_ms;
            history.push(said(Author::Customer, at, &text(turn)));
        }
        let current = history.pop().into_iter().collect();
        (history, current)
    }

    fn found((history, burst): (Vec<Message>, Vec<Message>)) -> Option<Loop> {
        // The order of the arguments means nothing.
        let mut turned = history.clone();
        turned.reverse();
        let found = is_loop(&history, &burst);
        assert_eq!(is_loop(&turned, &burst), found);
        found
    }

    fn different(turn: i64) -> String {
        format!("pertanyaan {turn}")
    }

    #[test]
    fn five_answers_within_two_seconds_are_a_loop() {
        for after_ms in [0, 1, 500, 2_000] {
            assert_eq!(
                found(talk(after_ms, different)),
                Some(Loop::Fast),
                "{after_ms}"
            );
        }
        for after_ms in [2_001, 10_000] {
            assert_eq!(found(talk(after_ms, different)), None, "{after_ms}");
        }
    }

    #[test]
    fn an_answer_may_be_here_before_the_reply_is_recorded() {
        for after_ms in [-1, -300, -2_000] {
            assert_eq!(
                found(talk(after_ms, different)),
                Some(Loop::Fast),
                "{after_ms}"
            );
        }
        assert_eq!(found(talk(-2_001, different)), None);
        // Now before, now after.
        let (mut history, burst) = talk(100, different);
        for reply in [1, 5, 9] {
            history[reply].received_at = history[reply].received_at.plus_ms(300);
        }
        assert_eq!(found((history, burst)), Some(Loop::Fast));
    }

    #[test]
    fn four_are_none_and_a_slow_one_anywhere_breaks_the_row() {
        let (history, burst) = talk(500, different);
        // Without the first question and the first reply there are four answers left.
        assert_eq!(found((history[2..].to_vec(), burst.clone())), None);
        assert_eq!(
            found((history[1..].to_vec(), burst.clone())),
            Some(Loop::Fast)
        );
        for slow in [2, 4, 6, 8] {
            let mut history = history.clone();
            for message in &mut history[slow..] {
                message.received_at = message.received_at.plus_ms(1_501);
            }
            let mut burst = burst.clone();
            burst[0].received_at = burst[0].received_at.plus_ms(1_501);
            assert_eq!(found((history, burst)), None, "message {slow}");
        }
        let mut burst = burst.clone();
        burst[0].received_at = burst[0].received_at.plus_ms(1_501);
        assert_eq!(found((history, burst)), None);
    }

    #[test]
    fn a_person_of_the_business_breaks_the_row() {
        let (mut history, burst) = talk(500, different);
        let at = history[5].received_at.0;
        history.push(said(Author::Person, at + 1, "Saya bantu ya kak"));
        assert_eq!(found((history.clone(), burst.clone())), None);
        // Long before the row, it breaks nothing.
        history.pop();
        history.push(said(Author::Person, -60_000, "Saya bantu ya kak"));
        assert_eq!(found((history, burst)), Some(Loop::Fast));
    }

    #[test]
    fn a_person_who_is_answered_quickly_is_no_loop() {
        // Silence and model of one second together: every question is within two seconds of its own reply.
        let mut history = Vec::new();
        for turn in 0..8 {
            let at = turn * 20_000;
            history.push(said(Author::Customer, at, &different(turn)));
            history.push(said(Author::Bot, at + 1_500, "Baik kak"));
        }
        let burst = vec![said(Author::Customer, 160_000, "lagi")];
        assert_eq!(found((history, burst)), None);
    }

    #[test]
    fn a_machine_may_answer_in_several_bubbles() {
        let mut history = vec![said(Author::Customer, 0, "mulai")];
        for turn in 1..=5 {
            let at = turn * 10_000;
            history.push(said(Author::Bot, at, "Baik kak"));
            for bubble in 0..3 {
                let text = format!("bagian {turn}.{bubble}");
                history.push(said(Author::Customer, at + 700 + bubble * 1_500, &text));
            }
        }
        let burst = history.split_off(history.len() - 3);
        assert_eq!(found((history, burst)), Some(Loop::Fast));
    }

    #[test]
    fn somebody_who_never_stops_writing_answers_nothing() {
        // Five bubbles a second; fifty are a burst, and its reply falls between the bubbles.
        let mut history: Vec<Message> = (0..300)
            .map(|n| said(Author::Customer, n * 200, &format!("banjir {n}")))
            .collect();
        let burst = history.split_off(250);
        for n in 1..=5 {
            history.push(said(Author::Bot, n * 10_000 + 1_100, "Baik kak"));
        }
        assert_eq!(found((history, burst)), None);
    }

    #[test]
    fn a_reply_that_did_not_arrive_is_not_answered() {
        let (mut history, burst) = talk(500, different);
        history[5].delivered = false;
        assert_eq!(found((history, burst)), None);
    }

    #[test]
    fn the_same_text_five_times_in_a_row_is_a_loop() {
        let slowly = 60_000;
        assert_eq!(
            found(talk(slowly, |_| "Kami akan segera membalas.".to_owned())),
            Some(Loop::Repeats)
        );
        let typed = ["Halo", "halo!", " HALO ", "halo 😊", "*halo*"];
        let same = |turn: i64| typed[usize::try_from(turn).unwrap()].to_owned();
        assert_eq!(found(talk(slowly, same)), Some(Loop::Repeats));
        for other in 0..5 {
            let text = |turn| if turn == other { "apa?" } else { "halo" }.to_owned();
            assert_eq!(found(talk(slowly, text)), None, "turn {other} differs");
        }
    }

    #[test]
    fn a_burst_is_compared_whole() {
        let mut history = Vec::new();
        for turn in 0..5 {
            let at = turn * 60_000;
            history.push(said(Author::Customer, at, "Terima kasih."));
            history.push(said(Author::Customer, at + 900, "Kami segera membalas."));
            history.push(said(Author::Bot, at + 9_000, "Baik kak"));
        }
        history.pop();
        let burst = history.split_off(history.len() - 2);
        assert_eq!(found((history.clone(), burst.clone())), Some(Loop::Repeats));
        assert_eq!(found((history, burst[..1].to_vec())), None);
    }

    #[test]
    fn a_person_may_say_the_same_a_few_times() {
        assert_eq!(is_loop(&[], &[said(Author::Customer, 0, "halo")]), None);
        let twice = [said(Author::Customer, 0, "halo")];
        assert_eq!(
            is_loop(&twice, &[said(Author::Customer, 9_000, "halo")]),
            None
        );
        let bubbles: Vec<Message> = (0..6)
            .map(|n| said(Author::Customer, n * 500, "halo"))
            .collect();
        assert_eq!(is_loop(&[], &bubbles), None, "one burst");
        assert_eq!(is_loop(&bubbles, &[]), None);
        let slowly = 60_000;
        for short in ["ya", "Ok!", "iya", "👍"] {
            assert_eq!(found(talk(slowly, |_| short.to_owned())), None, "{short}");
        }
    }

    #[test]
    fn the_same_question_every_day_is_no_loop() {
        // Four gaps of a burst and its reply make the hour.
        let gap_ms = REPEATS_WITHIN_MS / 4 - 5_000;
        let same = |_| "menu hari ini?".to_owned();
        assert_eq!(found(talk(gap_ms, same)), Some(Loop::Repeats));
        assert_eq!(found(talk(gap_ms + 1, same)), None);
        assert_eq!(found(talk(86_400_000, same)), None);
    }

    #[test]
    fn five_pictures_are_no_loop() {
        let (mut history, burst) = talk(60_000, |_| "[Gambar]".to_owned());
        assert_eq!(found((history.clone(), burst.clone())), Some(Loop::Repeats));
        history[4].content.kind = MessageKind::Image;
        assert_eq!(found((history, burst)), None);
    }

    #[test]
    fn what_a_person_wrote_is_no_reply_of_the_row() {
        let (mut history, burst) = talk(500, different);
        assert_eq!(found((history.clone(), burst.clone())), Some(Loop::Fast));
        history[1].author = Author::Person;
        assert_eq!(found((history, burst)), None);
    }

    #[test]
    fn after_a_pause_of_just_that_long_a_bubble_is_a_new_burst() {
        let previous = said(Author::Customer, 1_000, "satu");
        let after = |at: i64| {
            let next = said(Author::Customer, at, "dua");
            Burst::after(Some(EpochMs(at - 7)), Some(&previous), vec![&next]).after_reply_ms
        };
        assert_eq!(after(1_000 + PAUSE_MS - 1), None);
        assert_eq!(after(1_000 + PAUSE_MS), Some(7));
    }

    #[test]
    fn a_loop_has_a_word() {
        assert_eq!(
            [Loop::Fast, Loop::Repeats].map(Loop::as_str),
            ["fast", "repeats"]
        );
    }
}
