//! Models of 4,096 tokens that count in many ways, and texts of many kinds.

use unicode_segmentation::UnicodeSegmentation as _;

use super::fit::*;
use super::tests::{bot, document, message};
use super::*;
use crate::llm::TokenNumbers;

const CONTEXT: u32 = 4_096;
const MAX_TOKENS: u32 = 800;

type Count = fn(&str) -> usize;

/// A model that is not there: how it counts, and whether the answer's tokens count too.
struct Model {
    name: &'static str,
    count: Count,
    answer_counts: bool,
    splits: bool,
}

impl Model {
    fn all() -> Vec<Self> {
        let counts: [(&str, Count); 6] = [
            ("characters / 2", |text| text.chars().count().div_ceil(2)),
            ("characters / 3", |text| text.chars().count().div_ceil(3)),
            ("characters / 4", |text| text.chars().count().div_ceil(4)),
            ("bytes / 3", |text| text.len().div_ceil(3)),
            ("words and signs", |text| {
                text.split_word_bounds().filter(|w| *w != " ").count()
            }),
            ("ASCII / 4, others by bytes", |text| {
                let ascii = text.chars().filter(char::is_ascii).count();
                ascii.div_ceil(4) + (text.len() - ascii) / 2
            }),
        ];
        let ways = [(false, false), (true, false), (true, true)];
        let mut models = Vec::new();
        for (name, count) in counts {
            for (answer_counts, splits) in ways {
                models.push(Self {
                    name,
                    count,
                    answer_counts,
                    splits,
                });
            }
        }
        models
    }

    fn prompt_tokens(&self, messages: &[ChatMessage]) -> u64 {
        let tokens: usize = messages.iter().map(|m| (self.count)(&m.content)).sum();
        tokens as u64
    }

    fn ask(&self, messages: &[ChatMessage]) -> Result<(), TokenNumbers> {
        let prompt = self.prompt_tokens(messages);
        let answer = if self.answer_counts { MAX_TOKENS } else { 0 };
        let requested = prompt + u64::from(answer);
        if requested <= u64::from(CONTEXT) {
            return Ok(());
        }
        Err(TokenNumbers {
            maximum: u64::from(CONTEXT),
            requested,
            prompt: self.splits.then_some(prompt),
        })
    }
}

/// Texts of so many characters, and what they are.
fn texts(characters: usize) -> Vec<(&'static str, String)> {
    let of = |piece: &str| piece.chars().cycle().take(characters).collect::<String>();
    let family = "👨‍👩‍👧‍👦";
    let whole_families = characters / family.chars().count();
    vec![
        (
            "words",
            of("Kak, pesanan saya yang kemarin belum sampai juga ya. "),
        ),
        ("one letter", of("a")),
        ("prices", of("Rp 55.000, 2x; ")),
        ("emojis", of("😊🙏🎂")),
        ("families", family.repeat(whole_families)),
        ("words and emojis", of("Halo kak 😊🙏 mau tanya dong 🎂 ")),
        ("han", of("请问这个蛋糕多少钱呢。")),
        ("accents", of("é à ü ")),
        ("arabic", of("السلام عليكم ورحمة الله ")),
        ("combined", of("e\u{301}o\u{308} ")),
    ]
}

fn shop() -> Bot {
    let content = "Bolu pandan Rp 55.000, kue lapis Rp 85.000, setiap hari pukul 08-20. ".repeat(9);
    bot((0..6)
        .map(|n| document("faq", &format!("Dokumen {n}"), &content))
        .collect())
}

fn past() -> Vec<Message> {
    (0..12)
        .map(|at| {
            let author = if at % 2 == 0 {
                Author::Customer
            } else {
                Author::Bot
            };
            message(author, at, &"Baik kak, kami cek dulu ya. ".repeat(9))
        })
        .collect()
}

