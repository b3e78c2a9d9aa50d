//! The live feed of what happens inside: a tracing layer that keeps every event with a field `step`.
//!
//! The functions log one line per step, for people and for Lambda's logs. This layer turns the same lines into
//! something the phone page can show, so that the page needs nothing from the functions but their logs.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Steps kept for pages that open later.
const HISTORY: usize = 500;
/// Steps a slow reader may be behind before it has to start over.
const LIVE: usize = 1_024;

/// One thing that happened to a conversation, as a function logged it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Counts up from 1 over all conversations.
    pub seq: u64,
    /// When it was logged, in milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// What happened: `stored`, `claimed`, `committed`, …
    pub step: String,
    /// How the line was logged: `INFO`, `WARN`, `ERROR`. It tells the tone of a step that the page does not know.
    pub level: &'static str,
    /// The keyed hash of the conversation, where the step belongs to one.
    pub conversation: Option<String>,
    /// The other fields of the line, those of the spans around it included.
    pub fields: Map<String, Value>,
    /// The text of the line.
    pub message: String,
}

/// The feed: the last 500 steps and whatever comes. Clones share one feed.
#[derive(Clone)]
pub struct Steps(Arc<Feed>);

struct Feed {
    history: Mutex<History>,
    live: broadcast::Sender<Step>,
}

#[derive(Default)]
struct History {
    last_seq: u64,
    steps: VecDeque<Step>,
}

impl Step {
    /// Whether it belongs to the conversation with this hash. A step of none that is about a provider or a model (a
    /// breaker that opens, a model that is parked) concerns every conversation.
    #[must_use]
    pub fn concerns(&self, conversation: &str) -> bool {
        match &self.conversation {
            Some(own) => own == conversation,
            None => ["provider", "model"]
                .iter()
                .any(|name| self.fields.contains_key(*name)),
        }
    }
}

impl Default for Steps {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Steps")
    }
}

impl Steps {
    /// An empty feed.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Feed {
            history: Mutex::default(),
            live: broadcast::channel(LIVE).0,
        }))
    }

    /// The layer that fills the feed. It sees what the filters around it let through: put log-level filters on the
    /// printing layer, not on the whole registry.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        StepsLayer(self.clone())
    }

    /// The steps so far, oldest first, and a receiver of those that follow: none is missing between the two, none
    /// is in both. A receiver that lags must subscribe again.
    #[must_use]
    pub fn subscribe(&self) -> (Vec<Step>, broadcast::Receiver<Step>) {
        let history = self
            .0
            .history
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        (
            history.steps.iter().cloned().collect(),
            self.0.live.subscribe(),
        )
    }

    fn record(&self, mut step: Step) {
        let mut history = self
            .0
            .history
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        history.last_seq += 1;
        step.seq = history.last_seq;
        if history.steps.len() == HISTORY {
            history.steps.pop_front();
        }
        history.steps.push_back(step.clone());
        // Sent under the lock, so that `subscribe` cannot fall between the two. An error means: nobody listens.
        let _ = self.0.live.send(step);
    }
}

struct StepsLayer(Steps);

/// The fields of one span, kept in the span for the events inside it.
struct SpanFields(Map<String, Value>);

