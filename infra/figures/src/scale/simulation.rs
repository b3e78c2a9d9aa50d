//! A simulation of the way from bubble to turn: bubbles come at random, each sends a trigger that fires after the silence,
//! the event source mapping hands triggers in batches to places, and a place is taken until the slowest record of its batch
//! has ended. What is not simulated: retries, failures, cold starts, and the queue's own delays.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::random::Random;

/// Milliseconds, whole: so that the order of events does not depend on rounding.
type Ms = u64;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Messages of customers in a second.
    pub messages_a_second: f64,
    /// `MaximumConcurrency`.
    pub places: usize,
    /// Records of a batch, at most.
    pub batch: usize,
    /// `DEBOUNCE_SECONDS`, in milliseconds.
    pub silence_ms: Ms,
    /// How long a record takes that finds itself superseded.
    pub superseded_ms: Ms,
    /// How long a turn takes besides the model.
    pub sending_ms: Ms,
    /// Half of the models' answers take no longer.
    pub model_median_ms: f64,
    /// The standard deviation of that time's logarithm: with 0.6 one in twenty takes 2.7 times the median.
    pub model_sigma: f64,
    /// How long traffic comes; what is queued then is worked off.
    pub seconds: u64,
    /// How many more places the mapping opens in a minute, from 5 on.
    pub opened_a_minute: f64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Turns that ended.
    pub turns: usize,
    /// Half of the triggers waited no longer in the queue after they fired, in seconds; and all but one in twenty.
    pub waited_p50: f64,
    /// The same, 95 %.
    pub waited_p95: f64,
    /// The longest.
    pub waited_max: f64,
    /// Places taken, on average while traffic came, and at most.
    pub busy: f64,
    /// The same, at most.
    pub busy_max: usize,
    /// Records handed out and not ended, at most: SQS calls them in flight.
    pub in_flight_max: usize,
    /// Records in a batch, on average.
    pub records_a_batch: f64,
    /// Seconds of an instance for a turn.
    pub place_seconds_a_turn: f64,
    /// Whether the queue was longer at the end of the traffic than half way: then it grows without end.
    pub grows: bool,
}

struct Record {
    fired: Ms,
    is_last: bool,
}

/// Runs it.
#[must_use]
pub fn run(world: World) -> Seen {
    let mut random = Random::new(7);
    let records = records(world, &mut random);
    let mut state = State::new(world);
    for record in records {
        state.until(record.fired, &mut random);
        let now = record.fired;
        state.queue.push_back(record);
        state.hand_out(now, &mut random);
    }
    state.until(Ms::MAX, &mut random);
    state.seen()
}

/// The triggers of all bubbles, in the order in which they fire. Bursts begin at random; half of them have one bubble and
/// half three, 1.5 s apart on average and never further than the silence.
fn records(world: World, random: &mut Random) -> Vec<Record> {
    let bursts_a_second = world.messages_a_second / 2.0;
    let end = world.seconds * 1_000;
    let mut records = Vec::new();
    let mut at = 0.0;
    loop {
        at += random.exponential(1_000.0 / bursts_a_second);
        if at >= end as f64 {
            break;
        }
        let bubbles = if random.unit() < 0.5 { 1 } else { 3 };
        let mut bubble_at = at;
        for n in 1..=bubbles {
            records.push(Record {
                fired: bubble_at as Ms + world.silence_ms,
                is_last: n == bubbles,
            });
            bubble_at += random
                .exponential(1_500.0)
                .min(world.silence_ms as f64 * 0.9);
        }
    }
    records.sort_by_key(|record| record.fired);
    records
}

struct State {
    world: World,
    queue: VecDeque<Record>,
    /// Batches by when they end, with their number of records.
    running: BinaryHeap<Reverse<(Ms, usize)>>,
    in_flight: usize,
    in_flight_max: usize,
    busy_max: usize,
    /// Places times milliseconds, while traffic comes.
    busy_ms: f64,
    place_ms: f64,
    clock: Ms,
    batches: usize,
    turns: usize,
    waits: Vec<Ms>,
    /// The queue's length half way and at the end of the traffic.
    lengths: [Option<usize>; 2],
}

impl State {
    fn new(world: World) -> Self {
        Self {
            world,
            queue: VecDeque::new(),
            running: BinaryHeap::new(),
            in_flight: 0,
            in_flight_max: 0,
            busy_max: 0,
            busy_ms: 0.0,
            place_ms: 0.0,
            clock: 0,
            batches: 0,
            turns: 0,
            waits: Vec::new(),
            lengths: [None; 2],
        }
    }

    /// How many places the mapping has open by now.
    fn open(&self, now: Ms) -> usize {
        let opened = 5.0 + self.world.opened_a_minute * now as f64 / 60_000.0;
        (opened as usize).min(self.world.places)
    }

