//! Which documents matter most to a burst: a plain BM25 over a handful of texts. (The `bm25` crate would
//! bring an unmaintained hasher for the same sixty lines.)

use std::collections::{BTreeMap, BTreeSet};

use crate::conversation::bot::Document;

/// How soon repeating a word stops counting.
const SATURATION: f64 = 1.2;
/// How much a long document is held back.
const LENGTH_WEIGHT: f64 = 0.75;
/// A title says more about a document than any sentence in it.
const TITLE_WEIGHT: usize = 3;

/// Words that stand in every question, and in no answer. Sorted.
#[rustfmt::skip]
const STOPWORDS: &[&str] = &[
    "a", "ada", "adalah", "agar", "aja", "akan", "aku", "and", "anda", "apa", "apakah", "are",
    "atau", "bagaimana", "bagi", "bang", "berapa", "bisa", "bisakah", "boleh", "can", "dan",
    "dapat", "dari", "deh", "dengan", "di", "do", "dong", "gak", "gan", "gimana", "hai",
    "halo", "how", "i", "ia", "in", "ingin", "ini", "is", "it", "itu", "iya", "jadi", "juga",
    "ka", "kah", "kak", "kakak", "kalau", "kalo", "kami", "kamu", "karena", "ke", "kita",
    "lagi", "mas", "mau", "mbak", "min", "mohon", "my", "nggak", "nih", "nya", "of", "oleh",
    "on", "or", "pada", "permisi", "pun", "saja", "sama", "saya", "sebagai", "selamat", "sih",
    "sis", "sudah", "tanya", "the", "tidak", "to", "tolong", "untuk", "what", "ya", "yang",
    "you",
];

/// Endings that do not change what a word is about: `harganya` asks for `harga`.
const ENDINGS: &[&str] = &["nya", "kah", "lah", "pun"];
const SHORTEST_STEM: usize = 3;

/// At most `max` documents, the ones that speak of what `question` speaks of first. Equal ones keep the
/// owner's order, all of them when nothing matches, so that such prompts begin alike.
#[must_use]
pub fn most_relevant<'d>(
    documents: &'d [Document],
    question: &str,
    max: usize,
) -> Vec<&'d Document> {
    if max == 0 {
        return Vec::new();
    }
    let wanted: BTreeSet<String> = words(question).collect();
    let texts: Vec<Counted> = documents.iter().map(Counted::of).collect();
    let mut ranked: Vec<(f64, &Document)> =
        scores(&texts, &wanted).into_iter().zip(documents).collect();
    // A stable sort: ties keep their order.
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    ranked
        .into_iter()
        .take(max)
        .map(|(_, document)| document)
        .collect()
}

struct Counted {
    words: BTreeMap<String, usize>,
    length: usize,
}

impl Counted {
    fn of(document: &Document) -> Self {
        let title = words(&document.title).chain(words(&document.kind));
        let weighted = title.flat_map(|word| std::iter::repeat_n(word, TITLE_WEIGHT));
        let mut counted = Self {
            words: BTreeMap::new(),
            length: 0,
        };
        for word in weighted.chain(words(&document.content)) {
            *counted.words.entry(word).or_default() += 1;
            counted.length += 1;
        }
        counted
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of words, far below 2^52"
)]
fn scores(texts: &[Counted], wanted: &BTreeSet<String>) -> Vec<f64> {
    let count = texts.len() as f64;
    let total: usize = texts.iter().map(|text| text.length).sum();
    let mean_length = (total as f64 / count).max(1.0);
    let mut scores = vec![0.0; texts.len()];
    for word in wanted {
        let holding = texts
            .iter()
            .filter(|text| text.words.contains_key(word))
            .count() as f64;
        // Never negative, so that a word in every document still does not count against it.
        let rarity = ((count - holding + 0.5) / (holding + 0.5)).ln_1p();
        for (score, text) in scores.iter_mut().zip(texts) {
            let times = text.words.get(word).copied().unwrap_or_default() as f64;
            let length = 1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * text.length as f64 / mean_length;
            *score += rarity * times * (SATURATION + 1.0) / (times + SATURATION * length);
        }
    }
    scores
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| !STOPWORDS.contains(&word.as_str()))
        .map(|word| stem(&word).to_owned())
}

