//! What the demo model says: pure, the same for the same prompt.

use super::words::stems;

/// Documents quoted in one answer, at most.
const MOST_QUOTED: usize = 3;

/// One document of the system message.
#[derive(Debug, PartialEq, Eq)]
struct Document {
    kind: String,
    title: String,
    content: String,
}

/// A document with its stems, which every question is compared with.
struct Known<'a> {
    document: &'a Document,
    /// Of title and kind.
    topic: Vec<String>,
    text: Vec<String>,
}

impl<'a> Known<'a> {
    fn new(document: &'a Document) -> Self {
        Self {
            document,
            topic: stems(&format!("{} {}", document.title, document.kind)),
            text: stems(&document.content),
        }
    }

    fn holds(&self, word: &String) -> bool {
        self.topic.contains(word) || self.text.contains(word)
    }
}

/// An answer to the burst from the documents in the system message.
pub(super) fn answer(system: &str, burst: &str) -> String {
    let documents = documents(system);
    let quotes = quotes(&documents, burst);
    let mut parts: Vec<String> = Vec::new();
    parts.extend(greeting(burst).map(str::to_owned));
    if quotes.is_empty() {
        parts.push(without_quote(&documents, burst));
    } else {
        parts.extend(quotes);
        parts.push("Ada lagi yang bisa kami bantu, Kak? 😊".to_owned());
    }
    parts.push("_Dijawab model demo dari dokumen toko._".to_owned());
    parts.join("\n\n")
}

/// The blocks `[kind - title]`, or `[title]` for a document without a kind, with the text below each, up to the next.
fn documents(system: &str) -> Vec<Document> {
    let mut documents: Vec<Document> = Vec::new();
    let mut after_blank = true;
    for line in system.lines() {
        if let Some((kind, title)) = heading(line).filter(|_| after_blank) {
            let (kind, title) = (kind.to_owned(), title.to_owned());
            documents.push(Document {
                kind,
                title,
                content: String::new(),
            });
        } else if let Some(document) = documents.last_mut() {
            document.content.push('\n');
            document.content.push_str(line);
        }
        after_blank = line.trim().is_empty();
    }
    for document in &mut documents {
        document.content = document.content.trim().to_owned();
    }
    documents.retain(|document| !document.content.is_empty());
    documents
}

/// A line that is a heading and nothing else. A document's own `[promo]` in the middle of its text is none, because a
/// heading follows a blank line.
fn heading(line: &str) -> Option<(&str, &str)> {
    let head = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (kind, title) = head.split_once(" - ").unwrap_or(("", head));
    Some((kind.trim(), title.trim()))
}

/// The parts of the documents that the burst asks for: the best document of each question, or, when the bubbles make sense
/// only together, of all of them.
fn quotes(documents: &[Document], burst: &str) -> Vec<String> {
    let known: Vec<Known> = documents.iter().map(Known::new).collect();
    let mut chosen: Vec<(usize, Vec<String>)> = Vec::new();
    for question in burst.split(['\n', '?', '!', ';']) {
        choose(&known, &stems(question), &mut chosen);
    }
    if chosen.is_empty() {
        choose(&known, &stems(burst), &mut chosen);
    }
    let quoted = chosen.iter().take(MOST_QUOTED);
    quoted
        .filter_map(|(place, asked)| known.get(*place).map(|known| quote(known, asked)))
        .collect()
}

fn choose(known: &[Known], asked: &[String], chosen: &mut Vec<(usize, Vec<String>)>) {
    let Some(place) = best(known, asked) else {
        return;
    };
    match chosen.iter_mut().find(|(other, _)| *other == place) {
        Some((_, all)) => all.extend(asked.iter().cloned()),
        None => chosen.push((place, asked.to_vec())),
    }
}

