//! The one-machine run on a data folder, killed again and again while customers write: what got its 200 is in exactly one
//! answer.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tests::measure::{Latency, Random};
use tests::process::folder::Folder;
use tests::process::one_machine::{OneMachine, Wish};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::customers::{Customers, Habits};
use crate::outside::{Outside, Pace};
use crate::verdict::Verdict;
use crate::{rest, system};

/// What is done to the run.
#[derive(Args, Clone, Debug)]
pub struct Chaos {
    /// How often it is killed
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub kills: u32,
    /// Customers who write at once
    #[arg(long, default_value_t = 60, value_name = "N")]
    pub customers: u32,
    /// What everything random comes from; a seed gives the same lives and customers, not the same interleaving
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// The longest time between a start and a kill, in milliseconds
    #[arg(long, default_value_t = 8_000, value_name = "MS")]
    pub life_ms: u64,
    /// The median time the model takes, in milliseconds
    #[arg(long, default_value_t = 2_000, value_name = "MS")]
    pub model_ms: u64,
    /// This program of `local`, instead of the one of the same build
    #[arg(long, value_name = "FILE")]
    pub local: Option<PathBuf>,
    /// At the end, wait for every trigger that is left, not only for what is owed
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub until_queue_is_empty: bool,
    /// Say nothing on the way
    #[arg(skip)]
    pub quiet: bool,
}

/// Bots of the run. The same contacts write to each.
const BOTS: u32 = 3;
/// The shortest time between a start and a kill.
const LIFE_LEAST: Duration = Duration::from_millis(100);
/// One kill in so many comes while the run is still starting.
const WHILE_STARTING: u64 = 4;
/// A start takes less, on a machine that is not busy.
const START_MOST: Duration = Duration::from_millis(600);
/// How long it may take until all is answered after the last kill: the tail of the model, and the backoff of a turn.
const PATIENCE: Duration = Duration::from_secs(120);
/// A trigger that met a claim comes back after this at most, and twice in bad luck.
const QUEUE_PATIENCE: Duration = Duration::from_secs(120);
/// After all is answered: what should not come would come within a debounce.
const SILENCE: Duration = Duration::from_millis(1_500);

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// `kill -9` so often.
    pub kills: u32,
    /// Of these, before the run listened.
    pub while_starting: u32,
    /// How long customers wrote, in seconds.
    pub seconds: f64,
    /// Webhooks that were posted again.
    pub repeated_posts: u64,
    /// Questions whose answer no process was there to read.
    pub questions_cut_off: u64,
    /// Sends whose answer no process was there to read.
    pub sends_cut_off: u64,
    /// Questions to the model.
    pub questions: usize,
    /// Something that a conversation still holds or owes at the end, in the table.
    pub still_owed: Option<String>,
    /// Whether it adds up.
    pub verdict: Verdict,
}

impl Chaos {
    fn wish(&self, folder: &Folder, outside: SocketAddr) -> Wish {
        let wish = system::wish(folder, BOTS, outside)
            .set("DEBOUNCE_SECONDS", "1")
            // An attempt that a kill has cut off counts as one.
            .set("AI_MAX_ATTEMPTS", "10");
        match &self.local {
            Some(program) => wish.program(program),
            None => wish,
        }
    }

    /// Does it all; the verdict is in the summary.
    pub async fn run(&self) -> Summary {
        let folder = Folder::new();
        let pace = Pace::of(Duration::from_millis(self.model_ms));
        let outside = Outside::new(pace, self.seed);
        let wish = self.wish(&folder, outside.serve().await);
        let run = wish.start().await;
        let (moved, address) = watch::channel(run.base_url.clone());
        let (stop, stopped) = watch::channel(false);
        let customers = Customers::new(&outside, address, HABITS, self.seed);
        let writers = customers.start(self.customers, BOTS, &stopped);
        let began = Instant::now();
        let (run, while_starting) = self.kill(run, &wish, &moved, &outside).await;
        stop.send_replace(true);
        rest::until_posted(writers, PATIENCE).await;
        let seconds = began.elapsed().as_secs_f64();
        let (verdict, still_owed) = self.settled(&run, &outside).await;
        let cut_off = outside.cut_off();
        let (questions, repeated_posts) =
            outside.ledger(|ledger| (ledger.calls.len(), ledger.repeated_posts()));
        Summary {
            kills: self.kills,
            while_starting,
            seconds,
            repeated_posts,
            questions_cut_off: cut_off.questions,
            sends_cut_off: cut_off.sends,
            questions,
            still_owed,
            verdict,
        }
    }

