//! `cargo run -p local -- key …`, while a run is up and while none is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use clivy::http::Http;
use http::Request;
use tests::process::build;
use tests::process::folder::Folder;
use tests::process::one_machine::{OneMachine, Wish};
use tests::process::{PATIENCE, wire};

const MAKE: [&str; 7] = [
    "create", "--owner", "toko", "--role", "owner", "--name", "laptop",
];

/// Runs the command on a data folder.
fn key(data: &Path, args: &[&str]) -> Output {
    let at = ["--data", data.to_str().unwrap()];
    let mut command = Command::new(build::local());
    // With this, errors would bring their backtrace along.
    command.env_clear().env("RUST_BACKTRACE", "1");
    command.arg("key").args(args).args(at).output().unwrap()
}

/// What it prints when it works.
fn prints(data: &Path, args: &[&str]) -> String {
    let output = key(data, args);
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {says}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says when it does not: in one line.
fn refused(data: &Path, args: &[&str]) -> String {
    let output = key(data, args);
    let says = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {says}");
    assert_eq!(says.lines().count(), 1, "{says}");
    assert!(output.stdout.is_empty());
    says
}

fn made(data: &Path) -> String {
    let printed = prints(data, &MAKE);
    let key = printed.trim_end().to_owned();
    assert_eq!((key.len(), printed.lines().count()), (70, 1), "{printed}");
    key
}

/// The status of the inbox's answer to who holds `key`.
async fn session(run: &OneMachine, key: &str) -> u16 {
    let greeting = run.process.output();
    let line = greeting
        .lines()
        .find(|line| line.trim().starts_with("inbox"))
        .unwrap();
    let inbox = line.split_whitespace().nth(1).unwrap();
    let request = Request::get(format!("{inbox}api/session"))
        .header("authorization", format!("Bearer {key}"))
        .body(bytes::Bytes::new())
        .unwrap();
    let answer = wire::client().send(request, PATIENCE).await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_whether_a_run_is_up_or_not() {
    let data = Folder::new();
    let wish = Wish::demo(data.path());
    let mut run = wish.start().await;
    let during = made(data.path());
    assert_eq!(session(&run, &during).await, 200);
    run.process.signal("TERM");
    assert!(run.process.ended().await.success());

    let between = made(data.path());
    let run = wish.start().await;
    assert_eq!(session(&run, &between).await, 200);
    assert_eq!(session(&run, &during).await, 200, "it outlives the run");
    let listed = prints(data.path(), &["list", "--owner", "toko"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(!listed.contains("clivy_"), "{listed}");
    let newest = listed.split_whitespace().next().unwrap();
    prints(data.path(), &["revoke", "--owner", "toko", "--id", newest]);
    assert_eq!(session(&run, &between).await, 401);
    assert_eq!(session(&run, &during).await, 200);
    let listed = prints(data.path(), &["list", "--owner", "toko"]);
    assert!(
        listed.lines().next().unwrap().contains("revoked"),
        "{listed}"
    );
}

#[tokio::test]
async fn how_to_reach_a_run_is_told_to_its_user_alone_and_only_while_it_is_up() {
    let data = Folder::new();
    let told = data.path().join("run.json");
    let wish = Wish::demo(data.path());
    let mut run = wish.start().await;
    let mode = std::fs::metadata(&told).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = std::fs::read_to_string(&told).unwrap();
    run.process.signal("INT");
    assert!(run.process.ended().await.success());
    assert!(!told.exists());
    // A run that was killed leaves it behind. It leads nobody astray: the folder's lock went with the run.
    let run = wish.start().await;
    assert_ne!(
        std::fs::read_to_string(&told).unwrap(),
        secret,
        "new at every start"
    );
    run.process.kill_nine();
    assert!(told.exists());
    made(data.path());
    assert!(!told.exists());
}

#[tokio::test]
async fn a_run_with_an_admin_secret_of_ones_own_is_reached_too() {
    let data = Folder::new();
    let secret = "an-admin-secret-that-is-for-tests";
    let wish = Wish::demo(data.path()).set("ADMIN_SECRET", secret);
    let run = wish.start().await;
    assert_eq!(session(&run, &made(data.path())).await, 200);
    assert!(!run.process.output().contains(secret), "I11");
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let data = Folder::new();
    made(data.path());
    let nothing = refused(data.path(), &["revoke", "--owner", "toko", "--id", "0"]);
    assert!(nothing.contains("no such key"), "{nothing}");
    let missing = data.path().join("none");
    let says = refused(&missing, &["list", "--owner", "toko"]);
    assert!(says.contains("none") && says.contains("--data"), "{says}");
    assert!(!missing.exists(), "asking makes no folder");
    for bad in [
        ["--role", "boss"],
        ["--name", ""],
        ["--owner", " "],
        ["--days", "0"],
        ["--days", "x"],
    ] {
        let defaults = [["--owner", "toko"], ["--role", "owner"], ["--name", "x"]];
        let others = defaults.iter().filter(|pair| pair[0] != bad[0]);
        let args: Vec<&str> = ["create"]
            .into_iter()
            .chain(others.chain([&bad]).flatten().copied())
            .collect();
        let output = key(data.path(), &args);
        assert_eq!(output.status.code(), Some(2), "{bad:?}");
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(says.contains(bad[0]), "{bad:?}: {says}");
    }
}
