//! The customers: each writes one burst of three bubbles, and waits for one reply.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use clivy::http::{Http, Network};
use tests::bubbles::bubble;
use tests::measure::{self, Random, percentile};
use tests::process::usage::Cpu;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::DEBOUNCE;
use crate::gateway::Gateway;
use crate::report::{Steady, Sustained};
use crate::system::System;

/// What a burst says. The demo model answers it from three of the shop's documents.
const BUBBLES: [&str; 3] = [
    "Halo kak",
    "hari minggu jam buka sampai jam berapa?",
    "ongkir ke Bandung berapa?",
];
/// Bursts that wait for their reply at once in the closed loop: enough to keep a system busy that answers them a
/// second after the debounce.
const IN_FLIGHT: usize = 500;
/// The closed loop's customers begin one after the other over this time, so that they do not come in waves.
const RAMP: Duration = Duration::from_secs(1);
/// The closed loop is counted from here on.
const WARM_UP: Duration = Duration::from_secs(3);
/// Bursts per second in the open loop.
const STEADY_RATE: f64 = 50.0;
/// A burst without a reply after this is lost.
const PATIENCE: Duration = Duration::from_secs(20);
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// All customers of one run.
#[derive(Clone)]
pub struct Customers {
    http: Rc<Network>,
    url: Rc<str>,
    gateway: Gateway,
    met: Rc<Cell<u64>>,
    answered: Rc<Cell<u64>>,
}

/// A burst that was answered.
#[derive(Clone, Copy)]
struct Answered {
    /// When its reply reached the gateway.
    at: Instant,
    /// From the webhook's answer to the last bubble to the reply, without the debounce.
    latency_ms: f64,
    /// The longest of the three webhooks.
    webhook_ms: f64,
}

impl Customers {
    /// Customers of the system at `url`.
    ///
    /// # Errors
    /// The TLS roots of the machine cannot be read.
    pub fn new(url: &str, gateway: Gateway) -> anyhow::Result<Self> {
        Ok(Self {
            http: Rc::new(Network::new()?),
            url: format!("{url}/webhook/ai").into(),
            gateway,
            met: Rc::default(),
            answered: Rc::default(),
        })
    }

    /// Closed loop: [`IN_FLIGHT`] customers at a time, the next one comes when one is answered. Counts the replies
    /// of `lasting`.
    ///
    /// # Errors
    /// The system is gone.
    pub async fn closed_loop(
        &self,
        system: &System,
        lasting: Duration,
    ) -> anyhow::Result<Sustained> {
        let begin = Instant::now() + WARM_UP;
        let end = begin + lasting;
        let local = LocalSet::new();
        let places: Vec<_> = (0..IN_FLIGHT)
            .map(|place| {
                let customers = self.clone();
                let share = f64::from(u32::try_from(place).unwrap_or(u32::MAX)) / IN_FLIGHT as f64;
                let start = Instant::now() + RAMP.mul_f64(share);
                local.spawn_local(async move {
                    tokio::time::sleep_until(start).await;
                    let mut answered = Vec::new();
                    while Instant::now() < end {
                        answered.extend(customers.burst().await);
                    }
                    answered
                })
            })
            .collect();
        let mut answered = Vec::new();
        let cpu = local
            .run_until(async {
                let cpu = self.watch("closed loop", system, begin, end).await;
                for place in places {
                    answered.extend(place.await?);
                }
                cpu
            })
            .await?;
        answered.retain(|answer| begin <= answer.at && answer.at < end);
        let seconds = lasting.as_secs_f64();
        let bursts = answered.len() as f64;
        Ok(Sustained {
            seconds,
            in_flight: IN_FLIGHT,
            bursts: answered.len(),
            bursts_per_second: bursts / seconds,
            latency_p50_ms: percentile(&mut latencies(&answered), 0.50),
            system_cpu_ms_per_burst: cpu.system * 1_000.0 / bursts,
            client_cpu_ms_per_burst: cpu.client * 1_000.0 / bursts,
            cores_used: cpu.ours() / seconds,
            cores_of_others: cpu.others() / seconds,
        })
    }

