//! What a suite needs that an embedded engine and a foreign one must both pass.
//!
//! By default the engine is the embedded one. With `<NAME>_CONTRACT_ENDPOINT` set it is the one there, and
//! `<NAME>_CONTRACT_DEVIATIONS` may name a file of `case — what it does instead` lines: a listed case must really
//! deviate, an unlisted one must pass, and every listed one must exist. Nothing is skipped.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use anyhow::Result;
use futures_util::FutureExt;

#[expect(clippy::disallowed_methods, reason = "the suites' own settings")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A suite, by the name that its variables begin with.
#[derive(Clone, Copy, Debug)]
pub struct Suite(pub &'static str);

impl Suite {
    /// Where the engine under contract is; none when it is the embedded one.
    #[must_use]
    pub fn endpoint(self) -> Option<String> {
        variable(&format!("{}_CONTRACT_ENDPOINT", self.0))
    }

    /// The cases that the engine is known to fail, and what it does instead. Panics when the list cannot be read.
    #[must_use]
    pub fn deviations(self) -> BTreeMap<String, String> {
        let file = variable(&format!("{}_CONTRACT_DEVIATIONS", self.0));
        file.map(|file| read(file.as_ref())).unwrap_or_default()
    }

    /// Judges a case by how it ended and whether the engine is still there after it. Panics unless a listed case
    /// deviates and any other one passes.
    pub async fn judge<V: Verdict>(
        self,
        case: &str,
        running: impl Future<Output = V>,
        is_there: impl Future<Output = ()>,
    ) {
        let outcome = AssertUnwindSafe(running).catch_unwind().await;
        is_there.await;
        let failed = match outcome {
            Ok(verdict) => verdict.failed(),
            Err(panic) => match self.deviations().contains_key(case) {
                true => Some("the case panicked".to_owned()),
                false => std::panic::resume_unwind(panic),
            },
        };
        match (failed, self.deviations().get(case)) {
            (None, None) => {}
            (Some(how), None) => panic!("{how}"),
            (Some(how), Some(instead)) => {
                eprintln!("{case} deviates as listed ({instead}): {how}");
            }
            (None, Some(instead)) => {
                panic!("listed as deviating ({instead}) and passes: take it off the list")
            }
        }
    }
}

fn read(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (case, instead) = line.split_once('—').expect("a line without —");
            (case.trim().to_owned(), instead.trim().to_owned())
        })
        .collect()
}

/// What a case ends with: it asserts, or says what is wrong.
pub trait Verdict {
    /// What is wrong.
    fn failed(self) -> Option<String>;
}

impl Verdict for () {
    fn failed(self) -> Option<String> {
        None
    }
}

impl Verdict for Result<()> {
    fn failed(self) -> Option<String> {
        self.err().map(|error| format!("{error:#}"))
    }
}

/// Makes each case a test, and the list of them all a check of the list of deviations. An `Endpoint` with `open` and
/// `is_there` must be in scope.
#[macro_export]
macro_rules! contract {
    ($suite:expr; $($module:ident::$case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let endpoint = Endpoint::open().await;
                let running = $module::$case(&endpoint);
                $suite.judge(stringify!($case), running, endpoint.is_there()).await;
            }
        )*

        /// A case: it gives what is wrong, or panics.
        type Case = for<'a> fn(&'a Endpoint) -> futures_util::future::BoxFuture<'a, Option<String>>;

        /// All of them, by name.
        fn cases() -> Vec<(&'static str, Case)> {
            vec![$((stringify!($case), |endpoint| {
                Box::pin(async move { $crate::contract::Verdict::failed($module::$case(endpoint).await) })
            })),*]
        }

        #[test]
        fn every_listed_deviation_names_a_case_and_says_what_happens_instead() {
            for (case, instead) in $suite.deviations() {
                assert!(cases().iter().any(|(name, _)| *name == case), "{case} is not a case");
                assert!(!instead.is_empty(), "{case} has no explanation");
            }
        }
    };
}
