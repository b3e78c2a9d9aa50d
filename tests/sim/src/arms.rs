//! What the functions say that they did: the steps and reasons of their log, counted, and looked through for what no log may hold.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::leaks;

/// What was logged.
#[derive(Debug, Default)]
pub struct Logged {
    /// Steps, with their reasons.
    pub arms: BTreeMap<String, u64>,
    /// The first thing that no log may hold, with the name of its field (I11).
    pub leak: Option<String>,
}

thread_local! {
    static SEEN: RefCell<Logged> = RefCell::default();
}

/// Runs `f`; gives what was logged meanwhile on this thread.
pub fn counted<R>(f: impl FnOnce() -> R) -> (Logged, R) {
    SEEN.take();
    let result = tracing::subscriber::with_default(Counter, f);
    (SEEN.take(), result)
}

struct Counter;

#[derive(Default)]
struct Said {
    step: String,
    reason: String,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "step" => value.clone_into(&mut self.step),
            "reason" | "status" => value.clone_into(&mut self.reason),
            _ => {}
        }
        if let Some(leak) = leaks::find(value) {
            let what = format!("{leak:?} in the log's {}", field.name());
            SEEN.with_borrow_mut(|seen| {
                seen.leak.get_or_insert(what);
            });
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut Said::default());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Said::default());
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut said = Said::default();
        event.record(&mut said);
        if said.step.is_empty() {
            return;
        }
        let name = if said.reason.is_empty() {
            said.step
        } else {
            format!("{} {}", said.step, said.reason)
        };
        SEEN.with_borrow_mut(|seen| *seen.arms.entry(name).or_default() += 1);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
