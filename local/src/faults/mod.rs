//! Faults on demand: what the next calls of the demo model and of the demo gateway meet, as the phone page's fault panel
//! has chosen. Each of the two has a [`Switch`] of its own, so that neither knows of the other's faults.

mod api;
mod kinds;

pub use api::{PATH, router};
pub use kinds::{Fault, GatewayFault, ModelFault};

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

/// The most calls that one choice may last for.
pub const MOST_CALLS: u32 = 1_000;

/// Both switches of a run. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The demo model's; none where another model answers.
    pub model: Option<Switch<ModelFault>>,
    /// The demo gateway's; none where no bot uses it.
    pub gateway: Option<Switch<GatewayFault>>,
}

impl Faults {
    /// What is armed, for the page: `{model, gateway}`, each `{available, armed: {fault, calls_left} | null, hanging}`.
    #[must_use]
    pub fn state(&self) -> Value {
        json!({"model": state(self.model.as_ref()), "gateway": state(self.gateway.as_ref())})
    }

    /// Nothing is armed any more, and calls that hang go on.
    pub fn clear(&self) {
        if let Some(model) = &self.model {
            model.clear();
        }
        if let Some(gateway) = &self.gateway {
            gateway.clear();
        }
    }
}

fn state<F: Fault>(switch: Option<&Switch<F>>) -> Value {
    let Some(switch) = switch else {
        return json!({"available": false, "armed": null, "hanging": 0});
    };
    let inner = switch.inner();
    let armed = inner
        .armed
        .map(|(fault, calls_left)| json!({"fault": fault.name(), "calls_left": calls_left}));
    json!({"available": true, "armed": armed, "hanging": inner.hanging})
}

/// Which fault the next calls of one side meet. Clones share one.
#[derive(Clone)]
pub struct Switch<F>(Arc<Shared<F>>);

struct Shared<F> {
    inner: Mutex<Inner<F>>,
    /// How often it was cleared.
    clears: watch::Sender<u64>,
}

struct Inner<F> {
    /// The fault and the calls it is still good for, one or more.
    armed: Option<(F, u32)>,
    /// Calls that wait in [`Met::hang`].
    hanging: u32,
}

/// A fault that a call has met.
#[derive(Debug)]
#[must_use]
pub struct Met<F> {
    /// Which one.
    pub fault: F,
    /// Calls that will meet it after this one.
    pub calls_left: u32,
    switch: Switch<F>,
    /// The clears before it: the next one ends its hanging.
    clears: u64,
}

impl<F> Default for Switch<F> {
    fn default() -> Self {
        Self(Arc::new(Shared {
            inner: Mutex::new(Inner {
                armed: None,
                hanging: 0,
            }),
            clears: watch::channel(0).0,
        }))
    }
}

impl<F> fmt::Debug for Switch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Switch")
    }
}

impl<F> Switch<F> {
    fn inner(&self) -> MutexGuard<'_, Inner<F>> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is armed any more, and calls that hang go on.
    pub fn clear(&self) {
        let mut inner = self.inner();
        inner.armed = None;
        // Under the lock: a call that meets the fault knows of every clear before it.
        self.0.clears.send_modify(|clears| *clears += 1);
    }
}

impl<F: Fault> Switch<F> {
    /// The next `calls` calls meet `fault`, in place of whatever was armed. Zero calls arm nothing.
    pub fn arm(&self, fault: F, calls: u32) {
        self.inner().armed = (calls > 0).then_some((fault, calls));
    }

    /// What is armed, without a call: the fault and the calls left.
    #[must_use]
    pub fn armed(&self) -> Option<(F, u32)> {
        self.inner().armed
    }

    /// A call comes: the fault that it meets, which is counted.
    pub fn meet(&self) -> Option<Met<F>> {
        let mut inner = self.inner();
        let (fault, calls) = inner.armed?;
        let calls_left = calls.saturating_sub(1);
        inner.armed = (calls_left > 0).then_some((fault, calls_left));
        Some(Met {
            fault,
            calls_left,
            switch: self.clone(),
            clears: *self.0.clears.borrow(),
        })
    }
}

impl<F> Met<F> {
    /// Waits until the switch is cleared. Dropped with the call when its client goes away.
    pub async fn hang(&self) {
        let mut clears = self.switch.0.clears.subscribe();
        let _counted = Hanging::new(&self.switch);
        // The sender lives in the switch, which lives here.
        let _ = clears.wait_for(|clears| *clears > self.clears).await;
    }
}

/// Counts a hanging call for as long as it lives.
struct Hanging<'a, F>(&'a Switch<F>);

impl<'a, F> Hanging<'a, F> {
    fn new(switch: &'a Switch<F>) -> Self {
        let mut inner = switch.inner();
        inner.hanging = inner.hanging.saturating_add(1);
        Self(switch)
    }
}

impl<F> Drop for Hanging<'_, F> {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        inner.hanging = inner.hanging.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests;
