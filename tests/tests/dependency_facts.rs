//! What the code is made of: the functions' dependency trees, the direction of dependencies, sizes of files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::template::project_root;

const FUNCTIONS: [&str; 5] = ["webhook", "worker", "sweeper", "credits", "smoke"];

/// A crate and the beginning of the versions that are meant; an empty one means all.
type Banned = (&'static str, &'static str);

/// Second TLS stacks, old HTTP stacks, a regex engine: each costs start-up time of a cold function or size of its archive.
const NOT_IN_FUNCTIONS: [Banned; 8] = [
    ("aws-lc-sys", ""),
    ("aws-lc-rs", ""),
    ("native-tls", ""),
    ("openssl-sys", ""),
    ("rustls", "0.21."),
    ("hyper", "0.14."),
    ("regex-automata", ""),
    // Only the one-machine run has an engine and a web server of its own.
    ("dynoxide-rs", ""),
];
const NOT_IN_SHARED: [Banned; 4] = [
    ("dynoxide-rs", ""),
    ("axum", ""),
    ("lambda_runtime", ""),
    ("lambda_http", ""),
];

/// What `cargo tree` says with these arguments, a line a crate (another target's crates may not be here, and nothing is fetched).
fn tree(args: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none"])
        .args(args)
        .current_dir(project_root())
        .output()
        .unwrap_or_else(|error| panic!("cargo tree: {error}"));
    assert!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8_lossy(&output.stdout);
    // A crate that was shown before has a mark.
    let lines = said.lines().map(|line| line.trim_end_matches(" (*)"));
    lines.map(str::to_owned).collect()
}

/// `name version` of every crate that `package` links.
fn dependencies(package: &str) -> BTreeSet<(String, String)> {
    let args = ["--edges", "normal", "--format", "{p}", "--package", package];
    let named = |line: &String| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?);
        Some((name.to_owned(), version.trim_start_matches('v').to_owned()))
    };
    tree(&args).iter().filter_map(named).collect()
}

fn found(tree: &BTreeSet<(String, String)>, banned: &[Banned]) -> Vec<String> {
    tree.iter()
        .filter(|(name, version)| {
            banned
                .iter()
                .any(|(other, begin)| name == other && version.starts_with(begin))
        })
        .map(|(name, version)| format!("{name} {version}"))
        .collect()
}

#[test]
fn functions_link_one_tls_stack_and_one_http_stack() {
    for function in FUNCTIONS {
        let tree = dependencies(function);
        assert_eq!(
            found(&tree, &NOT_IN_FUNCTIONS),
            Vec::<String>::new(),
            "{function}"
        );
        // The tree was read: what must be there is.
        assert!(
            tree.iter().any(|(name, _)| name == "ring"),
            "{function} has no TLS at all"
        );
        assert!(
            tree.iter()
                .any(|(name, version)| name == "hyper" && version.starts_with("1.")),
            "{function}"
        );
    }
}

#[test]
fn functions_and_the_shared_library_do_not_know_the_one_machine_run() {
    for function in FUNCTIONS {
        assert_eq!(
            found(
                &dependencies(function),
                &[("axum", ""), ("local", ""), ("tests", "")]
            ),
            Vec::<String>::new()
        );
    }
    assert_eq!(
        found(&dependencies("clivy"), &NOT_IN_SHARED),
        Vec::<String>::new()
    );
}

#[test]
fn what_the_tests_have_built_is_what_the_one_machine_run_is_made_of() {
    let with_features = |args: &[&str]| tree(&[args, &["--format", "{p} {f}"]].concat());
    let tests = with_features(&["--workspace", "--edges", "normal,build,dev"]);
    for run in ["--package=local", "--workspace"] {
        let local = with_features(&[run, "--edges", "normal,build"]);
        let built_anew: Vec<_> = local.difference(&tests).collect();
        assert!(built_anew.is_empty(), "{run}: {built_anew:#?}");
    }
    assert!(
        tests
            .iter()
            .any(|line| line.starts_with("tokio v") && line.contains("test-util"))
    );
}

#[test]
fn a_crate_that_is_not_wanted_would_be_found() {
    // The one-machine run does have the engine and the web server.
    let local = dependencies("local");
    assert_eq!(
        found(&local, &NOT_IN_SHARED).len(),
        4,
        "{:?}",
        found(&local, &NOT_IN_SHARED)
    );
    let tree = BTreeSet::from([
        ("rustls".to_owned(), "0.21.12".to_owned()),
        ("rustls".to_owned(), "0.23.1".to_owned()),
    ]);
    assert_eq!(found(&tree, &NOT_IN_FUNCTIONS), ["rustls 0.21.12"]);
}

