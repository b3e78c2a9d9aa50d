use super::*;

#[track_caller]
fn becomes(markdown: &str, whatsapp: &str) {
    let text = whatsapp_text(markdown);
    assert_eq!(text, whatsapp, "from {markdown:?}");
    assert_eq!(
        whatsapp_text(&text),
        text,
        "a second time, from {markdown:?}"
    );
}

#[track_caller]
fn stays(text: &str) {
    becomes(text, text);
}

#[test]
fn bold_has_one_star_on_whatsapp() {
    becomes("Harga **Rp 50.000** saja", "Harga *Rp 50.000* saja");
    becomes("__Penting__: bayar dulu", "*Penting*: bayar dulu");
    becomes("***Promo*** hari ini", "*_Promo_* hari ini");
    becomes("**a** dan **b**", "*a* dan *b*");
    becomes("**2 * 3 = 6**", "*2 * 3 = 6*");
    becomes("Rp**50.000**", "Rp*50.000*");
    becomes("(**baru**)", "(*baru*)");
}

#[test]
fn a_block_of_code_ends_behind_its_last_line_too() {
    becomes("```\nkode```\n**tebal**", "```\nkode```\n*tebal*");
}

#[test]
fn a_line_with_a_bar_is_no_table_by_itself() {
    stays("Buka Senin | Selasa\nTutup Minggu");
    stays("Senin | 8\nSelasa | 9");
    stays("Senin | Selasa\n\nTutup");
}

#[test]
fn what_is_not_sent_uses_up_none_of_what_is_looked_at() {
    becomes(&format!("{}Buka", "\n".repeat(2 * MAX_CHARACTERS)), "Buka");
}

#[test]
fn a_mark_or_a_label_without_an_end_nearby_is_none() {
    for (characters, is_mark) in [(999, true), (1_000, false)] {
        let long = "a".repeat(characters);
        let marked = whatsapp_text(&format!("**{long}**"));
        assert_eq!(marked == format!("*{long}*"), is_mark, "{characters}");
        let linked = whatsapp_text(&format!("[{long}](x.example)"));
        assert_eq!(linked == format!("{long}: x.example"), is_mark);
    }
}

#[test]
fn a_strike_through_has_one_tilde() {
    becomes("~~Rp 90.000~~ Rp 75.000", "~Rp 90.000~ Rp 75.000");
}

#[test]
fn what_is_right_already_stays() {
    stays("*tebal* _miring_ ~coret~ `kode`");
    stays("Halo kak 😊\n\n• satu\n• dua");
    stays("> kutipan\n1. satu\n2. dua");
}

#[test]
fn arithmetic_and_names_are_no_marks() {
    stays("2 * 3 * 4");
    stays("2**3**4 dan 2 ** 3 ** 4");
    stays("snake_case dan dua__garis__bawah");
    stays("__awal__nya dan akhir__nya__");
    stays("nilai ** tidak ditutup");
    stays("**tidak ditutup");
    stays("**tidak ** ditutup **");
    stays("**** dan ____");
    stays("stok: 5*6*7");
}

#[test]
fn a_heading_is_a_bold_line() {
    becomes("# Menu", "*Menu*");
    becomes("# Paket 2*3 meter", "*Paket 2*3 meter*");
    becomes("### Menu hari ini ###\nBolu", "*Menu hari ini*\nBolu");
    becomes("## **Menu** lengkap", "*Menu lengkap*");
    becomes("# Kursus C#", "*Kursus C#*");
    becomes("#promo\n#1 di kota", "#promo\n#1 di kota");
    becomes("#\nisi", "isi");
    becomes(
        "# [Toko](https://toko.example/a_b)",
        "Toko: https://toko.example/a_b",
    );
}

#[test]
fn a_link_is_its_text_and_its_address() {
    becomes(
        "[Katalog](https://toko.example/k)",
        "Katalog: https://toko.example/k",
    );
    becomes("[text](url)", "text: url");
    becomes(
        "[https://toko.example](https://toko.example)",
        "https://toko.example",
    );
    becomes(
        "[toko.example](https://toko.example/)",
        "https://toko.example/",
    );
    becomes(
        "lihat [Wiki](https://x.example/a_(b)) ya",
        "lihat Wiki: https://x.example/a_(b) ya",
    );
    becomes(
        "[Peta](https://x.example \"Peta toko\")",
        "Peta: https://x.example",
    );
    becomes(
        "![foto](https://x.example/f.jpg)",
        "foto: https://x.example/f.jpg",
    );
    becomes("[**Toko**](https://x.example)", "*Toko*: https://x.example");
    becomes("<https://x.example/a__b__c>", "https://x.example/a__b__c");
    becomes(
        "Lihat <https://x.example> ya, **kak**",
        "Lihat https://x.example ya, *kak*",
    );
    becomes("[surel](mailto:a@x.example)", "surel: a@x.example");
    stays("[belum ada tautan] (besok)");
    stays("array[0](x)");
    stays("[catatan](lihat di bawah)");
}

#[test]
fn addresses_are_never_touched() {
    stays("https://x.example/a__b__c/**d**/~~e~~?q=*1*");
    becomes("**https://x.example/a_b**", "*https://x.example/a_b*");
    becomes(
        "**Situs: https://x.example/__a__.** Ya",
        "*Situs: https://x.example/__a__.* Ya",
    );
    stays("www.x.example/__a__");
}

