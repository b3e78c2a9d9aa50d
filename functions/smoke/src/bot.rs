//! The test bot: an ordinary bot, made by the test itself. Its gateway is this function.

use clivy::access::OwnerId;
use clivy::conversation::bot::{Bot, Gateway, GatewayKind};
use clivy::conversation::ids::{BotId, hex};
use clivy::table::{BotEdit, BotState, Edited};

use crate::{Failure, Smoke};

/// The bot's id, and its owner's: who makes an API key for this owner sees its conversations in the inbox.
pub use clivy::conversation::ids::SMOKE_TEST as NAME;

/// Two hooks of one deployment may make the bot at the same time.
const TRIES: u32 = 3;

/// The test bot as it is; made, or given this gateway, where that is missing. What else somebody has changed of it, its
/// model for example, stays.
pub async fn ensure(smoke: &Smoke) -> Result<Bot, Failure> {
    let bot_id = BotId::new(NAME).map_err(|_| Failure::Bot)?;
    let owner = OwnerId::new(NAME).map_err(|_| Failure::Bot)?;
    for _ in 0..TRIES {
        let before = smoke.table.bot_state(&bot_id).await?;
        if before.owner().is_some_and(|known| *known != owner) {
            // Somebody else's conversations are behind this id (I12).
            return Err(Failure::Bot);
        }
        let bot = match &before {
            BotState::There(stored) if is_ready(&stored.bot, smoke) => {
                return Ok(stored.bot.clone());
            }
            BotState::There(stored) => Bot {
                active: true,
                gateway: gateway(smoke)?,
                ..stored.bot.clone()
            },
            BotState::Never | BotState::Deleted(_) => made(&bot_id, &owner, gateway(smoke)?),
        };
        let edit = BotEdit {
            before: &before,
            bot: &bot,
            by: NAME,
            now: smoke.clock.now(),
        };
        if let Edited::Done(_) = smoke.table.edit_bot(&edit).await? {
            return Ok(bot);
        }
    }
    Err(Failure::Bot)
}

fn is_ready(bot: &Bot, smoke: &Smoke) -> bool {
    bot.active
        && bot.gateway.url == smoke.settings.gateway_url
        && !bot.gateway.token.is_empty()
        && bot.gateway.hmac_key.is_some()
        && bot.gateway.secret_path.is_none()
}

/// A gateway with a token and a signing key that nobody knows but the table.
fn gateway(smoke: &Smoke) -> Result<Gateway, Failure> {
    let secret = || clivy::random::bytes::<32>().map(|bytes| hex(&bytes));
    Ok(Gateway {
        kind: GatewayKind::Wuzapi,
        url: smoke.settings.gateway_url.clone(),
        token: secret()?,
        hmac_key: Some(secret()?),
        secret_path: None,
    })
}

fn made(bot_id: &BotId, owner: &OwnerId, gateway: Gateway) -> Bot {
    Bot {
        name: "Smoke test".to_owned(),
        system_prompt: "Ini uji otomatis. Jawab setiap pesan dengan satu kata: oke.".to_owned(),
        // The model has to be asked: a kept answer would show less.
        response_cache: false,
        ..Bot::new(bot_id.clone(), owner.clone(), gateway)
    }
}
