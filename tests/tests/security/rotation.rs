//! While a secret changes, nobody who has the other version is shut out.

use std::sync::Arc;

use clivy::pseudonym::Pseudonyms;
use clivy::queue::Queue;
use clivy::secrets::Rotating;
use local::engines::{Through, Wire};
use local::instances::sdk;
use local::world::QUEUE;
use tests::bubbles::{bot, bubble};
use tests::world::TestWorld;

const RINA: &str = "6281100080001";
const OLD: &str = "the-old-key-of-tests";
const NEW: &str = "the-new-key-of-tests";

/// A queue as an instance with this key has it.
fn queue(world: &TestWorld, key: &str) -> Queue {
    let engines = world.world.engines.clone();
    let url = engines.sqs.queue_url(QUEUE);
    let client = aws_sdk_sqs::Client::new(&sdk(Wire::new(engines, Arc::new(Through))));
    let key = Rotating::new(key).unwrap();
    Queue::new(client, url, Pseudonyms::new(&key).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_trigger_sealed_with_either_version_of_the_key_is_answered() {
    for (key, of_trigger) in [
        (format!("{OLD}\n{NEW}"), NEW),
        (format!("{NEW}\n{OLD}"), OLD),
    ] {
        let world = TestWorld::with(&[bot("demo")], &[("PSEUDONYM_KEY", &key)]).await;
        let halo = bubble("demo", RINA, "A", 0, "Halo");
        assert!(world.post_until_accepted(&halo).await);
        // The same trigger, as an instance sends it that knows the other version only.
        let body = world.first_trigger().records[0].body.clone().unwrap();
        let trigger = queue(&world, &key).read(&body).unwrap();
        world.purge().await;
        queue(&world, of_trigger)
            .send(&trigger, 0, None)
            .await
            .unwrap();
        assert_ne!(world.first_trigger().records[0].body, Some(body));
        world.start();
        world.settle().await;
        assert_eq!(world.outside.delivered().len(), 1, "{of_trigger}");
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn both_versions_of_the_admin_secret_open_the_admin_routes() {
    let (old, new) = ("o".repeat(32), "n".repeat(32));
    let both = format!("{new}\n{old}");
    let world = TestWorld::with(&[bot("demo")], &[("ADMIN_SECRET", &both)]).await;
    for (secret, status) in [(old, 200), (new, 200), (both, 401), ("x".repeat(32), 401)] {
        // A header holds no line break; what is refused there is refused here too.
        let secret = secret.replace('\n', " ");
        let api = world.api_with(&secret);
        let reply = api.get("/api/admin/keys?owner=owner").await;
        assert_eq!(reply.status.as_u16(), status);
    }
}
