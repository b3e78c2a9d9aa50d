//! What a breaker that all share does when calls overlap, by the rules of `shared/src/breakers.rs`: a failed call adds one
//! failure; a successful one closes the breaker, whatever stands there by then, if it was hurt when the call began; open,
//! nobody is asked until the cooldown is over and one probe has come back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::random::Random;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// Calls of a model in a second.
    pub a_second: f64,
    /// The share of them that fails, each by itself.
    pub failing: f64,
    /// Failures that open the breaker.
    pub max_failures: u32,
    /// For how long, in seconds.
    pub cooldown: f64,
    /// Half of the answers take no longer, in seconds.
    pub median: f64,
    /// The standard deviation of that time's logarithm.
    pub sigma: f64,
    /// How many calls are simulated.
    pub calls: u32,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The share of questions that were not asked because the breaker was open: they wait.
    pub refused: f64,
    /// Writes to the breaker's item in a second.
    pub writes_a_second: f64,
}

#[derive(Default)]
struct Breaker {
    failures: u32,
    open_until: Option<f64>,
    is_probing: bool,
    writes: u32,
}

impl Breaker {
    fn is_hurt(&self) -> bool {
        self.failures > 0 || self.open_until.is_some()
    }

    fn failed(&mut self, now: f64, is_probe: bool, calls: &Calls) {
        self.writes += 1;
        if is_probe {
            self.is_probing = false;
            self.open_until = Some(now + calls.cooldown);
            return;
        }
        self.failures += 1;
        if self.failures >= calls.max_failures && self.open_until.is_none() {
            self.writes += 1;
            self.open_until = Some(now + calls.cooldown);
        }
    }

    /// A call succeeded that had seen it hurt.
    fn closed(&mut self) {
        let writes = self.writes + 1;
        *self = Self {
            writes,
            ..Self::default()
        };
    }
}

/// Runs it.
#[must_use]
pub fn run(calls: Calls) -> Seen {
    let mut random = Random::new(11);
    let mut breaker = Breaker::default();
    let (mut now, mut refused) = (0.0, 0_u32);
    // Calls under way by when they end, in microseconds; whether the breaker was hurt when they began; whether they probe.
    let mut running: BinaryHeap<Reverse<(u64, bool, bool)>> = BinaryHeap::new();
    for _ in 0..calls.calls {
        now += random.exponential(1.0 / calls.a_second);
        while let Some(Reverse((ends, saw_it_hurt, is_probe))) = running.peek().copied() {
            let ends = ends as f64 / 1e6;
            if ends > now {
                break;
            }
            running.pop();
            if random.unit() < calls.failing {
                breaker.failed(ends, is_probe, &calls);
            } else if saw_it_hurt || is_probe {
                breaker.closed();
            }
        }
        let is_probe = match breaker.open_until {
            None => false,
            Some(until) if until <= now && !breaker.is_probing => true,
            Some(_) => {
                refused += 1;
                continue;
            }
        };
        if is_probe {
            breaker.is_probing = true;
            breaker.writes += 1;
        }
        let ends = now + random.lognormal(calls.median, calls.sigma);
        running.push(Reverse(((ends * 1e6) as u64, breaker.is_hurt(), is_probe)));
    }
    Seen {
        refused: f64::from(refused) / f64::from(calls.calls),
        writes_a_second: f64::from(breaker.writes) / now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: Calls = Calls {
        a_second: 50.0,
        failing: 0.0,
        max_failures: 5,
        cooldown: 60.0,
        median: 2.5,
        sigma: 0.6,
        calls: 100_000,
    };

    #[test]
    fn it_never_opens_when_nothing_fails_and_nearly_nobody_is_asked_when_everything_does() {
        let healthy = run(CALLS);
        assert!(healthy.refused < 1e-9 && healthy.writes_a_second < 1e-9);
        let failing = run(Calls {
            failing: 1.0,
            ..CALLS
        });
        assert!(failing.refused > 0.9, "{failing:?}");
        // Two failures, a probe and its end a minute, and those that were under way.
        assert!(failing.writes_a_second < 1.0, "{failing:?}");
    }

    #[test]
    fn calls_one_after_another_are_counted_in_a_row() {
        // So rare that none overlap: five in a row of ten per cent are one in 100,000.
        let lonely = Calls {
            a_second: 0.02,
            failing: 0.1,
            ..CALLS
        };
        let seen = run(lonely);
        assert!(seen.refused < 0.001, "{seen:?}");
        // Each failure is a write, and nearly each is mended by the next call.
        let calls_that_write = seen.writes_a_second / 0.02;
        assert!((0.17..0.21).contains(&calls_that_write), "{seen:?}");
    }

    #[test]
    fn the_more_calls_the_more_writes() {
        let at = |a_second| {
            let calls = Calls {
                a_second,
                failing: 0.02,
                calls: 300_000,
                ..CALLS
            };
            run(calls).writes_a_second
        };
        assert!(at(500.0) > 5.0 * at(50.0));
    }
}