/// What the conversation is asked about, at a given burst.
fn with_burst<T>(text: &str, test: impl FnOnce(&Parts<'_>) -> T) -> T {
    let (bot, history) = (shop(), past());
    let burst = [message(Author::Customer, 100, text)];
    test(&Parts {
        bot: &bot,
        history: &history,
        burst: &burst,
        limits: &Limits::default(),
    })
}

#[test]
fn a_known_context_is_never_exceeded_at_all() {
    for characters in [40, 4_001] {
        for (kind, text) in texts(characters) {
            with_burst(&text, |parts| {
                let room = Room::known(CONTEXT, MAX_TOKENS);
                let (_, prompt) = fitting(parts, Level::Full, Some(room)).unwrap();
                for model in Model::all() {
                    let asked = model.ask(&prompt);
                    assert!(
                        asked.is_ok(),
                        "{characters} {kind}, {}: {asked:?}",
                        model.name
                    );
                }
            });
        }
    }
}

#[test]
fn one_refusal_with_numbers_is_enough_for_one_exact_cut() {
    let mut refusals = 0;
    for characters in [40, 4_001] {
        for (kind, text) in texts(characters) {
            for model in Model::all() {
                with_burst(&text, |parts| {
                    let (level, first) = fitting(parts, Level::Full, None).unwrap();
                    let Err(numbers) = model.ask(&first) else {
                        return;
                    };
                    refusals += 1;
                    let room = room_after(&first, &numbers, MAX_TOKENS);
                    let (_, second) = fitting(parts, level, Some(room)).unwrap();
                    let again = model.ask(&second);
                    assert!(
                        again.is_ok(),
                        "{characters} {kind}, {}: {again:?}",
                        model.name
                    );
                });
            }
        }
    }
    assert!(
        refusals > 60,
        "only {refusals} refusals: the test shows little"
    );
}

#[test]
fn the_cut_is_not_deeper_than_it_must_be() {
    for model in Model::all().iter().filter(|m| m.name.starts_with("char")) {
        with_burst(&"pesanan saya belum sampai ".repeat(700), |parts| {
            let (level, first) = fitting(parts, Level::Full, None).unwrap();
            let numbers = model.ask(&first).unwrap_err();
            let room = room_after(&first, &numbers, MAX_TOKENS);
            let (level, second) = fitting(parts, level, Some(room)).unwrap();
            assert_eq!(level, Level::BurstOnly);
            let used = model.prompt_tokens(&second) + u64::from(MAX_TOKENS);
            // Told apart, 3 % are spared; else the answer's tokens may be counted twice.
            let least = if model.answer_counts && !model.splits {
                CONTEXT * 75 / 100
            } else {
                CONTEXT * 95 / 100
            };
            assert!(used >= u64::from(least), "{}: {used}", model.name);
        });
    }
}

#[test]
fn less_is_left_out_where_that_is_enough() {
    with_burst("Halo kak", |parts| {
        let fits_at = |level| {
            let prompt = build(parts.bot, parts.history, parts.burst, parts.limits, level);
            let context = estimate_tokens(&prompt) + MAX_TOKENS;
            let (chosen, fitted) =
                fitting(parts, Level::Full, Some(Room::known(context, MAX_TOKENS))).unwrap();
            assert_eq!((chosen, &fitted), (level, &prompt));
            let one_less = Room::known(context - 1, MAX_TOKENS);
            fitting(parts, Level::Full, Some(one_less)).map(|(level, _)| level)
        };
        assert_eq!(fits_at(Level::Full), Some(Level::ShortHistory));
        assert_eq!(fits_at(Level::ShortHistory), Some(Level::NoDocuments));
        assert_eq!(fits_at(Level::NoDocuments), Some(Level::BurstOnly));
        assert_eq!(fits_at(Level::BurstOnly), None, "a short burst is not cut");
    });
}

#[test]
fn what_was_left_out_before_does_not_come_back() {
    with_burst("Halo kak", |parts| {
        let (level, prompt) = fitting(parts, Level::NoDocuments, None).unwrap();
        assert_eq!((level, prompt.len()), (Level::NoDocuments, 7));
        let wide = Room::known(1_000_000, MAX_TOKENS);
        let (level, _) = fitting(parts, Level::NoDocuments, Some(wide)).unwrap();
        assert_eq!(level, Level::NoDocuments);
    });
}

#[test]
fn a_cut_burst_keeps_its_newest_part_in_whole_characters() {
    for (kind, text) in texts(16_000) {
        with_burst(&text, |parts| {
            let room = Room::known(2_048, MAX_TOKENS);
            let (level, prompt) = fitting(parts, Level::Full, Some(room)).unwrap();
            assert_eq!((level, prompt.len()), (Level::BurstOnly, 2), "{kind}");
            let kept = prompt[1].content.strip_prefix('…').unwrap();
            let start = text.trim_end().len() - kept.trim_end().len();
            assert!(text.ends_with(kept), "{kind}");
            assert!(
                text.grapheme_indices(true).any(|(at, _)| at == start),
                "{kind}: cut inside what a person sees as one character"
            );
        });
    }
}

#[test]
fn a_model_without_room_for_the_question_is_of_no_use() {
    let long = "Kak, pesanan saya belum sampai. ".repeat(125);
    with_burst(&long, |parts| {
        let least = cut::newest(&long, BURST_MIN_CHARACTERS);
        let shortest = assemble(parts.bot, &[], least, parts.limits, Level::BurstOnly);
        let context = estimate_tokens(&shortest) + MAX_TOKENS;
        let fit = |context, max_tokens| {
            fitting(parts, Level::Full, Some(Room::known(context, max_tokens)))
        };
        let (level, prompt) = fit(context, MAX_TOKENS).unwrap();
        // Two characters are a token, so one more may fit.
        let kept = prompt[1].content.chars().count();
        assert_eq!(
            (level, kept / 2),
            (Level::BurstOnly, BURST_MIN_CHARACTERS / 2)
        );
        assert_eq!(fit(context - 1, MAX_TOKENS), None);
        assert_eq!(fit(context, u32::MAX), None);
        assert_eq!(fit(0, 0), None);
    });
    // One character as people see it, and no room for it: a sign that something is missing is no question.
    let zalgo = format!("a{}", "\u{301}".repeat(4_000));
    with_burst(&zalgo, |parts| {
        assert_eq!(
            fitting(parts, Level::Full, Some(Room::known(2_048, MAX_TOKENS))),
            None
        );
    });
}

#[test]
fn an_estimate_counts_halves_bytes_and_what_wraps_a_message() {
    let of = |text: &str| {
        estimate_tokens(&[ChatMessage {
            role: Role::User,
            content: text.to_owned(),
        }])
    };
    let wrapped = of("");
    assert_eq!((estimate_tokens(&[]), wrapped), (3, 7));
    for (text, tokens) in [
        ("ab", 1),
        ("abc", 2),
        ("é", 1),
        ("漢", 2),
        ("😊", 3),
        ("a漢", 3),
    ] {
        assert_eq!(of(text) - wrapped, tokens, "{text}");
    }
}

#[test]
fn numbers_beyond_reason_are_no_panic() {
    with_burst("Halo", |parts| {
        for (maximum, requested) in [(1, u64::MAX), (u64::MAX - 1, u64::MAX), (0, 0), (4_096, 1)] {
            let numbers = TokenNumbers {
                maximum,
                requested,
                prompt: None,
            };
            for sent in [
                vec![],
                build(parts.bot, &[], parts.burst, parts.limits, Level::Full),
            ] {
                let room = room_after(&sent, &numbers, u32::MAX);
                let fitted = fitting(parts, Level::Full, Some(room));
                assert!(fitted.is_none_or(|(_, prompt)| room.fits(&prompt)));
            }
        }
    });
}

/// Whatever is asked, counted and refused: what `fitting` gives fits, by the room's own count.
#[test]
fn nothing_ever_exceeds_its_room() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let (mut some, mut none) = (0, 0);
    for _ in 0..60 {
        let length = usize::try_from(1 + random(6_000)).unwrap();
        let kinds = texts(length);
        let (_, text) = &kinds[usize::try_from(random(kinds.len() as u64)).unwrap()];
        let max_tokens = u32::try_from(16 + random(1_000)).unwrap();
        let context = 512 + random(6_000);
        let requested = context + 1 + random(50_000);
        let prompt = Some(1 + random(requested)).filter(|_| requested % 2 == 0);
        with_burst(text, |parts| {
            let sent = build(
                parts.bot,
                parts.history,
                parts.burst,
                parts.limits,
                Level::Full,
            );
            let numbers = TokenNumbers {
                maximum: context,
                requested,
                prompt,
            };
            let known = Room::known(u32::try_from(context).unwrap(), max_tokens);
            for room in [known, room_after(&sent, &numbers, max_tokens)] {
                match fitting(parts, Level::Full, Some(room)) {
                    Some((_, prompt)) => {
                        assert!(room.fits(&prompt));
                        assert_eq!(prompt.last().unwrap().role, Role::User);
                        some += 1;
                    }
                    None => none += 1,
                }
            }
        });
    }
    assert!(some > 30 && none > 15, "{some} fitted, {none} did not");
}
