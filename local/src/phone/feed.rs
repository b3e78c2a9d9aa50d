//! The page's live events: one `snapshot`, then `bubble`, `presence`, `read`, `step` and `status` as they happen.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::chats::{Bubble, BubbleState, Conversation, Side};
use super::{Phone, Refused, status};
use crate::gateway::GatewayEvent;
use crate::steps::{Step, now_ms};

/// How often the state of the queues is looked at.
const STATUS_EVERY: Duration = Duration::from_millis(250);
/// How long a browser waits before it opens a lost feed again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct Whose {
    bot: String,
    contact: String,
}

/// `GET /phone/events?bot=&contact=`. A reader that falls too far behind loses its connection, opens it again and starts
/// over from a snapshot.
pub(super) async fn events(
    State(phone): State<Arc<Phone>>,
    Query(whose): Query<Whose>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refused> {
    let conversation = phone.conversation(&whose.bot, &whose.contact)?;
    let hash = (phone.world.conversation_of)(&whose.bot, &conversation.contact);
    let feed = Feed::new(phone, whose.bot, conversation, hash);
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok(event), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

struct Feed {
    phone: Arc<Phone>,
    bot: String,
    conversation: Conversation,
    /// What the steps of this conversation carry.
    hash: String,
    snapshot: Option<Event>,
    steps: Receiver<Step>,
    gateway: Receiver<GatewayEvent>,
    bubbles: Receiver<(Conversation, Bubble)>,
    tick: Interval,
    status: Value,
    status_at: Instant,
}

impl Feed {
    fn new(phone: Arc<Phone>, bot: String, conversation: Conversation, hash: String) -> Self {
        // Subscribed before the snapshot is taken: what falls between comes twice, and the page knows it by its id.
        let gateway = phone.world.gateway.subscribe();
        let bubbles = phone.chats.subscribe();
        let (history, steps) = phone.world.steps.subscribe();
        let mut tick = tokio::time::interval(STATUS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mine = |step: &Step| step.concerns(&hash);
        let history: Vec<Step> = history.into_iter().filter(mine).collect();
        let status = (phone.world.status)(&bot, &conversation.contact);
        let snapshot = json!({
            "now_ms": now_ms(),
            "bubbles": all_bubbles(&phone, &conversation),
            "steps": history,
            "status": status,
        });
        Self {
            snapshot: Some(event("snapshot", &snapshot).retry(RETRY_AFTER)),
            phone,
            bot,
            conversation,
            hash,
            steps,
            gateway,
            bubbles,
            tick,
            status,
            status_at: Instant::now(),
        }
    }

    /// The next event of this conversation; none ends the connection.
    async fn next(&mut self) -> Option<Event> {
        if let Some(snapshot) = self.snapshot.take() {
            return Some(snapshot);
        }
        loop {
            let news = tokio::select! {
                step = self.steps.recv() => self.step(&step.ok()?),
                seen = self.gateway.recv() => self.seen(seen.ok()?),
                bubble = self.bubbles.recv() => self.bubble(&bubble.ok()?),
                _ = self.tick.tick() => self.status(),
            };
            if news.is_some() {
                return news;
            }
        }
    }

    fn step(&self, step: &Step) -> Option<Event> {
        step.concerns(&self.hash).then(|| event("step", step))
    }

    fn seen(&self, seen: GatewayEvent) -> Option<Event> {
        if seen.conversation()
            != (
                self.conversation.session,
                self.conversation.contact.as_str(),
            )
        {
            return None;
        }
        Some(match seen {
            GatewayEvent::Text { id, body, .. } => {
                let bubble = Bubble {
                    from: Side::Bot,
                    state: BubbleState::Accepted,
                    ..Bubble::typed(id, body, now_ms())
                };
                event("bubble", &bubble)
            }
            GatewayEvent::Presence { state, .. } => event("presence", &json!({"state": state})),
            GatewayEvent::Read { ids, .. } => event("read", &json!({"ids": ids})),
        })
    }

    fn bubble(&self, (conversation, bubble): &(Conversation, Bubble)) -> Option<Event> {
        (*conversation == self.conversation).then(|| event("bubble", bubble))
    }

    fn status(&mut self) -> Option<Event> {
        let now = (self.phone.world.status)(&self.bot, &self.conversation.contact);
        let elapsed = i64::try_from(self.status_at.elapsed().as_millis()).unwrap_or(i64::MAX);
        if !status::is_news(&self.status, &now, elapsed) {
            return None;
        }
        self.status = now;
        self.status_at = Instant::now();
        Some(event("status", &self.status))
    }
}

/// Both sides of a conversation, oldest first, with the ticks of what was read.
fn all_bubbles(phone: &Phone, conversation: &Conversation) -> Vec<Bubble> {
    let read = phone.world.gateway.read_ids(conversation.session);
    let mut bubbles = phone.chats.bubbles(conversation);
    for bubble in bubbles
        .iter_mut()
        .filter(|bubble| read.contains(&bubble.id))
    {
        bubble.state = BubbleState::Read;
    }
    let sent = phone
        .world
        .gateway
        .texts(conversation.session, &conversation.contact);
    bubbles.extend(sent.into_iter().map(Bubble::sent));
    bubbles.sort_by_key(|bubble| bubble.at_ms);
    bubbles
}

fn event(name: &str, data: &impl Serialize) -> Event {
    // Strings, numbers and maps with string keys: it cannot fail. A comment would be skipped by the page.
    Event::default()
        .event(name)
        .json_data(data)
        .unwrap_or_else(|_| Event::default().comment("lost"))
}
