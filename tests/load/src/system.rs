//! The system as it is started for both commands: its bots, and everybody outside in place of the demo.

use std::net::SocketAddr;

use tests::process::folder::Folder;
use tests::process::one_machine::Wish;

use crate::outside::{GATEWAY_TOKEN, INSTRUCTIONS};
use crate::token::Customer;

/// `local` on the data of `folder`, with `bots` bots whose gateway and model are at `outside`.
#[must_use]
pub fn wish(folder: &Folder, bots: u32, outside: SocketAddr) -> Wish {
    let bots = folder.write("bots.toml", &bots_file(bots));
    Wish::demo(&folder.path().join("data"))
        .arg("--bots")
        .arg(&bots.to_string_lossy())
        .arg("--gateway-url")
        .arg(&format!("http://{outside}"))
        .set("OPENROUTER_BASE_URL", &format!("http://{outside}/api/v1"))
        .set("OPENROUTER_API_KEY", "sk-or-v1-load")
        .set("LOG_LEVEL", "error")
        // A customer here may write more than ten bubbles a minute, and the limit is proven elsewhere.
        .set("RATE_LIMIT_MAX_MESSAGES", "100000")
}

/// The bots, as a file.
fn bots_file(bots: u32) -> String {
    let one = |bot: u32| {
        let id = Customer { bot, contact: 0 }.bot_id();
        format!(
            "[[bot]]\nid = \"{id}\"\nowner = \"load\"\nname = \"Toko {bot}\"\nactive = true\n\
             system_prompt = \"{INSTRUCTIONS}{bot}. Jawab singkat dan ramah.\"\n\
             fallback_text = \"Maaf Kak, tim kami akan membalas.\"\n\n[bot.gateway]\nkind = \"wuzapi\"\n\
             url = \"\"\ntoken = \"{GATEWAY_TOKEN}{bot}\"\n\n[[bot.document]]\ntitle = \"Jam buka\"\n\
             kind = \"info toko\"\ncontent = \"Senin sampai Minggu 08.00 - 20.00 WIB\"\n"
        )
    };
    (0..bots).map(one).collect::<Vec<_>>().join("\n")
}
