//! What must hold after each effect. A look costs one read of the HEAD that was written, and one look at the queue.

use std::collections::{BTreeMap, BTreeSet};

use ::tests::faults::Effect;
use ::tests::world::START;
use clivy::conversation::ids::{BotId, Contact, ConversationId, EpochMs};
use local::engines::Engines;
use local::world::{DLQ, QUEUE};
use serde_json::{Value, json};

use crate::plan::{FALLBACK, IN_TEXT, OUT_TEXT, Plan, marker};

/// What a person's texts begin with.
pub const PERSON: &str = "orang";

/// Everything that is watched.
pub struct Safety {
    conversations: Vec<Watched>,
    bots: usize,
    skew_ms: i64,
    /// L of I9.
    limit: u64,
}

/// One conversation.
struct Watched {
    id: ConversationId,
    marker: String,
    /// How requests name its part of the table.
    needle: String,
    /// How triggers name its contact.
    sealed: String,
    head: HeadSeen,
    /// Messages of committed bursts, and of which.
    committed: BTreeMap<String, u64>,
    /// Texts by the id they were sent with.
    texts: BTreeMap<String, String>,
    /// The highest burst whose reply has begun to be sent.
    begun: u64,
    /// Since an acknowledged pause: until when no send may begin.
    quiet_until_ms: Option<i64>,
    /// Counts whatever may end a pause early.
    pause_changes: u64,
}

/// What is looked at in a HEAD.
#[derive(Clone, Debug, Default)]
struct HeadSeen {
    born_at: Option<i64>,
    burst: u64,
    fence: u64,
    pend: BTreeSet<String>,
    claim: Option<ClaimSeen>,
    opted_out: bool,
    has_outgoing: bool,
    rate_since: Option<i64>,
    rate_answered: u64,
}

#[derive(Clone, Debug)]
struct ClaimSeen {
    fence: u64,
    until: i64,
    keys: BTreeSet<String>,
    draft: Option<(String, String)>,
}

fn number(item: &Value, name: &str) -> Option<i64> {
    item[name]["N"].as_str()?.parse().ok()
}

fn natural(item: &Value, name: &str) -> u64 {
    number(item, name)
        .and_then(|n| u64::try_from(n).ok())
        .unwrap_or(0)
}

