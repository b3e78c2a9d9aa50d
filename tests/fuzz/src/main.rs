//! The coverage-guided run of one target: libFuzzer's own command line, with the target in `CLIVY_FUZZ_TARGET`.
//! `infra/fuzz.sh` builds and calls it.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

#[expect(
    clippy::disallowed_methods,
    reason = "libFuzzer owns the command line, so the target is named beside it"
)]
fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("CLIVY_FUZZ_TARGET").unwrap_or_default();
        fuzz::target(&name).unwrap_or_else(|| {
            let names: Vec<&str> = fuzz::TARGETS.iter().map(|target| target.name).collect();
            panic!("CLIVY_FUZZ_TARGET is one of {}", names.join(", "))
        })
    })
}

/// Puts the seeds where libFuzzer looks for inputs, and the target's words where it looks for a dictionary.
#[expect(
    clippy::disallowed_methods,
    reason = "libFuzzer owns the command line, so the folder is named beside it"
)]
fn write_seeds() {
    let Some(folder) = std::env::var_os("CLIVY_FUZZ_SEEDS").map(PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&folder).expect("the folder of the seeds");
    for (index, seed) in (target().seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{index:03}")), seed).expect("a seed");
    }
    let quoted = target().words.iter().map(|word| {
        let escaped: String = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("\"{escaped}\"\n")
    });
    std::fs::write(folder.with_extension("dict"), quoted.collect::<String>())
        .expect("a dictionary");
}

fuzz_target!(init: write_seeds(), |input: &[u8]| (target().run)(input));