    /// Lets time pass: batches end, and free places take what waits.
    fn until(&mut self, then: Ms, random: &mut Random) {
        while let Some(Reverse((ends, records))) = self.running.peek().copied() {
            if ends > then {
                break;
            }
            self.running.pop();
            // The place was taken until now.
            self.pass(ends, 1);
            self.in_flight -= records;
            self.hand_out(ends, random);
        }
        if then != Ms::MAX {
            self.pass(then, 0);
        }
    }

    /// The clock goes on; `just_freed` places were taken until this moment and are not any more.
    fn pass(&mut self, now: Ms, just_freed: usize) {
        let end = self.world.seconds * 1_000;
        let (from, to) = (self.clock.min(end), now.min(end));
        self.busy_ms += (self.running.len() + just_freed) as f64 * to.saturating_sub(from) as f64;
        for (length, at) in self.lengths.iter_mut().zip([end / 2, end]) {
            if length.is_none() && now >= at {
                *length = Some(self.queue.len());
            }
        }
        self.clock = self.clock.max(now);
    }

    fn hand_out(&mut self, now: Ms, random: &mut Random) {
        while !self.queue.is_empty() && self.running.len() < self.open(now) {
            let count = self.queue.len().min(self.world.batch);
            let mut longest = 0;
            for record in self.queue.drain(..count) {
                self.waits.push(now - record.fired);
                let takes = if record.is_last {
                    self.turns += 1;
                    let World {
                        model_median_ms,
                        model_sigma,
                        sending_ms,
                        ..
                    } = self.world;
                    random.lognormal(model_median_ms, model_sigma) as Ms + sending_ms
                } else {
                    self.world.superseded_ms
                };
                longest = longest.max(takes);
            }
            self.running.push(Reverse((now + longest, count)));
            self.in_flight += count;
            self.batches += 1;
            self.place_ms += longest as f64;
            self.in_flight_max = self.in_flight_max.max(self.in_flight);
            self.busy_max = self.busy_max.max(self.running.len());
        }
    }

    fn seen(mut self) -> Seen {
        self.waits.sort_unstable();
        let quantile = |q: f64| -> f64 {
            let index = (self.waits.len() as f64 * q) as usize;
            let wait = self.waits.get(index).or(self.waits.last());
            wait.copied().unwrap_or_default() as f64 / 1_000.0
        };
        let [half, end] = self.lengths.map(Option::unwrap_or_default);
        Seen {
            turns: self.turns,
            waited_p50: quantile(0.5),
            waited_p95: quantile(0.95),
            waited_max: quantile(1.0),
            busy: self.busy_ms / (self.world.seconds as f64 * 1_000.0),
            busy_max: self.busy_max,
            in_flight_max: self.in_flight_max,
            records_a_batch: self.waits.len() as f64 / self.batches.max(1) as f64,
            place_seconds_a_turn: self.place_ms / 1_000.0 / self.turns.max(1) as f64,
            grows: end > half + half / 5 + 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World {
            messages_a_second: 100.0,
            places: 1_000,
            batch: 10,
            silence_ms: 3_000,
            superseded_ms: 10,
            sending_ms: 300,
            model_median_ms: 2_500.0,
            model_sigma: 0.0,
            seconds: 300,
            opened_a_minute: f64::INFINITY,
        }
    }

    #[test]
    fn with_places_enough_nobody_waits_and_littles_law_holds() {
        let seen = run(world());
        assert!(seen.waited_max < 0.001, "{seen:?}");
        // 50 turns a second of 2.8 s, and 50 superseded records of 10 ms.
        assert!((seen.busy - 50.0 * 2.8 - 0.5).abs() < 6.0, "{seen:?}");
        assert!((seen.records_a_batch - 1.0).abs() < 0.1, "{seen:?}");
        assert!(!seen.grows);
    }

    #[test]
    fn too_few_places_fill_their_batches_and_then_the_queue_grows() {
        // A full batch of ten has five turns on average: 20 places end 20 x 5 / 2.8 = 36 of 50 turns a second.
        let few = World {
            places: 20,
            ..world()
        };
        let seen = run(few);
        assert!(seen.grows && seen.records_a_batch > 9.5, "{seen:?}");
        assert!(seen.waited_p95 > 30.0, "{seen:?}");
        assert_eq!(seen.busy_max, 20);
        let enough = run(World {
            places: 40,
            ..world()
        });
        assert!(!enough.grows && enough.waited_p95 < 3.0, "{enough:?}");
    }

    #[test]
    fn every_turn_ends_whatever_waits() {
        let seen = run(World {
            places: 5,
            seconds: 20,
            ..world()
        });
        // 20 s of 50 bursts a second.
        assert!((900..1_100).contains(&seen.turns), "{seen:?}");
    }

    #[test]
    fn a_slow_record_keeps_the_place_of_its_whole_batch() {
        let even = run(World {
            places: 40,
            ..world()
        });
        let uneven = run(World {
            places: 40,
            model_sigma: 0.6,
            ..world()
        });
        assert!(uneven.place_seconds_a_turn > even.place_seconds_a_turn * 1.3);
    }
}