    /// Open loop: bursts come at [`STEADY_RATE`] whatever becomes of those before, at random moments as those of
    /// independent customers are (a Poisson process, the same in every run).
    ///
    /// # Errors
    /// The system is gone.
    pub async fn open_loop(&self, system: &System, lasting: Duration) -> anyhow::Result<Steady> {
        let begin = Instant::now();
        let local = LocalSet::new();
        let arrivals: Vec<_> = arrivals(STEADY_RATE, lasting)
            .into_iter()
            .map(|after| {
                let customers = self.clone();
                local.spawn_local(async move {
                    tokio::time::sleep_until(begin + after).await;
                    let late_ms = milliseconds(begin + after, Instant::now());
                    (customers.burst().await, late_ms)
                })
            })
            .collect();
        let bursts = arrivals.len();
        let (mut answered, mut late_ms) = (Vec::new(), 0.0_f64);
        let cpu = local
            .run_until(async {
                let cpu = self
                    .watch("open loop", system, begin, begin + lasting)
                    .await;
                for arrival in arrivals {
                    let (answer, late) = arrival.await?;
                    answered.extend(answer);
                    late_ms = late_ms.max(late);
                }
                cpu
            })
            .await?;
        let mut latencies = latencies(&answered);
        let mut webhooks: Vec<f64> = answered.iter().map(|answer| answer.webhook_ms).collect();
        let seconds = lasting.as_secs_f64();
        Ok(Steady {
            seconds,
            bursts,
            bursts_per_second: bursts as f64 / seconds,
            p50_ms: percentile(&mut latencies, 0.50),
            p95_ms: percentile(&mut latencies, 0.95),
            p99_ms: percentile(&mut latencies, 0.99),
            max_ms: percentile(&mut latencies, 1.0),
            webhook_p95_ms: percentile(&mut webhooks, 0.95),
            client_late_ms: late_ms,
            cores_used: cpu.ours() / seconds,
            cores_of_others: cpu.others() / seconds,
        })
    }

    /// One new customer's burst; `None` when it was refused or lost, which the gateway counts.
    async fn burst(&self) -> Option<Answered> {
        let number = self.met.get();
        self.met.set(number + 1);
        let phone = format!("62811{number:08}");
        let reply = self.gateway.expect(&phone);
        let mut webhook_ms = 0.0_f64;
        for (second, text) in (0..).zip(BUBBLES) {
            let body = bubble(
                "demo",
                &phone,
                &format!("BENCH{number:08}{second}"),
                second,
                text,
            );
            let sent = Instant::now();
            if self.post(body.to_string().into()).await.is_err() {
                self.gateway.refused();
                return None;
            }
            webhook_ms = webhook_ms.max(milliseconds(sent, Instant::now()));
        }
        let accepted = Instant::now();
        let Ok(Ok(at)) = tokio::time::timeout(PATIENCE, reply).await else {
            self.gateway.lost();
            return None;
        };
        self.answered.set(self.answered.get() + 1);
        let latency_ms = milliseconds(accepted, at) - DEBOUNCE.as_secs_f64() * 1_000.0;
        Some(Answered {
            at,
            latency_ms,
            webhook_ms,
        })
    }

    async fn post(&self, body: Bytes) -> anyhow::Result<()> {
        let request = http::Request::post(&*self.url)
            .header("content-type", "application/json")
            .body(body)?;
        let response = self.http.send(request, PATIENCE).await?;
        let answer: serde_json::Value = serde_json::from_slice(response.body())?;
        anyhow::ensure!(
            answer
                .get("status")
                .is_some_and(|status| status == "queued"),
            "not queued"
        );
        Ok(())
    }

    /// Prints how it goes, and measures the processor time between `begin` and `end`.
    async fn watch(
        &self,
        name: &str,
        system: &System,
        begin: Instant,
        end: Instant,
    ) -> anyhow::Result<Cpu> {
        tokio::time::sleep_until(begin).await;
        let before = Cpu::read(system.pid())?;
        let mut then = (begin, self.answered.get());
        while then.0 < end {
            let next = (then.0 + PROGRESS_EVERY).min(end);
            tokio::time::sleep_until(next).await;
            let answered = self.answered.get();
            let rate = (answered - then.1) as f64 / next.duration_since(then.0).as_secs_f64();
            let memory_mb = system.memory().context("the system is gone")?.resident_mb;
            println!("  {name}: {answered} answered, {rate:.0} a second now, {memory_mb:.0} MB");
            then = (next, answered);
        }
        Ok(Cpu::read(system.pid())?.since(&before))
    }
}

fn latencies(answered: &[Answered]) -> Vec<f64> {
    answered.iter().map(|answer| answer.latency_ms).collect()
}

/// Negative when `to` comes first.
fn milliseconds(from: Instant, to: Instant) -> f64 {
    measure::milliseconds(to.saturating_duration_since(from))
        - measure::milliseconds(from.saturating_duration_since(to))
}

/// The arrivals of a Poisson process, from a fixed seed.
fn arrivals(per_second: f64, lasting: Duration) -> Vec<Duration> {
    let mut random = Random::new(0x00C1_1FEE);
    let gaps = std::iter::repeat_with(|| random.gap(per_second));
    gaps.scan(Duration::ZERO, |at, gap| {
        *at += gap;
        (*at < lasting).then_some(*at)
    })
    .collect()
}
