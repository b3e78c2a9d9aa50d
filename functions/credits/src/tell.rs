//! Telling the owner: once per change of a level, and once a day while it is not well.

use clivy::conversation::ids::EpochMs;
use clivy::credits::{Due, Facts, State, Told, due, text};

use crate::Credits;

impl Credits {
    /// Publishes what is due, then writes down what was published; gives the number of alerts that went out.
    ///
    /// In this order: a crash between the two tells the same thing again after the lease, and loses nothing. What could
    /// not be published is not written down, so that the next run tells it.
    pub(crate) async fn tell(
        &self,
        states: &[State],
        told: &Told,
        facts: Facts<'_>,
        now: EpochMs,
    ) -> usize {
        let mut published = Vec::new();
        for due in due(states, told, now) {
            if self.publish(due, facts).await {
                published.push(due.state);
            }
        }
        if let Err(error) = self.table.credits_tell(&published, now).await {
            tracing::error!(
                step = "credits_alert_failed",
                %error,
                "what was told could not be written down; the next run tells it again"
            );
        }
        published.len()
    }

    async fn publish(&self, due: Due, facts: Facts<'_>) -> bool {
        let concern = due.state.concern().word();
        let level = due.state.word();
        match self.alerts.publish(&text(due, facts)).await {
            Ok(()) => {
                tracing::info!(
                    step = "credits_alert",
                    concern,
                    level,
                    change = due.change.word(),
                    "told the owner"
                );
                true
            }
            Err(error) => {
                tracing::error!(
                    step = "credits_alert_failed",
                    concern,
                    level,
                    %error,
                    "the owner was not told; the next run tells it"
                );
                false
            }
        }
    }
}