impl<S> Layer<S> for StepsLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(SpanFields(fields.0));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(known)) = span.extensions_mut().get_mut()
        {
            let mut fields = Fields::default();
            values.record(&mut fields);
            known.extend(fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().fields().field("step").is_none() {
            return;
        }
        let mut fields = Fields::default();
        let scope = context.event_scope(event).into_iter();
        for span in scope.flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(SpanFields(known)) = span.extensions().get() {
                fields.0.extend(known.clone());
            }
        }
        event.record(&mut fields);
        let Some(step) = fields.take_text("step") else {
            return;
        };
        let conversation = fields.take_text("conversation");
        let message = fields.take_text("message").unwrap_or_default();
        self.0.record(Step {
            seq: 0,
            at_ms: now_ms(),
            step,
            level: event.metadata().level().as_str(),
            conversation,
            fields: fields.0,
            message,
        });
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn take_text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name)? {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

/// Milliseconds since 1970 (UTC), for what people look at.
#[expect(
    clippy::disallowed_methods,
    reason = "the demo shows people the time of this machine"
)]
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    fn logged(log: impl FnOnce()) -> (Steps, broadcast::Receiver<Step>) {
        let steps = Steps::new();
        let (_, live) = steps.subscribe();
        let subscriber = tracing_subscriber::registry().with(steps.layer());
        tracing::subscriber::with_default(subscriber, log);
        (steps, live)
    }

    #[test]
    fn a_line_with_a_step_is_kept_with_its_typed_fields() {
        let (steps, mut live) = logged(|| {
            tracing::info!(
                step = "answered",
                conversation = "00ff00ff00ff00ff",
                tokens_in = 412_u64,
                cost_usd = 0.00021,
                model = %"demo/model",
                "the model answered"
            );
        });
        let (history, _) = steps.subscribe();
        let [step] = history.as_slice() else {
            panic!("one step")
        };
        assert_eq!(step.seq, 1);
        assert_eq!((step.step.as_str(), step.level), ("answered", "INFO"));
        assert_eq!(step.conversation.as_deref(), Some("00ff00ff00ff00ff"));
        assert_eq!(step.message, "the model answered");
        assert_eq!(
            Value::from(step.fields.clone()),
            serde_json::json!({"tokens_in": 412, "cost_usd": 0.00021, "model": "demo/model"})
        );
        assert_eq!(live.try_recv().unwrap(), *step);
    }

    #[test]
    fn a_step_of_no_conversation_concerns_all_when_it_is_about_a_provider_or_a_model() {
        let (steps, _live) = logged(|| {
            tracing::info!(step = "claimed", conversation = "aa", model = "m");
            tracing::warn!(step = "breaker_open", provider = "openrouter");
            tracing::warn!(step = "model_parked", model = "m");
            tracing::info!(step = "sweep", sweeper_hits = 0);
        });
        let (history, _) = steps.subscribe();
        let seen = |hash: &str| -> Vec<String> {
            let mine = history.iter().filter(|step| step.concerns(hash));
            mine.map(|step| step.step.clone()).collect()
        };
        assert_eq!(seen("aa"), ["claimed", "breaker_open", "model_parked"]);
        assert_eq!(seen("bb"), ["breaker_open", "model_parked"]);
    }

    #[test]
    fn other_lines_are_not_steps() {
        let (steps, _live) = logged(|| tracing::warn!(conversation = "00ff", "a step by the way"));
        assert!(steps.subscribe().0.is_empty());
    }

    #[test]
    fn fields_of_the_spans_around_a_step_belong_to_it_and_its_own_win() {
        let (steps, _live) = logged(|| {
            let outer = tracing::info_span!(
                "turn",
                conversation = "aa",
                turn = 1,
                late = tracing::field::Empty
            );
            outer.record("late", "yes");
            outer.in_scope(|| {
                tracing::info_span!("attempt", attempt = 1)
                    .in_scope(|| tracing::info!(step = "asked", attempt = 2));
            });
        });
        let step = steps.subscribe().0.remove(0);
        assert_eq!(step.conversation.as_deref(), Some("aa"));
        assert_eq!(
            Value::from(step.fields),
            serde_json::json!({"turn": 1, "attempt": 2, "late": "yes"})
        );
    }

    #[test]
    fn the_history_is_bounded_and_keeps_the_newest() {
        let (steps, _live) = logged(|| {
            for n in 0..HISTORY + 7 {
                tracing::info!(step = "stored", n);
            }
        });
        let (history, _) = steps.subscribe();
        assert_eq!(history.len(), HISTORY);
        assert_eq!(history[0].seq, 8);
        assert_eq!(history[HISTORY - 1].fields["n"], HISTORY + 6);
    }
}
