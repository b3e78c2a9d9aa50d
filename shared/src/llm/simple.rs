//! Which questions a cheaper model may answer: short ones about neither money nor trouble. Plain rules over words,
//! which err on the dear side: a question that only looks like one about money costs a better model, nothing more.

use crate::conversation::bot::SimpleRule;

/// What words about money and trouble begin with, behind a prefix as Indonesian has them, in the spellings people
/// type. Doubled letters are written once: `hargaaa` is `harga`.
#[rustfmt::skip]
const STEMS: &[&str] = &[
    // Prices and payment.
    "harg", "hraga", "hrg", "arga", "berap", "brap", "brp", "biaya", "biya", "ongkir", "ongkos", "ongkr", "ongks",
    "ongir", "tarif", "diskon", "dskon", "diskn", "discon", "discount", "potongan", "promo", "voucer", "voucher",
    "kupon", "cashback", "bayar", "byar", "byr", "bayr", "murah", "mahal", "mhal", "gratis", "rupiah", "ribu", "juta",
    "budget", "bajet", "transfer", "ntransfer", "trf", "rekening", "qris", "gopay", "tagih", "nagih", "invoice",
    "cicil", "nota", "kembalian", "refund", "rifund", "price", "pricing", "cost", "paid", "payment", "paying", "paylat",
    "paypal", "expensiv", "cheap", "charge", "aford",
    // Trouble.
    "kompl", "compl", "keluh", "eluh", "kecewa", "ecewa", "kcewa", "rusak", "rusk", "cacat", "pecah", "bocor", "basi",
    "kotor", "salah", "slah", "alahkan", "keliru", "batal", "btal", "cancel", "kensel", "lambat", "lelet", "telat",
    "tlat", "hilang", "ilang", "kurang", "krang", "retur", "tukar", "nukar", "ganti", "tipu", "nipu", "bohong", "parah",
    "jelek", "buruk", "payah", "marah", "kesal", "kesel", "kapok", "lapor", "polisi", "curang", "gagal", "eror",
    "masalah", "belum", "disapoint", "broken", "damag", "wrong", "delay", "mising", "scam", "fraud", "angry", "teribl",
    "worst", "horibl", "awful", "problem", "isue", "refus", "arived", "receiv",
];

/// Words that mean it only as they stand, with `-nya` or without: longer ones that begin alike mean something else.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    // Prices and payment.
    "rp", "rb", "rbu", "jt", "idr", "usd", "dp", "cod", "tf", "rek", "disc", "pay", "fe", "fes", "total",
    // Trouble. `lama` as it stands: everybody says `selamat`, and a `laman` is a page.
    "lama", "lma", "kelaman", "blm", "blom", "blum", "lom", "rsk", "slh", "btl", "lost", "late", "bad",
];

/// What is put before a stem, the longest first.
#[rustfmt::skip]
const PREFIXES: &[&str] = &[
    "memper", "menge", "meng", "meny", "mem", "men", "me", "peng", "peny", "pem", "pen", "per", "pe", "di", "ter",
    "ber", "ke", "se", "nge", "ng", "ku", "kau",
];

/// Two words that mean it only together.
const PAIRS: &[(&str, &str)] = &[
    ("how", "much"),
    ("how", "many"),
    ("not", "work"),
    ("never", "came"),
];

/// Whether a question is short and asks for no price, complains of nothing and says something at all.
#[must_use]
pub fn is_simple(question: &str, rule: &SimpleRule) -> bool {
    let question = question.trim();
    let most = usize::try_from(rule.max_characters).unwrap_or(usize::MAX);
    if question.is_empty() || question.chars().count() > most {
        return false;
    }
    let words: Vec<String> = words(question).collect();
    let pair = words.windows(2).any(|two| {
        let [first, second] = two else { return false };
        PAIRS
            .iter()
            .any(|(a, b)| first == a && second.starts_with(b))
    });
    !pair && !question.contains(['$', '€', '£', '%']) && !words.iter().any(|word| is_grave(word))
}

/// The words in lower case, every letter that is repeated written once. Digits and signs end a word: `50rb`, `di-refund`.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut letters: Vec<char> = word.to_lowercase().chars().collect();
            letters.dedup();
            letters.into_iter().collect()
        })
}

