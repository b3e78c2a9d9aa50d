//! The file of bots of the one-machine run.

use local::args::parse_bots;

use crate::Target;
use crate::input::{Input, prints_nothing};

/// The target.
pub const TARGET: Target = Target {
    name: "bots_toml",
    run,
    seeds,
    words: &[
        "[[bot]]\n",
        "id = ",
        "owner = ",
        "name = ",
        "active = ",
        "system_prompt = ",
        "models = ",
        "model = ",
        "max_price = ",
        "simple = ",
        "openrouter_key = ",
        "opt_out_words = ",
        "[bot.gateway]\n",
        "kind = \"wuzapi\"\n",
        "url = ",
        "token = ",
        "hmac_key = ",
        "secret_path = ",
        "[[bot.document]]\n",
        "title = ",
        "content = ",
        "context_tokens = ",
        "true",
        "1",
        "-1",
        "1e400",
        "nan",
        "\"\"\"",
        "'''",
        "{",
        "}",
        "[",
        "]",
        "\\u0000",
        "\\U0001F600",
        "\u{1}",
    ],
};

fn seeds() -> Vec<Vec<u8>> {
    let gateway = "[bot.gateway]\nkind = \"wuzapi\"\nurl = \"http://g\"\ntoken = \"\u{1}\"\n";
    let bot = "[[bot]]\nid = \"a\"\nowner = \"o\"\n";
    vec![
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../local/demo.toml")).unwrap(),
        format!("{bot}models = [\"x/y\", {{ name = \"z\", context_tokens = 4096 }}]\nmax_price = {{ prompt = 1.5 }}\n{gateway}hmac_key = \"\u{1}\"\n").into(),
        format!("{bot}model = \"x\"\nsimple = {{ model = \"s\" }}\nopenrouter_key = \"\u{1}\"\n{gateway}").into(),
        format!("{bot}active = \"\u{1}\"\n{gateway}").into(),
        format!("{bot}\u{1} = 1\n{gateway}").into(),
        format!("{bot}{gateway}secret_path = \u{1}\n").into(),
        format!("{bot}{gateway}{bot}{gateway}").into(),
        format!("{bot}{gateway}[[bot.document]]\ntitle = \"t\"\ncontent = 5\n").into(),
    ]
}

fn run(bytes: &[u8]) {
    let text = Input::new(bytes).text();
    let bots = match parse_bots(&text) {
        Ok(bots) => bots,
        // I11: the file holds tokens, and its errors go to the terminal and from there into logs.
        Err(error) => {
            for printed in [
                format!("{error}"),
                format!("{error:#}"),
                format!("{error:?}"),
            ] {
                assert!(!printed.contains(crate::MARK), "I11: {printed}");
            }
            return;
        }
    };
    assert!(!bots.is_empty(), "no bots");
    let mut ids = std::collections::BTreeSet::new();
    for bot in &bots {
        let id = bot.bot_id.as_str();
        assert!((1..=200).contains(&id.chars().count()), "an id's length");
        assert!(
            !id.chars().any(char::is_control),
            "an id with control characters"
        );
        assert!(!bot.owner.as_str().trim().is_empty(), "nobody's bot");
        assert!(ids.insert(id), "two bots of one id");
        let gateway = &bot.gateway;
        for secret in [&gateway.hmac_key, &gateway.secret_path]
            .into_iter()
            .flatten()
        {
            assert!(
                !secret.trim().is_empty(),
                "an empty secret lets everybody in"
            );
        }
        // The address is printed, as it names no secret; the token and the keys are not.
        if !gateway.url.contains(crate::MARK) {
            prints_nothing(gateway);
        }
    }
    let again = parse_bots(&text).unwrap();
    assert!(bots == again, "the same file names other bots");
    // What the table keeps of a bot comes back as the same bot.
    for bot in &bots {
        let json = serde_json::to_string(bot).unwrap();
        let back: clivy::conversation::bot::Bot = serde_json::from_str(&json).unwrap();
        assert!(&back == bot, "a bot that changes when it is stored");
    }
}
