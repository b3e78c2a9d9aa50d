//! What must hold after each effect. A look costs one read of the HEAD that was written, and one look at the queue.

use std::collections::BTreeSet;

use ::tests::faults::Effect;
use clivy::conversation::ids::{BotId, Contact, ConversationId};
use local::engines::Engines;
use local::world::{DLQ, QUEUE};
use serde_json::Value;

use crate::plan::{Plan, marker};
use crate::watched::{Limits, Watched};

/// Everything that is watched.
pub struct Safety {
    conversations: Vec<Watched>,
    bots: usize,
    limits: Limits,
}

impl Safety {
    /// Watches the conversations of a plan. `seal` hides a contact as triggers do.
    pub fn new(plan: &Plan, limits: Limits, seal: impl Fn(&BotId, &Contact) -> String) -> Self {
        let conversations = (0..plan.conversations()).map(|c| {
            let id = conversation(plan, c);
            let sealed = seal(&id.bot_id, &id.contact);
            Watched::new(id, marker(c), sealed)
        });
        Self {
            conversations: conversations.collect(),
            bots: plan.bots.len(),
            limits,
        }
    }

    /// An effect begins.
    ///
    /// # Errors
    /// What must not be.
    pub fn begins(
        &mut self,
        engines: &Engines,
        effect: &Effect<'_>,
        now_ms: i64,
    ) -> Result<(), String> {
        match effect.name {
            "/chat/send/text" => self.send(effect, now_ms)?,
            name if name.ends_with("/chat/completions") => self.asked(effect)?,
            _ => {}
        }
        self.all_are_covered(engines)
    }

    /// An effect on a service has ended.
    ///
    /// # Errors
    /// What must not be.
    pub fn ended(
        &mut self,
        engines: &Engines,
        effect: &Effect<'_>,
        now_ms: i64,
    ) -> Result<(), String> {
        let writes = ["UpdateItem", "TransactWriteItems", "PutItem", "DeleteItem"];
        if writes.iter().any(|write| effect.name.ends_with(write)) {
            let body = String::from_utf8_lossy(effect.body);
            for watched in &mut self.conversations {
                if body.contains(&watched.needle) {
                    watched.look(engines, now_ms, &self.limits)?;
                }
            }
        }
        self.all_are_covered(engines)
    }

    /// The conversations that are claimed, with the keys of their HEADs.
    #[must_use]
    pub fn claims(&self) -> Vec<(usize, Value)> {
        let all = self.conversations.iter().enumerate();
        all.filter(|(_, watched)| watched.head.claim.is_some())
            .map(|(c, watched)| (c, watched.key("HEAD")))
            .collect()
    }

    /// The lease of a claim is over since then.
    pub fn lease_ended(&mut self, c: usize, since: i64) {
        if let Some(watched) = self.conversations.get_mut(c)
            && let Some(claim) = &mut watched.head.claim
        {
            claim.until = since;
            watched.lost_a_lease = true;
        }
    }

    /// Whether a customer waits for something.
    #[must_use]
    pub fn owes(&self) -> bool {
        let mut heads = self.conversations.iter().map(|watched| &watched.head);
        heads.any(|head| !head.pend.is_empty() || head.claim.is_some() || head.has_outgoing)
    }

    /// I3: what is pending and claimed by nobody has a live trigger, or one that was received too often and is a dead
    /// letter.
    ///
    /// # Errors
    /// What is not.
    pub fn all_are_covered(&self, engines: &Engines) -> Result<(), String> {
        let open =
            |watched: &&Watched| !watched.head.pend.is_empty() && watched.head.claim.is_none();
        if !self.conversations.iter().any(|watched| open(&watched)) {
            return Ok(());
        }
        let records = engines.sqs.peek(QUEUE);
        for watched in self.conversations.iter().filter(open) {
            let is_cover =
                |body: &str| body.contains(&watched.sealed) && !body.contains("\"outgoing\":true");
            let covered = records.iter().any(|record| is_cover(&record.body))
                || engines.sqs.peek(DLQ).iter().any(|letter| {
                    is_cover(&letter.body) && !letter.body.contains("\"retry_turn\":")
                });
            if !covered {
                return Err(format!(
                    "I3: {} is pending without a trigger",
                    watched.marker
                ));
            }
        }
        Ok(())
    }

    /// I12: the model sees one conversation, and that bot's.
    fn asked(&self, effect: &Effect<'_>) -> Result<(), String> {
        let body = String::from_utf8_lossy(effect.body);
        let markers: BTreeSet<&str> = body
            .split("<c")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('>')?.0))
            .collect();
        if markers.len() > 1 {
            return Err(format!("I12: one prompt of the conversations {markers:?}"));
        }
        let conversation = markers
            .first()
            .and_then(|marker| marker.parse::<usize>().ok());
        let served = |c: usize| format!("Anda melayani toko{}.", c % self.bots);
        match conversation {
            Some(c) if !body.contains(&served(c)) => {
                Err(format!("I12: another bot's prompt for <c{c}>"))
            }
            _ => Ok(()),
        }
    }

    fn send(&mut self, effect: &Effect<'_>, now_ms: i64) -> Result<(), String> {
        let body: Value = serde_json::from_slice(effect.body).map_err(|e| e.to_string())?;
        let field = |name: &str| body[name].as_str().unwrap_or_default();
        let bot = effect
            .token
            .unwrap_or_default()
            .trim_start_matches("token-");
        let watched = self.conversations.iter_mut().find(|watched| {
            watched.id.bot_id.as_str() == bot && watched.id.contact.as_str() == field("Phone")
        });
        let watched = watched.ok_or("I12: a text to a stranger")?;
        watched.sends(field("Id"), field("Body"), now_ms)
    }

    /// The webhook of a message comes.
    pub fn posted(&mut self, c: usize, mid: &str, now_ms: i64) {
        if let Some(watched) = self.conversations.get_mut(c) {
            watched.posted(mid, now_ms);
        }
    }

    /// A pause may end early from now on, or is being changed. Gives the number to acknowledge with.
    pub fn pause_changes(&mut self, c: usize) -> u64 {
        match self.conversations.get_mut(c) {
            Some(watched) => {
                watched.pause_changes += 1;
                watched.quiet_until_ms = None;
                watched.pause_changes
            }
            None => 0,
        }
    }

    /// The number of the last change.
    #[must_use]
    pub fn changes(&self, c: usize) -> u64 {
        self.conversations
            .get(c)
            .map_or(0, |watched| watched.pause_changes)
    }

    /// A person's words were acknowledged: the bot is quiet until `until_ms`, unless a pause was changed since they were
    /// on their way.
    pub fn acknowledged(&mut self, c: usize, since: u64, until_ms: i64) {
        let margin_ms = 2 * self.limits.skew_ms + 1_000;
        if let Some(watched) = self.conversations.get_mut(c)
            && watched.pause_changes == since
        {
            let until_ms = until_ms - margin_ms;
            watched.quiet_until_ms = watched.quiet_until_ms.max(Some(until_ms));
        }
    }
}

/// The id of a conversation by its number: its bot is it modulo the number of bots.
#[must_use]
pub fn conversation(plan: &Plan, c: usize) -> ConversationId {
    let bots = plan.bots.len();
    ConversationId {
        bot_id: plan.bots[c % bots].bot_id.clone(),
        contact: Contact::new(&phone(c / bots)).unwrap(),
    }
}

/// The phone number of a contact by its number.
#[must_use]
pub fn phone(contact: usize) -> String {
    format!("62811{contact:06}")
}