fn is_grave(word: &str) -> bool {
    let begins = |word: &str| STEMS.iter().any(|stem| word.starts_with(stem));
    let known = |word: &str| {
        WORDS
            .iter()
            .any(|grave| word == *grave || word.strip_suffix("nya") == Some(*grave))
    };
    known(word)
        || begins(word)
        || PREFIXES
            .iter()
            .filter_map(|prefix| word.strip_prefix(prefix))
            .any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::bot::ModelEntry;

    fn simple(question: &str) -> bool {
        let rule = SimpleRule {
            model: ModelEntry::named("m"),
            max_characters: 60,
        };
        is_simple(question, &rule)
    }

    #[test]
    fn small_talk_and_plain_questions_are_simple() {
        for question in [
            "Halo",
            "selamat pagi kak 😊",
            "Selamat malam",
            "terima kasih banyak ya",
            "makasih kak",
            "sama-sama",
            "ok siap",
            "buka hari minggu?",
            "alamatnya di mana ya?",
            "ada menu kopi susu?",
            "bisa pesan untuk besok?",
            "jam buka kak",
            "ada laman webnya?",
            "Are you open on Sunday?",
            "Where is your shop?",
            "thank you very much",
            "later then",
        ] {
            assert!(simple(question), "{question}");
        }
    }

    #[test]
    fn a_question_about_money_is_not() {
        for question in [
            "harga?",
            "HARGANYA brp kak",
            "hargaaa dong",
            "hrg bolu",
            "hraga bolu",
            "berapaan kak",
            "brapa ya",
            "brp",
            "biayanya?",
            "ongkirnya ke bogor",
            "ongkos kirim",
            "tarif per km",
            "ada diskon gak",
            "ada dskon?",
            "promonya apa",
            "bisa bayar di tempat?",
            "cara pembayaran",
            "mau membayar",
            "sudah dibayar ya",
            "byr pake qris",
            "yang termurah apa",
            "kemahalan kak",
            "ada yang 50rb?",
            "Rp. 20.000 dapat apa",
            "di-refund kapan",
            "bisa COD?",
            "minta no rek",
            "totalnya?",
            "menagih terus",
            "how much is it",
            "How  much?!",
            "what does it cost",
            "Any discounts?",
            "delivery fee?",
            "can I pay by card",
            "is it $5",
            "beneran 50% off?",
        ] {
            assert!(!simple(question), "{question}");
        }
    }

    #[test]
    fn a_complaint_is_not() {
        for question in [
            "mau komplain",
            "mau komplen nih",
            "kecewa banget",
            "sangat mengecewakan",
            "barangnya rusak",
            "ada kerusakan",
            "rsk kak",
            "pesanan salah",
            "slh kirim",
            "saya mau batal",
            "tolong dibatalkan",
            "pembatalan gimana",
            "lama bangettt",
            "kok lamaaa",
            "kelamaan",
            "belum sampai",
            "blm nyampe kak",
            "pesanan sebelumnya hilang",
            "terlambat terus",
            "menyalahkan saya",
            "kalian menipu",
            "penipuan ini",
            "bermasalah kak",
            "eluhan: mengeluh",
            "it's broken",
            "I want to cancel",
            "still not arrived",
            "never came",
            "so disappointed",
            "WRONG ORDER",
        ] {
            assert!(!simple(question), "{question}");
        }
    }

    #[test]
    fn length_counts_characters_and_nothing_said_is_not_simple() {
        assert!(simple(&"é".repeat(60)));
        assert!(simple(&format!("  {}\n", "é".repeat(60))));
        assert!(!simple(&"é".repeat(61)));
        assert!(!simple(" \n"));
        assert!(simple("😊"));
    }

    #[test]
    fn every_known_word_can_be_met() {
        let both = STEMS.iter().chain(WORDS).chain(PREFIXES);
        for known in both {
            let met: Vec<String> = words(known).collect();
            assert_eq!(met, [*known], "letters that are repeated are written once");
        }
        assert!(
            PAIRS
                .iter()
                .all(|(a, b)| words(a).eq([*a]) && words(b).eq([*b]))
        );
    }
}
