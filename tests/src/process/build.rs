//! The programs under test, as the cargo that runs the tests builds them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Context;

/// The program `local`, built once per test process if it is missing or stale: cargo builds no other package's
/// programs for a test.
pub fn local() -> &'static Path {
    static LOCAL: OnceLock<PathBuf> = OnceLock::new();
    LOCAL.get_or_init(|| {
        build(&["--bin", "local"]);
        profile_folder().join("local")
    })
}

/// Builds `local` as it is shipped, and gives the program.
///
/// # Errors
/// It does not build.
pub fn shipped_local() -> anyhow::Result<PathBuf> {
    println!("building the release binary of `local` (minutes, the first time) ...");
    let output = cargo()
        .args(["build", "--release", "-p", "local"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(workspace())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be run")?;
    anyhow::ensure!(output.status.success(), "`local` does not build");
    // Cargo says where the binary is: the target folder may be anywhere.
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .find(|path| path.file_stem() == Some(OsStr::new("local")))
        .context("cargo named no binary of `local`")
}

/// Builds all programs of the workspace.
pub fn all() {
    build(&["--bins"]);
}

/// The cargo that runs the tests, without what it has told them about their own package: some build scripts
/// look at that, and would build their crates anew.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    #[expect(
        clippy::disallowed_methods,
        reason = "these are cargo's variables, not settings"
    )]
    let names = std::env::vars_os().map(|(name, _)| name);
    let about_us = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
    ];
    for name in names {
        let text = name.to_string_lossy();
        if about_us.iter().any(|prefix| text.starts_with(prefix)) {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn build(what: &[&str]) {
    let profile = match profile_folder().file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev".to_owned(),
        Some(name) => name.to_owned(),
    };
    // The whole workspace, so that the dependencies have the features they were built with for the tests.
    let status = cargo()
        .args(["build", "--quiet", "--workspace"])
        .args(what)
        .args(["--profile", &profile])
        .arg("--target-dir")
        .arg(profile_folder().join(".."))
        .current_dir(workspace())
        .status()
        .unwrap();
    assert!(status.success(), "cargo could not build {what:?}");
}

/// `target/debug`, or what stands in its place: this program runs there, or in `deps/` there when it is a test.
fn profile_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap();
    match folder.ends_with("deps") {
        true => folder.parent().unwrap().to_owned(),
        false => folder.to_owned(),
    }
}