/// The document that says most about the asked words: rare words count more, and words of the title most. A document that
/// shares neither its title nor more than half of the words does not answer.
fn best(known: &[Known], asked: &[String]) -> Option<usize> {
    let rarity = |word: &String| {
        let holding = known.iter().filter(|other| other.holds(word)).count();
        1.0 + known.len() as f64 / (1.0 + holding as f64)
    };
    let mut best: Option<(usize, f64)> = None;
    for (place, document) in known.iter().enumerate() {
        let titled = asked.iter().any(|word| document.topic.contains(word));
        let shared = asked.iter().filter(|word| document.holds(word)).count();
        if !titled && shared * 2 <= asked.len() {
            continue;
        }
        let weight = |word: &String| {
            if document.topic.contains(word) {
                3.0 * rarity(word)
            } else if document.text.contains(word) {
                rarity(word)
            } else {
                0.0
            }
        };
        let score: f64 = asked.iter().map(weight).sum();
        // The first of equals: documents come with the most relevant first.
        if score > 0.0 && best.is_none_or(|(_, most)| score > most) {
            best = Some((place, score));
        }
    }
    best.map(|(place, _)| place)
}

/// A document under its title; only the lines that hold the asked words, where some do and they are not its very topic.
fn quote(known: &Known, asked: &[String]) -> String {
    let document = known.document;
    let details: Vec<&String> = asked
        .iter()
        .filter(|word| !known.topic.contains(word))
        .collect();
    let lines: Vec<(&str, usize)> = document
        .content
        .lines()
        .map(|line| {
            let words = stems(line);
            let hits = details.iter().filter(|word| words.contains(word)).count();
            (line, hits)
        })
        .collect();
    // The steps of a how-to make sense only together.
    let numbered = lines
        .iter()
        .any(|(line, _)| line.trim_start().starts_with("1."));
    let text = if numbered || lines.iter().all(|(_, hits)| *hits == 0) {
        document.content.clone()
    } else {
        let fitting: Vec<&str> = lines
            .into_iter()
            .filter_map(|(line, hits)| (hits > 0).then_some(line))
            .collect();
        fitting.join("\n")
    };
    format!("**{}**\n{text}", document.title)
}

fn greeting(burst: &str) -> Option<&'static str> {
    let lower = burst.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    if words.iter().any(|word| word.starts_with("assalam")) {
        return Some("Waalaikumsalam, Kak! 👋");
    }
    let greets = |word: &&&str| {
        matches!(
            **word,
            "hai" | "hi" | "hello" | "hallo" | "selamat" | "permisi"
        )
    };
    let found = words
        .iter()
        .find(|word| greets(word) || word.starts_with("halo"));
    found.map(|_| "Halo Kak! 👋 Terima kasih sudah menghubungi kami.")
}