fn stem(word: &str) -> &str {
    ENDINGS
        .iter()
        .filter_map(|ending| word.strip_suffix(ending))
        .find(|stem| stem.chars().count() >= SHORTEST_STEM)
        .unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(title: &str, content: &str) -> Document {
        Document {
            title: title.to_owned(),
            kind: String::new(),
            content: content.to_owned(),
        }
    }

    fn shop() -> Vec<Document> {
        vec![
            document("Jam buka", "Setiap hari pukul 08.00 sampai 20.00."),
            document(
                "Ongkos kirim",
                "Ongkir dalam kota Rp 10.000, luar kota mengikuti kurir.",
            ),
            document(
                "Daftar harga",
                "Bolu pandan Rp 55.000. Kue lapis Rp 85.000.",
            ),
            document("Pembayaran", "Transfer bank, QRIS, atau tunai di toko."),
        ]
    }

    fn titles(question: &str, max: usize) -> Vec<String> {
        let documents = shop();
        most_relevant(&documents, question, max)
            .into_iter()
            .map(|document| document.title.clone())
            .collect()
    }

    #[test]
    fn the_document_that_speaks_of_the_question_comes_first() {
        assert_eq!(
            titles("Kak, ongkirnya ke luar kota berapa ya?", 1),
            ["Ongkos kirim"]
        );
        assert_eq!(titles("HARGANYA bolu pandan?", 1), ["Daftar harga"]);
        assert_eq!(titles("bisa bayar pakai qris?", 1), ["Pembayaran"]);
    }

    #[test]
    fn the_owners_order_stays_where_nothing_matches() {
        let all = ["Jam buka", "Ongkos kirim", "Daftar harga", "Pembayaran"];
        assert_eq!(titles("🙏", 4), all);
        assert_eq!(titles("", 4), all);
        assert_eq!(titles("halo kak, mau tanya dong", 4), all, "only stopwords");
        assert_eq!(titles("xyzzy", 2), all[..2]);
    }

    #[test]
    fn the_documents_behind_the_match_keep_the_owners_order() {
        assert_eq!(
            titles("qris", 4),
            ["Pembayaran", "Jam buka", "Ongkos kirim", "Daftar harga"]
        );
    }

    #[test]
    fn equal_documents_keep_the_owners_order() {
        let twins = vec![
            document("A", "promo ramadan"),
            document("B", "promo ramadan"),
        ];
        let ranked = most_relevant(&twins, "promo", 2);
        assert_eq!(ranked[0].title, "A");
    }

    #[test]
    fn a_rare_word_counts_more_than_a_common_one() {
        let documents = vec![
            document("x", "kue kue kue kue coklat"),
            document("y", "kue tart stroberi"),
            document("z", "kue kering"),
        ];
        assert_eq!(most_relevant(&documents, "kue stroberi", 1)[0].title, "y");
    }

    #[test]
    fn a_word_of_the_title_or_kind_counts_three_times() {
        let mut of_shop = document("Kue", "coklat coklat");
        of_shop.kind = "menu".to_owned();
        let counted = Counted::of(&of_shop);
        let expected = [("coklat", 2), ("kue", 3), ("menu", 3)];
        assert_eq!(
            counted.words,
            expected.map(|(w, n)| (w.to_owned(), n)).into()
        );
        assert_eq!(counted.length, 8);
    }

    #[test]
    fn the_scores_are_those_of_bm25() {
        let documents = [
            document("kue", "coklat coklat"),
            document("", "kue tart"),
            document("", "susu"),
        ];
        let texts: Vec<Counted> = documents.iter().map(Counted::of).collect();
        let wanted = ["kue", "coklat"].map(str::to_owned).into();
        // Worked out apart from the code: N = 3, lengths 5, 2 and 1, k1 = 1.2, b = 0.75.
        let expected = [1.704_254_037_979_813_7, 0.523_548_346_501_578_9, 0.0];
        for (score, expected) in scores(&texts, &wanted).into_iter().zip(expected) {
            assert!((score - expected).abs() < 1e-12, "{score} for {expected}");
        }
    }

    #[test]
    fn no_documents_and_no_room_are_no_error() {
        assert!(most_relevant(&[], "harga", 5).is_empty());
        assert!(most_relevant(&shop(), "harga", 0).is_empty());
    }

    #[test]
    fn an_ending_is_dropped_only_where_a_word_remains() {
        assert_eq!(stem("harganya"), "harga");
        assert_eq!(stem("nya"), "nya");
        assert_eq!(stem("punya"), "punya");
    }
}
