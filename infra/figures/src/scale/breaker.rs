//! How often a breaker opens although most calls succeed: it counts failures in a row, but a success mends it only where
//! the call began when failures were already written down (`shared/src/breakers.rs`), and calls overlap.

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

/// The share of the time in which the breaker is open and nobody is asked.
#[must_use]
pub fn open_share(calls: Calls) -> f64 {
    let mut random = Random::new(11);
    let (mut now, mut open) = (0.0, 0.0);
    let mut failures = 0;
    // Calls under way by when they end, in microseconds; and whether the breaker was hurt when they began.
    let mut running: BinaryHeap<Reverse<(u64, bool)>> = BinaryHeap::new();
    for _ in 0..calls.calls {
        now += random.exponential(1.0 / calls.a_second);
        while let Some(Reverse((ends, saw_failures))) = running.peek().copied() {
            if ends as f64 / 1e6 > now {
                break;
            }
            running.pop();
            match random.unit() < calls.failing {
                true => failures += 1,
                // A success mends only what its call has seen.
                false if saw_failures => failures = 0,
                false => {}
            }
            if failures >= calls.max_failures {
                // Nobody is asked until one probe has come back; what was under way has nothing more to say.
                let probe = random.lognormal(calls.median, calls.sigma);
                open += calls.cooldown + probe;
                now += calls.cooldown + probe;
                failures = 0;
                running.clear();
            }
        }
        let ends = now + random.lognormal(calls.median, calls.sigma);
        running.push(Reverse(((ends * 1e6) as u64, failures > 0)));
    }
    open / now
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
    fn it_never_opens_when_nothing_fails_and_nearly_always_is_open_when_everything_does() {
        assert!(open_share(CALLS) < 1e-9);
        let failing = open_share(Calls {
            failing: 1.0,
            ..CALLS
        });
        assert!(failing > 0.9, "{failing}");
    }

    #[test]
    fn calls_one_after_another_are_counted_in_a_row() {
        // So rare that none overlap: five in a row of ten per cent are one in 100,000.
        let lonely = Calls {
            a_second: 0.02,
            failing: 0.1,
            ..CALLS
        };
        assert!(open_share(lonely) < 0.001);
        assert!(
            open_share(Calls {
                failing: 0.1,
                ..CALLS
            }) > 0.5
        );
    }

    #[test]
    fn the_more_calls_the_more_often_the_same_share_of_failures_opens_it() {
        let at = |a_second| {
            let calls = Calls {
                a_second,
                failing: 0.02,
                calls: 300_000,
                ..CALLS
            };
            open_share(calls)
        };
        assert!(at(50.0) < 0.1 && at(500.0) > at(50.0) && at(5_000.0) > 0.5);
    }
}