fn set(item: &Value, name: &str) -> BTreeSet<String> {
    let members = item[name]["SS"].as_array();
    let texts = members.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn text(item: &Value, name: &str) -> Option<String> {
    item[name]["S"].as_str().map(str::to_owned)
}

impl HeadSeen {
    fn of(item: &Value) -> Self {
        Self {
            born_at: number(item, "born_at"),
            burst: natural(item, "burst"),
            fence: natural(item, "fence"),
            pend: set(item, "pend"),
            claim: number(item, "c_fence").map(|_| ClaimSeen {
                fence: natural(item, "c_fence"),
                until: number(item, "c_until").unwrap_or(0),
                keys: set(item, "c_mids"),
                draft: text(item, "c_text").zip(text(item, "c_rid")),
            }),
            opted_out: item.get("opted_out_at").is_some(),
            has_outgoing: item.get("o_mids").is_some(),
            rate_since: number(item, "rate_since"),
            rate_answered: natural(item, "rate_answered"),
        }
    }
}

impl Safety {
    /// Watches the conversations of a plan. `seal` hides a contact as triggers do.
    pub fn new(plan: &Plan, limit: u64, seal: impl Fn(&BotId, &Contact) -> String) -> Self {
        let conversations = (0..plan.conversations()).map(|c| {
            let id = conversation(plan, c);
            Watched {
                marker: marker(c),
                needle: format!("\"C#{}#{}\"", id.bot_id.as_str(), id.contact.as_str()),
                sealed: seal(&id.bot_id, &id.contact),
                id,
                head: HeadSeen::default(),
                committed: BTreeMap::new(),
                texts: BTreeMap::new(),
                begun: 0,
                quiet_until_ms: None,
                pause_changes: 0,
            }
        });
        Self {
            conversations: conversations.collect(),
            bots: plan.bots.len(),
            skew_ms: plan.skew_ms,
            limit,
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
                    watched.look(engines, now_ms, self.skew_ms, self.limit)?;
                }
            }
        }
        self.all_are_covered(engines)
    }

    /// Whether a customer waits for something.
    #[must_use]
    pub fn owes(&self) -> bool {
        let mut heads = self.conversations.iter().map(|watched| &watched.head);
        heads.any(|head| !head.pend.is_empty() || head.claim.is_some() || head.has_outgoing)
    }

    /// I3: what is pending and claimed by nobody has a live trigger, or one that was received too often and is a dead
    /// letter.
    fn all_are_covered(&self, engines: &Engines) -> Result<(), String> {
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
        let margin_ms = 2 * self.skew_ms + 1_000;
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

impl Watched {
    fn look(
        &mut self,
        engines: &Engines,
        now_ms: i64,
        skew_ms: i64,
        limit: u64,
    ) -> Result<(), String> {
        let Some(item) = self.item(engines, "HEAD") else {
            return Ok(());
        };
        let new = HeadSeen::of(&item);
        let old = std::mem::replace(&mut self.head, new.clone());
        self.one_claim_at_a_time(&old, &new, now_ms, skew_ms)?;
        self.one_burst_each(engines, &old, &new)?;
        self.within_the_limit(&old, &new, limit)
    }

    fn item(&self, engines: &Engines, sk: &str) -> Option<Value> {
        let pk = self.needle.trim_matches('"');
        let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        engines.read_item(&json!({"TableName": "clivy", "Key": key}))
    }

    fn wrong<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{what} ({})", self.marker))
    }

    /// I4, and I2 for the draft.
    fn one_claim_at_a_time(
        &self,
        old: &HeadSeen,
        new: &HeadSeen,
        now_ms: i64,
        skew_ms: i64,
    ) -> Result<(), String> {
        if new.fence < old.fence || new.burst < old.burst || new.burst > old.burst + 1 {
            return self.wrong("I4: a fence or a burst went back, or one was left out");
        }
        let (Some(was), Some(is)) = (&old.claim, &new.claim) else {
            if old.claim.is_none() && new.burst > old.burst {
                return self.wrong("I4: a burst was committed without a claim");
            }
            return Ok(());
        };
        if was.fence == is.fence {
            if was.draft.is_some() && was.draft != is.draft {
                return self.wrong("I2: a draft was changed");
            }
            return Ok(());
        }
        let now = START.plus_ms(now_ms + skew_ms).0;
        if was.until >= now {
            return self.wrong("I4: a live claim was taken over");
        }
        if was.draft.is_some() && (was.draft != is.draft || was.keys != is.keys) {
            return self.wrong("I2: a takeover changed a burst that had a draft");
        }
        Ok(())
    }

    /// I2: a message belongs to one burst, unless its turn was put back.
    fn one_burst_each(
        &mut self,
        engines: &Engines,
        old: &HeadSeen,
        new: &HeadSeen,
    ) -> Result<(), String> {
        if new.burst > old.burst
            && let Some(claim) = &old.claim
        {
            for key in &claim.keys {
                if self.committed.insert(key.clone(), new.burst).is_some() {
                    return self.wrong("I2: a message was answered twice");
                }
            }
        }
        if let Some(claim) = &new.claim
            && !claim.keys.is_disjoint(&new.pend)
        {
            return self.wrong("I2: a message is claimed and pending");
        }
        let taken = new.claim.iter().flat_map(|claim| &claim.keys);
        let owed: Vec<String> = new.pend.iter().chain(taken).cloned().collect();
        for key in owed {
            let Some(burst) = self.committed.get(&key).copied() else {
                continue;
            };
            let turn = self.item(engines, &format!("T#{burst:010}"));
            if turn.and_then(|turn| text(&turn, "status")).as_deref() != Some("retried") {
                return self.wrong("I2: a message came back whose turn was not put back");
            }
            self.committed.remove(&key);
        }
        Ok(())
    }

    /// I9: what is answered in one window.
    fn within_the_limit(&self, old: &HeadSeen, new: &HeadSeen, limit: u64) -> Result<(), String> {
        // Confirmations and the fallback text are no answers: neither a flood nor a late hour stands in their way.
        let said = old.claim.as_ref().and_then(|claim| claim.draft.as_ref());
        if said.is_some_and(|(said, _)| [FALLBACK, IN_TEXT, OUT_TEXT].contains(&said.as_str())) {
            return Ok(());
        }
        let same_window = new.rate_since.is_some() && new.rate_since == old.rate_since;
        let more = new.rate_answered > old.rate_answered && old.rate_answered > 0;
        if same_window && more && new.rate_answered > limit {
            return self.wrong("I9: more than the limit was answered in a window");
        }
        Ok(())
    }

    /// A text begins to be sent.
    fn sends(&mut self, id: &str, said: &str, now_ms: i64) -> Result<(), String> {
        if said.contains("<c") && !said.contains(&self.marker) {
            return self.wrong("I12: a text of another conversation");
        }
        let is_new = match self.texts.get(id) {
            Some(before) if before != said => return self.wrong("I5: one id, two texts"),
            Some(_) => false,
            None => self.texts.insert(id.to_owned(), said.to_owned()).is_none(),
        };
        if said.starts_with(PERSON) {
            return Ok(());
        }
        let born_at = self.head.born_at.map(EpochMs);
        let burst = (1..=self.head.burst + 1)
            .rev()
            .find(|burst| self.id.reply_id(*burst, born_at).as_str() == id);
        let Some(burst) = burst else {
            return self.wrong("I5: a reply id that is none of this conversation's");
        };
        if burst < self.begun {
            return self.wrong("I4: an older reply begins after a newer one");
        }
        self.begun = burst;
        if self.quiet_until_ms.is_some_and(|until| now_ms < until) {
            return self.wrong("a reply begins after a person's words were acknowledged");
        }
        if is_new && self.head.opted_out && said != IN_TEXT && said != OUT_TEXT {
            return self.wrong("a contact that has opted out is answered");
        }
        if is_new && self.head.opted_out && said == OUT_TEXT {
            return self.wrong("an opt-out is confirmed twice");
        }
        let known = [FALLBACK, IN_TEXT, OUT_TEXT].contains(&said) || said.starts_with("jawab ");
        if known {
            Ok(())
        } else {
            self.wrong("a text that nobody wrote")
        }
    }
}
