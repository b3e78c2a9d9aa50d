//! What the functions say that they did: the steps and reasons of their log, counted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

thread_local! {
    static SEEN: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Runs `f`; gives the steps that were logged meanwhile on this thread.
pub fn counted<R>(f: impl FnOnce() -> R) -> (BTreeMap<String, u64>, R) {
    SEEN.with(|seen| seen.borrow_mut().clear());
    let result = tracing::subscriber::with_default(Counter, f);
    (SEEN.with(RefCell::take), result)
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
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "step" => self.step = format!("{value:?}"),
            "reason" | "status" => self.reason = format!("{value:?}"),
            _ => {}
        }
    }
}

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

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
        SEEN.with(|seen| *seen.borrow_mut().entry(name).or_default() += 1);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