    /// All the kills; gives the run that is left, and how many kills came before a run listened.
    async fn kill(
        &self,
        mut run: OneMachine,
        wish: &Wish,
        moved: &watch::Sender<String>,
        outside: &Outside,
    ) -> (OneMachine, u32) {
        let mut random = Random::stream(self.seed, u64::MAX);
        let (mut kills, mut while_starting) = (0, 0);
        while kills < self.kills {
            let life = random.between(LIFE_LEAST, Duration::from_millis(self.life_ms));
            tokio::time::sleep(life).await;
            run.process.kill_nine();
            kills += 1;
            if kills < self.kills && random.below(WHILE_STARTING) == 0 {
                let process = wish.process();
                tokio::time::sleep(random.between(Duration::ZERO, START_MOST)).await;
                process.kill_nine();
                (kills, while_starting) = (kills + 1, while_starting + 1);
            }
            run = wish.start().await;
            moved.send_replace(run.base_url.clone());
            self.tell(kills, life, outside);
        }
        (run, while_starting)
    }

    fn tell(&self, kills: u32, life: Duration, outside: &Outside) {
        if self.quiet {
            return;
        }
        let waiting = outside.waiting();
        let (accepted, replies) =
            outside.ledger(|ledger| (ledger.accepted_count(), ledger.replies().count()));
        println!(
            "kill {kills:>3} of {}, after {:>5.2} s: {accepted} bubbles accepted, {replies} replies, \
             {waiting} customers wait",
            self.kills,
            life.as_secs_f64()
        );
    }

    async fn settled(&self, run: &OneMachine, outside: &Outside) -> (Verdict, Option<String>) {
        let say = |what: String| {
            if !self.quiet {
                println!("{what}");
            }
        };
        say("no more kills; until all is at rest ...".to_owned());
        let tell = |waiting| say(format!("  {waiting} customers wait"));
        rest::until_answered(outside, PATIENCE, tell).await;
        let still_owed = rest::until_nothing_is_owed(run, PATIENCE).await;
        if self.until_queue_is_empty {
            say("  all are answered; until the last trigger is gone ...".to_owned());
            rest::until_queue_is_empty(run, QUEUE_PATIENCE).await;
        }
        tokio::time::sleep(SILENCE).await;
        let parked = rest::parked(run, outside).await;
        let verdict = outside.ledger(|ledger| Verdict::of(ledger, &parked));
        (verdict, still_owed)
    }
}

impl Summary {
    /// Every message whose webhook got 200 is in exactly one answer, and nothing is left to do.
    ///
    /// # Errors
    /// It is not so.
    pub fn check(&self) -> anyhow::Result<()> {
        if let Some(left) = &self.still_owed {
            anyhow::bail!("at the end there is still {left}");
        }
        self.verdict.check()
    }
}

/// Every other burst is written into the answering of the one before; those between wait and read, so that nobody is taken for
/// a machine that answers at once, and left alone (the loop brake: five times within 2 s).
const HABITS: Habits = Habits {
    typing: Latency {
        median: Duration::from_millis(300),
        sigma: 0.6,
        most: Duration::from_millis(900),
    },
    pause: Latency {
        median: Duration::from_millis(2_500),
        sigma: 0.5,
        most: Duration::from_secs(8),
    },
    patient_every: 2,
    reading_least: Duration::from_millis(2_500),
    repeated_percent: 5,
    ramp: Duration::from_secs(2),
};

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict {
            accepted,
            answered,
            parked,
            refused,
            replies,
            repeated_sends,
            faults,
        } = &self.verdict;
        writeln!(f, "| | |\n|---|---:|")?;
        let rows = [
            ("`kill -9`", self.kills.to_string()),
            ("of these while starting", self.while_starting.to_string()),
            ("customers wrote for", format!("{:.0} s", self.seconds)),
            ("bubbles whose webhook got 200", accepted.to_string()),
            ("of these in exactly one answer", answered.to_string()),
            ("of these met with one fallback text", parked.to_string()),
            ("bubbles that never got 200", refused.to_string()),
            ("replies", replies.to_string()),
            ("questions to the model", self.questions.to_string()),
            ("questions cut off", self.questions_cut_off.to_string()),
            ("sends cut off", self.sends_cut_off.to_string()),
            ("sends repeated under their id", repeated_sends.to_string()),
            ("webhooks posted again", self.repeated_posts.to_string()),
            ("lost", self.verdict.lost().to_string()),
            (
                "doubled, changed, misdirected, out of order",
                self.verdict.wrong().to_string(),
            ),
        ];
        for (what, figure) in rows {
            writeln!(f, "| {what} | {figure} |")?;
        }
        faults.iter().try_for_each(|fault| writeln!(f, "\n{fault}"))
    }
}
