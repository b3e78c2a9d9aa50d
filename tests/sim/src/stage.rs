//! What customers and persons do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::tests::bubbles::{bubble, from_the_phone, written_at};
use clivy::conversation::bot::Bot;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::director::LATE;
use crate::fleet::Fleet;
use crate::plan::{Action, Plan, Step};
use crate::safety::phone;
use crate::watched::PERSON;

/// What everybody knows who plays a part.
pub struct Stage {
    /// The plan.
    pub plan: Plan,
    /// The functions.
    pub fleet: Arc<Fleet>,
    /// The key to the inbox.
    pub key: String,
    /// Messages whose webhook was told 200, by conversation.
    pub accepted: Mutex<BTreeMap<usize, BTreeSet<String>>>,
}

impl Stage {
    /// Somebody does their part.
    pub async fn act(self: &Arc<Self>, number: usize, step: Step) {
        let c = step.conversation;
        self.fleet
            .director
            .say(format_args!("<c{c}>: {}", named(&step.action)));
        match step.action {
            Action::Bubble {
                text,
                twins,
                again_after,
            } => self.write(number, c, &text, twins, again_after).await,
            Action::OnThePhone => self.phone(number, c).await,
            Action::Say => self.say(number, c).await,
            Action::Pause { minutes } => self.pause(c, minutes).await,
            Action::Resume => self.resume(c).await,
            Action::Retry => self.retry(c).await,
            Action::Edit(bot) => self.edit(&bot).await,
        }
    }

    async fn edit(&self, bot: &Bot) {
        self.fleet
            .world
            .world
            .put_bots(std::slice::from_ref(bot))
            .await
            .unwrap();
    }

    fn ids(&self, c: usize) -> (String, String) {
        let bots = self.plan.bots.len();
        (format!("toko{}", c % bots), phone(c / bots))
    }

    fn room(&self, c: usize, rest: &str) -> String {
        let (bot, phone) = self.ids(c);
        format!("/api/bots/{bot}/conversations/{phone}{rest}")
    }

    #[expect(clippy::disallowed_methods, reason = "twins come at the same time")]
    async fn write(
        self: &Arc<Self>,
        n: usize,
        c: usize,
        text: &str,
        twins: u64,
        again_after: Option<Duration>,
    ) {
        let (bot, phone) = self.ids(c);
        let mid = format!("B{n:02}");
        let body = written_at(
            bubble(&bot, &phone, &mid, 0, text),
            self.fleet.world.world.clock.now(),
        );
        for _ in 1..twins {
            let (stage, body, mid) = (Arc::clone(self), body.clone(), mid.clone());
            tokio::spawn(async move { stage.post(c, &mid, &body).await });
        }
        self.post(c, &mid, &body).await;
        if let Some(after) = again_after {
            tokio::time::sleep(after).await;
            self.post(c, &mid, &body).await;
        }
    }

    /// As the gateway posts: again after 30 s, up to 5 times, until there is a 200.
    async fn post(&self, c: usize, mid: &str, body: &Value) -> Option<String> {
        {
            let mut state = self.fleet.director.state();
            let now_ms = state.transcript.now_ms();
            state.safety.posted(c, mid, now_ms);
        }
        for _ in 0..5 {
            if let Some((200, answer)) = self.fleet.webhook(body).await {
                let status = answer["status"].as_str().unwrap_or_default();
                self.fleet
                    .director
                    .say(format_args!("<c{c}>: {mid} is {status}"));
                if status != "ignored" {
                    let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
                    accepted.entry(c).or_default().insert(mid.to_owned());
                }
                return Some(answer["reason"].as_str().unwrap_or(status).to_owned());
            }
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        None
    }

    async fn phone(&self, n: usize, c: usize) {
        let (bot, phone) = self.ids(c);
        let text = format!("{PERSON} {n} <c{c}>");
        let now = self.fleet.world.world.clock.now();
        let body = from_the_phone(&bot, &phone, &format!("P{n:02}"), now, &text);
        let (since, at_ms) = self.since(c);
        if self.post(c, &format!("P{n:02}"), &body).await.as_deref() == Some("own_message") {
            let mut state = self.fleet.director.state();
            state.safety.acknowledged(c, since, at_ms + 60_000);
        }
    }

    fn since(&self, c: usize) -> (u64, i64) {
        let state = self.fleet.director.state();
        (state.safety.changes(c), state.transcript.now_ms())
    }

    async fn say(&self, n: usize, c: usize) {
        let (since, at_ms) = self.since(c);
        let body = json!({"text": format!("{PERSON} {n} <c{c}>")});
        let key = format!("k{n}");
        for _ in 0..3 {
            let path = self.room(c, "/messages");
            match self.ask("POST", &path, Some(&body), Some(&key)).await {
                Some((202, _)) => {
                    let mut state = self.fleet.director.state();
                    return state.safety.acknowledged(c, since, at_ms + 60_000);
                }
                Some((500.., _)) | None => tokio::time::sleep(Duration::from_secs(5)).await,
                Some(_) => return,
            }
        }
    }

    async fn pause(&self, c: usize, minutes: u32) {
        let since = self.fleet.director.state().safety.pause_changes(c);
        let (_, at_ms) = self.since(c);
        let body = json!({"minutes": minutes});
        if let Some((200, _)) = self
            .ask("POST", &self.room(c, "/pause"), Some(&body), None)
            .await
        {
            let mut state = self.fleet.director.state();
            state
                .safety
                .acknowledged(c, since, at_ms + i64::from(minutes) * 60_000);
        }
    }

    async fn resume(&self, c: usize) {
        self.fleet.director.state().safety.pause_changes(c);
        let told = self.ask("POST", &self.room(c, "/resume"), None, None).await;
        if told.is_none_or(|(status, _)| status != 200) {
            // It may still be on its way.
            tokio::time::sleep(LATE).await;
        }
        // It may have come after what was acknowledged meanwhile.
        self.fleet.director.state().safety.pause_changes(c);
    }

    /// The newest parked turn is tried again: as before, or by a person's text.
    async fn retry(&self, c: usize) {
        let (bot, phone) = self.ids(c);
        for burst in (1..=8).rev() {
            let path = format!("/api/bots/{bot}/turns/{phone}.{burst}");
            let Some((200, turn)) = self.ask("GET", &path, None, None).await else {
                continue;
            };
            if ["failed", "undelivered"].contains(&turn["status"].as_str().unwrap_or_default()) {
                let body = json!({});
                self.ask("POST", &format!("{path}/retry"), Some(&body), None)
                    .await;
                return;
            }
        }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Option<(u16, Value)> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let answer = self
            .fleet
            .ask(request.body(Full::new(bytes.into())).unwrap())
            .await;
        let status = answer.as_ref().map_or(0, |(status, _)| *status);
        self.fleet
            .director
            .say(format_args!("    {method} {path}: {status}"));
        answer
    }
}

fn named(action: &Action) -> String {
    match action {
        Action::Bubble { text, twins, .. } => format!("writes \"{text}\" x {twins}"),
        Action::OnThePhone => "a person writes on the phone".to_owned(),
        Action::Say => "a person writes in the inbox".to_owned(),
        Action::Pause { .. } => "a person pauses".to_owned(),
        Action::Resume => "a person resumes".to_owned(),
        Action::Retry => "a person retries".to_owned(),
        Action::Edit(bot) => format!("the bot is edited, active: {}", bot.active),
    }
}
