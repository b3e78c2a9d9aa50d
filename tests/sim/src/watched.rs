//! One conversation under watch.

use std::collections::BTreeMap;

use ::tests::world::START;
use clivy::conversation::decide::Debounce;
use clivy::conversation::ids::{ConversationId, EpochMs};
use local::engines::Engines;
use local::world::TABLE;
use serde_json::{Value, json};

use crate::head::{HeadSeen, text};
use crate::plan::{FALLBACK, IN_TEXT, OUT_TEXT};

/// What a person's texts begin with.
pub const PERSON: &str = "orang";

/// What every conversation is held to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How far a clock is off at most, in milliseconds.
    pub skew_ms: i64,
    /// D, W and N of I6. D is the shortest one of the schedule.
    pub debounce: Debounce,
    /// L of I9.
    pub answered: u64,
}

/// One conversation.
pub struct Watched {
    /// Its id.
    pub id: ConversationId,
    /// What all of its texts say.
    pub marker: String,
    /// How requests name its part of the table.
    pub needle: String,
    /// How triggers name its contact.
    pub sealed: String,
    /// Its HEAD after the last write.
    pub head: HeadSeen,
    /// When the webhook of a message came first, in milliseconds.
    posted_ms: BTreeMap<String, i64>,
    /// Messages of committed bursts, and of which.
    committed: BTreeMap<String, u64>,
    /// Texts by the id they were sent with.
    texts: BTreeMap<String, String>,
    /// The highest burst whose reply has begun to be sent.
    begun: u64,
    /// Since an acknowledged pause: until when no send may begin.
    pub quiet_until_ms: Option<i64>,
    /// Counts whatever may end a pause early.
    pub pause_changes: u64,
    /// Whether a lease of it has ended early.
    pub lost_a_lease: bool,
}

impl Watched {
    /// A conversation in which nothing has happened. `sealed` hides its contact as triggers do.
    #[must_use]
    pub fn new(id: ConversationId, marker: String, sealed: String) -> Self {
        Self {
            needle: format!("\"C#{}#{}\"", id.bot_id.as_str(), id.contact.as_str()),
            id,
            marker,
            sealed,
            head: HeadSeen::default(),
            posted_ms: BTreeMap::new(),
            committed: BTreeMap::new(),
            texts: BTreeMap::new(),
            begun: 0,
            quiet_until_ms: None,
            pause_changes: 0,
            lost_a_lease: false,
        }
    }

    /// The webhook of a message comes.
    pub fn posted(&mut self, mid: &str, now_ms: i64) {
        self.posted_ms.entry(mid.to_owned()).or_insert(now_ms);
    }

    /// Something was written: what is there now must be allowed to follow what was there before.
    ///
    /// # Errors
    /// What must not be.
    pub fn look(&mut self, engines: &Engines, now_ms: i64, limits: &Limits) -> Result<(), String> {
        let Some(item) = self.item(engines, "HEAD") else {
            return Ok(());
        };
        let new = HeadSeen::of(&item);
        let old = std::mem::replace(&mut self.head, new.clone());
        self.one_claim_at_a_time(&old, &new, now_ms, limits.skew_ms)?;
        self.after_silence(&old, &new, now_ms, limits)?;
        self.one_burst_each(engines, &old, &new)?;
        self.within_the_limit(&old, &new, limits.answered)
    }

    fn item(&self, engines: &Engines, sk: &str) -> Option<Value> {
        engines.read_item(&json!({"TableName": TABLE, "Key": self.key(sk)}))
    }

    /// The key of one of its items.
    #[must_use]
    pub fn key(&self, sk: &str) -> Value {
        let pk = self.needle.trim_matches('"');
        json!({"pk": {"S": pk}, "sk": {"S": sk}})
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

    /// I6: a burst is claimed D after the webhook of the message that was stored last, unless it waits for W, or is of N messages.
    /// Where faults let the writes of two webhooks cross, that is not the message that came last.
    fn after_silence(
        &self,
        old: &HeadSeen,
        new: &HeadSeen,
        now_ms: i64,
        limits: &Limits,
    ) -> Result<(), String> {
        let (None, Some(claim)) = (&old.claim, &new.claim) else {
            return Ok(());
        };
        let ms = |seconds: u32| i64::from(seconds) * 1_000;
        let debounce = &limits.debounce;
        // The clocks of two instances.
        let now_ms = now_ms + 2 * limits.skew_ms;
        let waited_ms = old.pend_since.map(|at| START.plus_ms(now_ms).0 - at);
        if waited_ms >= Some(ms(debounce.max_wait_seconds))
            || old.pend.len() >= debounce.max_messages as usize
        {
            return Ok(());
        }
        let last = new
            .last_mid
            .as_ref()
            .filter(|key| claim.keys.contains(*key));
        let mid = last.and_then(|key| key.rsplit_once('#'));
        match mid.and_then(|(_, mid)| self.posted_ms.get(mid)) {
            Some(at) if now_ms - at >= ms(debounce.seconds) => Ok(()),
            Some(_) => self.wrong("I6: a burst was claimed before its silence"),
            None => self.wrong("I6: a burst was claimed without the message that was stored last"),
        }
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
    ///
    /// # Errors
    /// What must not be.
    pub fn sends(&mut self, id: &str, said: &str, now_ms: i64) -> Result<(), String> {
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
            // An owner that does not know that its lease is over says again what was said: the gateway knows the id (I5).
            if !is_new && self.lost_a_lease {
                return Ok(());
            }
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
