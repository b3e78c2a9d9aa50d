//! The words of a text as the demo model compares them: lower case, without the words that say nothing, Indonesian
//! prefixes and suffixes stripped, and the usual shop words of one sense made one. Both sides go through it, so a crude
//! stem does no harm as long as it is crude on both.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that tell no topic.
const EMPTY_WORDS: &str = " ada adalah agar aja aku anda apa barang apakah atau bagaimana bantu bang berapa bgt bisa boleh \
    buat cek coba dan dari deh dengan di dimana dong dulu gan gak gimana halo hai hallo haloo hello hi ga ini info itu \
    iya jadi juga kak kaka kakak kalau kalo kami kamu kan kapan karena ke kok kah kasih lagi lah lalu lebih loh mas mau \
    mana mba mbak min mohon nggak nih nya oh ok oke pak pada pagi permisi perlu produk punya saat saja sampai saya sama sangat \
    selamat sih siang siapa sis sore sudah tahu tanya tapi tau tidak tolong tuh untuk utk ya yaa yang yg yuk the is to a \
    of and for i you do can how what much ";

/// Shop words of one sense, by stem; the first stands for all.
const SENSES: &[&[&str]] = &[
    &[
        "harga",
        "biaya",
        "tarif",
        "murah",
        "mahal",
        "price",
        "pricelist",
        "katalog",
        "menu",
    ],
    &[
        "kirim",
        "antar",
        "ongkir",
        "ongkos",
        "kurir",
        "ekspedisi",
        "delivery",
        "gosend",
        "jne",
        "jnt",
        "sicepat",
        "shipping",
    ],
    &["buka", "tutup", "operasional", "open", "close"],
    &["alamat", "lokasi", "letak", "maps", "gmaps"],
    &[
        "bayar", "transfer", "tf", "qris", "cod", "tunai", "cash", "rekening", "gopay", "ovo",
        "dana", "payment",
    ],
    &[
        "tukar", "retur", "kembali", "refund", "rusak", "cacat", "bocor", "komplain", "ganti",
        "garansi",
    ],
    &["pesan", "order", "beli", "checkout"],
];

/// The stems of a text, in order, without repeats.
pub(super) fn stems(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let mut stems: Vec<String> = Vec::new();
    for word in words.filter(|word| !is_empty(word)) {
        let stem = sense(&stem(word)).to_owned();
        if !stems.contains(&stem) {
            stems.push(stem);
        }
    }
    stems
}

fn is_empty(word: &str) -> bool {
    // Every word of a prompt asks this: a list searched from its start showed in the profile of a turn.
    static EMPTY: LazyLock<HashSet<&str>> =
        LazyLock::new(|| EMPTY_WORDS.split_whitespace().collect());
    EMPTY.contains(word)
}

fn sense(stem: &str) -> &str {
    let known = SENSES.iter().find(|senses| senses.contains(&stem));
    known
        .and_then(|senses| senses.first())
        .copied()
        .unwrap_or(stem)
}

/// What must be left of a word when a prefix or suffix goes: "pesan" keeps its "an", "pesanan" loses it.
const SHORTEST: usize = 4;

fn stem(word: &str) -> String {
    let word = without_suffix(word, &["nya", "kah", "lah", "pun"]);
    // The prefix before "an": memesan must not lose the end of pesan.
    let root = without_prefix(word).unwrap_or_else(|| word.to_owned());
    without_suffix(&root, &["kan", "an"]).to_owned()
}

fn without_suffix<'a>(word: &'a str, suffixes: &[&str]) -> &'a str {
    let cut = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix));
    cut.filter(|rest| rest.chars().count() >= SHORTEST)
        .unwrap_or(word)
}

/// The nasal prefixes swallow a consonant before a vowel: me+pesan is memesan, pe+tukar is penukar.
fn without_prefix(word: &str) -> Option<String> {
    const NASAL: [(&str, &str); 8] = [
        ("meny", "s"),
        ("peny", "s"),
        ("meng", "k"),
        ("peng", "k"),
        ("mem", "p"),
        ("pem", "p"),
        ("men", "t"),
        ("pen", "t"),
    ];
    for (prefix, swallowed) in NASAL {
        if let Some(rest) = word.strip_prefix(prefix) {
            let vowel = rest.starts_with(['a', 'e', 'i', 'o', 'u']);
            let root = if vowel {
                format!("{swallowed}{rest}")
            } else {
                rest.to_owned()
            };
            return long_enough(root);
        }
    }
    ["ber", "ter", "di", "se"]
        .iter()
        .find_map(|prefix| long_enough(word.strip_prefix(prefix)?.to_owned()))
}

fn long_enough(root: String) -> Option<String> {
    (root.chars().count() >= SHORTEST).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_word_are_one_stem() {
        for (words, stem) in [
            (
                "pesan pesanan memesan pemesanan dipesan order beli",
                "pesan",
            ),
            (
                "kirim mengirim pengiriman dikirim ongkir ongkirnya antar diantarkan",
                "kirim",
            ),
            (
                "bayar membayar pembayaran dibayar bayarnya transfer",
                "bayar",
            ),
            (
                "tukar menukar penukaran ditukar pengembalian refund",
                "tukar",
            ),
            ("HARGA Harganya biaya", "harga"),
        ] {
            assert_eq!(stems(words), [stem], "{words}");
        }
    }

    #[test]
    fn words_that_tell_no_topic_are_left_out() {
        assert!(stems("Halo kak, saya mau tanya dong, bisa ya? 🙏").is_empty());
        assert_eq!(stems("kopi Gayo-nya berapa?"), ["kopi", "gayo"]);
    }

    #[test]
    fn any_text_has_stems_or_none_and_never_panics() {
        for text in ["", "ß", "日本語", "di", "meng", "ﷺ", "men\u{301}an"] {
            let _ = stems(text);
        }
    }
}
