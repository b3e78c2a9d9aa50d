//! The demo's shop with its six documents, customers who write texts of usual length, and a model that answers as models do.

use std::sync::Mutex;
use std::time::Duration;

use clivy::conversation::bot::Bot;
use serde::Deserialize;
use serde_json::Value;

use crate::bubbles::{bubble, written_at};
use crate::faults::{ROLE, Role};
use crate::outside::{GATEWAY_URL, Model};
use crate::world::TestWorld;

/// 63 characters, of many questions to shops.
pub const QUESTION: &str = "kopi gayo yang 200 gram masih ada kak? harganya berapa sekarang";
/// 230 characters, as a model answers.
pub const ANSWER: &str = "Halo Kak! Gayo Arabika kemasan 200 g masih tersedia, harganya Rp 68.000. Kalau Kakak ambil \
    kemasan 500 g ada potongan 10%. Mau dikirim ke mana, Kak? Untuk Kota Bandung ongkirnya Rp 10.000 dan sampai \
    di hari yang sama.";

/// Longer than every cache of an instance, and than the window of the rate limit.
const LONG: Duration = Duration::from_secs(90);

/// The demo's bot, at the scripted gateway.
pub fn demo_bot() -> Bot {
    #[derive(Deserialize)]
    struct File {
        bot: Vec<Bot>,
    }
    let File { bot: mut bots } = toml::from_str(include_str!("../../local/demo.toml")).unwrap();
    let mut bot = bots.remove(0);
    bot.gateway.url = GATEWAY_URL.to_owned();
    bot
}

/// The shop in its world.
pub struct Shop {
    /// The world; its mapping runs.
    pub world: TestWorld,
    mids: Mutex<u64>,
}

impl Shop {
    /// Opens it: the demo's bot must be in this world.
    pub fn open(world: TestWorld) -> Self {
        world.outside.model_follows(|_| {
            let says = Model::Says(ANSWER.to_owned());
            Some(Model::Slow(Duration::from_millis(1_500), Box::new(says)))
        });
        world.start();
        Self {
            world,
            mids: Mutex::default(),
        }
    }

    /// A customer writes now.
    pub async fn write(&self, phone: &str) {
        let number = {
            let mut mids = self.mids.lock().unwrap();
            *mids += 1;
            *mids
        };
        // As long as WhatsApp's own ids, and never the same words twice.
        let mid = format!("3EB0C767D097B7C{number:05}");
        let text = format!("{QUESTION} {number:05}");
        self.post(bubble("demo", phone, &mid, 0, &text)).await;
    }

    /// Customers write a burst of so many bubbles, all at the same time, and are answered.
    pub async fn burst(&self, phones: &[String], bubbles: usize) {
        for _ in 0..bubbles {
            for phone in phones {
                self.write(phone).await;
            }
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        self.world.settle().await;
    }

    /// Nobody writes for so long that no instance remembers anything.
    pub async fn silence(&self) {
        tokio::time::sleep(LONG).await;
    }

    /// Posts a body, written now.
    pub async fn post(&self, body: Value) {
        let body = written_at(body, self.world.world.clock.now());
        // Boxed: it holds a whole invocation, at the bottom of many futures.
        let request = Box::pin(self.world.post(&body));
        let (status, _) = ROLE.scope(Role::Webhook, request).await;
        assert_eq!(status, 200);
    }
}
