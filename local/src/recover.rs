//! After a start: what persons have written in the inbox and nobody has sent.

use clivy::conversation::ids::{ConversationId, EpochMs, MessageKey};
use clivy::conversation::trigger::{Errand, Trigger};

use crate::world::{Workers, World};

impl World {
    /// A person's message is sent on. False when it was sent.
    pub(crate) async fn send_on(
        &self,
        id: &ConversationId,
        key: &MessageKey,
        workers: Workers,
        now: EpochMs,
    ) -> anyhow::Result<bool> {
        let outbox = self.table.head(id).await?.map(|head| head.outbox);
        let Some(outbox) = outbox.filter(|outbox| outbox.keys.contains(key)) else {
            return Ok(false);
        };
        if let (Some(owner), Workers::Gone) = (&outbox.owner, workers) {
            let over = now.plus_ms(-1);
            self.table.hand_back_outgoing(id, owner, over, 0).await?;
        }
        let trigger = Trigger {
            errand: Errand::Send,
            ..Trigger::answer(id.clone(), key.clone(), now)
        };
        self.queue.send(&trigger, 0, None).await?;
        Ok(true)
    }
}