/// The Rust files under a folder of the project, without build output.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pure folders: rules without async, AWS types, HTTP or a clock. Each exists, so a check of them is not of nothing.
const PURE: [&str; 3] = [
    "shared/src/conversation",
    "shared/src/credits",
    "shared/src/prompt",
];

/// What a pure file may not name, where it names it outside of comments.
fn impure_lines(source: &str) -> Vec<&str> {
    const IMPURE: [&str; 9] = [
        "aws_",
        "tokio::",
        "http::",
        "reqwest::",
        "async fn",
        ".await",
        "SystemTime",
        "Instant::now",
        "std::env",
    ];
    source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .filter(|line| IMPURE.iter().any(|word| line.contains(word)))
        .collect()
}

/// Whether the file holds nothing but tests.
fn is_of_tests(file: &Path) -> bool {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    stem == "tests" || stem.ends_with("_tests")
}

/// What is deployed of a file: everything before its tests.
fn shipped(source: &str) -> &str {
    source
        .split_once("#[cfg(test)]")
        .map_or(source, |(shipped, _)| shipped)
}

#[test]
fn pure_modules_name_nothing_impure() {
    for folder in PURE {
        let files = rust_files(&project_root().join(folder));
        assert!(!files.is_empty(), "{folder} has no files");
        for file in files.iter().filter(|file| !is_of_tests(file)) {
            let source = text(file);
            let impure = impure_lines(shipped(&source));
            assert_eq!(impure, Vec::<&str>::new(), "{}", file.display());
        }
    }
}

#[test]
fn an_impure_line_is_seen() {
    let source = "// aws_sdk_sqs is not named here\nuse crate::http::HttpClient;\nuse aws_sdk_sqs::Client;\nlet a = 1;";
    assert_eq!(
        impure_lines(source),
        ["use crate::http::HttpClient;", "use aws_sdk_sqs::Client;"]
    );
    assert_eq!(
        impure_lines("    pub async fn f() {}"),
        ["    pub async fn f() {}"]
    );
}

#[test]
fn a_main_of_a_function_only_wires() {
    for function in FUNCTIONS {
        let lines = text(
            &project_root()
                .join("functions")
                .join(function)
                .join("src/main.rs"),
        )
        .lines()
        .count();
        assert!(
            lines <= 40,
            "functions/{function}/src/main.rs has {lines} lines"
        );
    }
}

/// Longest file without its tests, and with them; longer ones are listed here with the reason of their length.
const MOST_LINES: usize = 400;
const MOST_LINES_WITH_TESTS: usize = 500;
const LONGER: [(&str, &str); 1] = [(
    "tests/tests/mapping.rs",
    "one rule of the event source mapping after another, on the same few helpers",
)];

/// `name` is the file's path in the project.
fn is_long(name: &Path) -> bool {
    let source = text(&project_root().join(name));
    let all = source.lines().count();
    let of_tests = is_of_tests(name) || name.starts_with("tests");
    all > MOST_LINES_WITH_TESTS || (!of_tests && shipped(&source).lines().count() > MOST_LINES)
}

#[test]
fn files_are_short_enough_to_read() {
    let root = project_root();
    let mut long = Vec::new();
    for folder in ["shared", "functions", "local", "tests"] {
        for file in rust_files(&root.join(folder)) {
            let name = file.strip_prefix(&root).unwrap_or(&file);
            let listed = LONGER.iter().any(|(listed, _)| name == Path::new(listed));
            if !listed && is_long(name) {
                long.push(format!(
                    "{}: {} lines",
                    name.display(),
                    text(&file).lines().count()
                ));
            }
        }
    }
    assert_eq!(long, Vec::<String>::new(), "too long");
}

#[test]
fn a_list_of_long_files_names_only_long_files() {
    for (name, _) in LONGER {
        assert!(
            is_long(Path::new(name)),
            "{name} is short: take it off the list"
        );
    }
}

#[test]
fn the_release_profile_unwinds() {
    let manifest: toml::Table = text(&project_root().join("Cargo.toml")).parse().unwrap();
    // Without it cargo-lambda aborts on a panic, and one bad record ends the whole batch (I10).
    assert_eq!(
        manifest["profile"]["release"]["panic"].as_str(),
        Some("unwind")
    );
}