#[test]
fn code_is_never_touched() {
    stays("`**a**` dan ``b ` **c**``");
    stays("```\n# bukan judul\n- **x**\n\n\n\n[a](b)\n```");
    becomes("```python\nx = **y\n```", "```\nx = **y\n```");
    becomes("~~~\n**a**\n~~~", "```\n**a**\n```");
    stays("```**satu baris**```");
    becomes("```\ntidak ditutup **a**", "```\ntidak ditutup **a**\n```");
    becomes("```sh\na\n```\n**b**", "```\na\n```\n*b*");
}

#[test]
fn lists_get_bullets() {
    becomes("- satu\n* dua\n  - **tiga**", "• satu\n• dua\n  • *tiga*");
    becomes("* **Harga:** Rp 5.000", "• *Harga:* Rp 5.000");
    stays("*tebal* di awal baris");
    stays("-5 derajat");
}

#[test]
fn a_table_is_one_line_a_row() {
    becomes(
        "Daftar:\n\n| Kue | **Harga** | Stok |\n|:---|---:|---|\n| Bolu | Rp 55.000 | 3 |\n| **Lapis** | Rp 85.000 | |\n\nMau yang mana?",
        "Daftar:\n\n• Bolu – Harga: Rp 55.000, Stok: 3\n• *Lapis* – Harga: Rp 85.000\n\nMau yang mana?",
    );
    stays("pilih A | B saja");
}

#[test]
fn rules_go_and_blank_lines_collapse() {
    becomes("satu\n\n---\n\ndua\n***\n_ _ _\ntiga", "satu\n\ndua\ntiga");
    becomes("satu\n\n\n\n\ndua", "satu\n\ndua");
    becomes("  \n\nsatu  \r\ndua\n\n", "satu\ndua");
}

#[test]
fn html_line_breaks_are_line_breaks() {
    becomes(
        "satu<br>dua<BR/>tiga<br />- empat",
        "satu\ndua\ntiga\n• empat",
    );
    stays("1 <b> 2 > 3");
}

#[test]
fn nothing_but_marks_is_an_empty_answer() {
    becomes("", "");
    becomes(" \n \n", "");
    becomes("---", "");
}

#[test]
fn a_long_answer_ends_with_a_sentence_within_the_limit() {
    let sentence = "Kami siap membantu kakak kapan saja. ";
    let text = whatsapp_text(&sentence.repeat(200));
    let characters = text.chars().count();
    assert!(characters <= MAX_CHARACTERS && characters > MAX_CHARACTERS - sentence.len());
    assert!(text.ends_with("kapan saja."));
    assert_eq!(whatsapp_text(&text), text);
}

#[test]
fn a_long_answer_counts_characters_not_bytes() {
    let emojis = "😊".repeat(MAX_CHARACTERS);
    assert_eq!(whatsapp_text(&emojis), emojis);
    let more = whatsapp_text(&"😊".repeat(MAX_CHARACTERS + 1));
    assert_eq!(more.chars().count(), MAX_CHARACTERS);
}

#[test]
fn code_that_is_cut_is_closed() {
    let text = whatsapp_text(&format!("```\n{}```", "baris kode\n".repeat(1000)));
    let unused = MAX_CHARACTERS.checked_sub(text.chars().count());
    assert!(unused.is_some_and(|unused| unused < "baris kode\n".len()));
    assert!(text.ends_with("kode\n```"));
    assert_eq!(whatsapp_text(&text), text);
}

/// Pieces that mean something to the converter, in every order a small generator comes up with.
#[test]
fn any_text_is_bounded_and_converted_once_and_for_all() {
    const PIECES: &[&str] = &[
        "**",
        "*",
        "__",
        "_",
        "~~",
        "`",
        "```",
        "~~~",
        "\n",
        "\n\n\n",
        "# ",
        "- ",
        "* ",
        "[",
        "]",
        "(",
        ")",
        "![",
        "](",
        "<br>",
        "<https://x.example>",
        "https://x.example/a__b",
        "|",
        "|---|",
        "---",
        "a",
        "kata",
        " ",
        ". ",
        "😊",
        "👨‍👩‍👧",
        "2*3",
        "e\u{301}",
        "\r\n",
        ":",
        "• ",
        "é",
        "```rust",
    ];
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..4_000_usize {
        let mut text = String::new();
        let pieces = if round % 400 == 0 {
            4_000
        } else {
            3 + round % 40
        };
        for _ in 0..pieces {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let index = usize::try_from(state % PIECES.len() as u64).unwrap();
            text.push_str(PIECES[index]);
        }
        let once = whatsapp_text(&text);
        assert!(once.chars().count() <= MAX_CHARACTERS);
        assert_eq!(whatsapp_text(&once), once, "from {text:?}");
    }
}

#[test]
fn a_hostile_answer_of_millions_of_characters_is_cut_like_any_other() {
    for piece in [
        "**a ",
        "[",
        "[a](",
        "`a ``",
        "<",
        "| |\n|-|\n",
        "__a ",
        "~~~\n",
        "https://",
    ] {
        assert!(whatsapp_text(&piece.repeat(200_000)).chars().count() <= MAX_CHARACTERS);
    }
}
