//! The corpora once more, and a short random run over them, without any tool.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at the first surprise"
)]

use std::path::{Path, PathBuf};

use fuzz::mutate::{Random, changed};
use fuzz::{TARGETS, Target, target};

/// Inputs of a target's random run: a second or so in a debug build.
const RANDOM_RUNS: usize = 3_000;

fn corpus_of(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name)
}

/// The seeds and the corpus of a target, always in the same order.
fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus_of(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut inputs = (target.seeds)();
    inputs.extend(files.iter().map(|file| std::fs::read(file).unwrap()));
    inputs
}

/// Runs an input; a failure says how to run it alone.
fn run(target: &Target, input: &[u8]) {
    let ran = std::panic::catch_unwind(|| (target.run)(input));
    if let Err(panic) = ran {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!(
            "{}: a property does not hold for the bytes {hex}",
            target.name
        );
        std::panic::resume_unwind(panic);
    }
}

fn replay_and_vary(name: &str) {
    let target = target(name).expect("no such target");
    let inputs = inputs(&target);
    for input in &inputs {
        run(&target, input);
    }
    let mut random = Random::new(20_261_121);
    for _ in 0..RANDOM_RUNS {
        run(&target, &changed(&mut random, &inputs, target.words));
    }
}

macro_rules! hold {
    ($($name:ident,)*) => {
        mod properties_hold_for {
            $(
                #[test]
                fn $name() {
                    super::replay_and_vary(stringify!($name));
                }
            )*
        }
        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

hold! {
    webhook_body, webhook_request, signature, gateway_answer, llm_answer, llm_error, account, cursor, bots_toml, trigger,
    if_match, session, search,
}

#[test]
fn every_target_is_tested_and_has_a_corpus() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    for target in TARGETS {
        assert!(!(target.seeds)().is_empty(), "{}: no seeds", target.name);
        let files = std::fs::read_dir(corpus_of(target)).unwrap().count();
        assert!(files >= 5, "{}: {files} files in the corpus", target.name);
    }
}

#[test]
fn the_random_run_is_the_same_every_time_and_no_two_inputs_in_a_row_are_equal() {
    let corpus = vec![b"abc".to_vec(), b"{\"a\":1}".to_vec()];
    let run = || {
        let mut random = Random::new(7);
        (0..100)
            .map(|_| changed(&mut random, &corpus, &["word"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
    let distinct: std::collections::BTreeSet<_> = run().into_iter().collect();
    assert!(distinct.len() > 80, "{}", distinct.len());
}