/// The answer where no document fits: thanks for thanks, else what the shop can be asked.
fn without_quote(documents: &[Document], burst: &str) -> String {
    let lower = burst.to_lowercase();
    if ["makasih", "terima kasih", "terimakasih", "thank"]
        .iter()
        .any(|thanks| lower.contains(thanks))
    {
        return "Sama-sama, Kak! Senang bisa membantu 🙏".to_owned();
    }
    let topics: Vec<String> = documents
        .iter()
        .map(|document| format!("- {}", document.title))
        .collect();
    if topics.is_empty() {
        return "Maaf Kak, belum ada dokumen yang bisa kami jadikan jawaban. Tim kami akan segera membantu 🙏".to_owned();
    }
    let opening = if stems(burst).is_empty() {
        "Ada yang bisa kami bantu? Kakak bisa tanya tentang:"
    } else {
        "Maaf Kak, soal itu belum ada di catatan kami; tim kami akan mengeceknya 🙏 Yang bisa kami jawab sekarang:"
    };
    format!("{opening}\n{}", topics.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = "Anda ramah.\n\nGaya: singkat.\n\n[faq - Jam buka]\nSenin: 08.00 - 20.00\nMinggu: libur\n\n\
        [harga - Daftar harga]\nBolu pandan: Rp 35.000\nBolu keju: Rp 40.000\n\n[faq - Ongkir]\nBandung: Rp 10.000";

    #[test]
    fn documents_are_the_blocks_of_the_system_message() {
        let found = documents(SYSTEM);
        let titles: Vec<&str> = found
            .iter()
            .map(|document| document.title.as_str())
            .collect();
        assert_eq!(titles, ["Jam buka", "Daftar harga", "Ongkir"]);
        assert_eq!(found[0].kind, "faq");
        assert_eq!(found[0].content, "Senin: 08.00 - 20.00\nMinggu: libur");
        assert_eq!(documents("no [brackets] here\n[a-b] neither"), []);
        let plain =
            documents("Anda ramah.\n\n[Jam buka]\n08.00\n[libur]\n\n[faq - Promo [2026]]\nKopi");
        assert_eq!(plain[0].title, "Jam buka");
        assert_eq!(plain[0].content, "08.00\n[libur]");
        assert_eq!(
            (plain[1].kind.as_str(), plain[1].title.as_str()),
            ("faq", "Promo [2026]")
        );
    }

    #[test]
    fn a_question_quotes_its_document_and_only_the_lines_asked_for() {
        let text = answer(SYSTEM, "harga bolu keju berapa kak?");
        assert!(text.contains("**Daftar harga**"), "{text}");
        assert!(text.contains("Rp 40.000"), "{text}");
        assert!(
            !text.contains("08.00") && !text.contains("Bandung"),
            "{text}"
        );
        let whole = answer(SYSTEM, "minta daftar harganya");
        assert!(
            whole.contains("Rp 35.000") && whole.contains("Rp 40.000"),
            "{whole}"
        );
    }

    #[test]
    fn the_steps_of_a_how_to_stay_together() {
        let system =
            "[panduan - Cara pesan]\n1. Tulis ukuran kue.\n2. Bayar.\n\n[faq - Jam buka]\n08.00";
        let text = answer(system, "cara pesan kue ukuran besar?");
        assert!(text.contains("1. Tulis ukuran kue.\n2. Bayar."), "{text}");
    }

    #[test]
    fn each_question_of_a_burst_gets_its_document_once() {
        let text = answer(
            SYSTEM,
            "halo\njam buka hari minggu?\nongkir ke bandung\nharga bolu",
        );
        for part in [
            "Halo Kak",
            "Minggu: libur",
            "Bandung: Rp 10.000",
            "**Daftar harga**",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let twice = answer(SYSTEM, "harga bolu?\nharga bolu keju?");
        assert_eq!(twice.matches("**Daftar harga**").count(), 1);
    }

    #[test]
    fn a_greeting_is_greeted_and_told_what_can_be_asked() {
        let text = answer(SYSTEM, "Halo");
        assert!(text.starts_with("Halo Kak"), "{text}");
        assert!(text.contains("- Jam buka"), "{text}");
        assert!(answer(SYSTEM, "Assalamu'alaikum").starts_with("Waalaikumsalam"));
        assert!(answer(SYSTEM, "makasih ya kak").contains("Sama-sama"));
    }

    #[test]
    fn what_the_documents_do_not_hold_is_not_answered() {
        let text = answer(SYSTEM, "siapa presiden pertama amerika?");
        assert!(text.contains("belum ada di catatan kami"), "{text}");
        assert!(!text.contains("Rp"), "{text}");
        assert!(answer("Anda ramah.", "harga?").contains("belum ada dokumen"));
    }

    #[test]
    fn every_answer_says_that_it_is_a_demo_and_repeats_itself() {
        for burst in ["", "Halo", "harga", "🙏🙏", "xyzzy plugh"] {
            assert!(answer(SYSTEM, burst).contains("model demo"));
            assert_eq!(answer(SYSTEM, burst), answer(SYSTEM, burst));
        }
    }
}
