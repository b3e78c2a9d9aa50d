//! A start that cannot succeed stops at once and says why, naming what must be changed.

use tests::bubbles::bubble;
use tests::process::eventually;
use tests::process::folder::Folder;
use tests::process::one_machine::Wish;
use tests::process::wire::Served;

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_disturbs_nobody() {
    let (data, served) = (Folder::new(), Served::start().await);
    let wish = Wish::scripted(data.path(), &served);
    let first = wish.start().await;
    let halo = bubble("demo", "6281100020001", "A", 0, "Halo");
    first.accepts(&halo).await;
    let says = wish.refused().await;
    let folder = data.path().to_str().unwrap();
    assert!(says.contains("another run uses the data folder"), "{says}");
    assert!(says.contains(folder) && says.contains("--data"), "{says}");
    eventually("the answer", || served.outside.delivered().pop()).await;
    first.until_nothing_is_owed().await;
}

#[tokio::test]
async fn every_bad_setting_is_named_at_once_and_no_value_is_shown() {
    let data = Folder::new();
    let bad = [
        ("DEBOUNCE_SECONDS", "hunter2"),
        ("AI_TIMEOUT_MS", "-1"),
        ("SWEEPER_GRACE_SECONDS", "99999"),
        ("OPENROUTER_BASE_URL", "hunter2"),
        ("PSEUDONYM_KEY", "hunter2"),
        ("LOG_LEVEL", "hunter2"),
    ];
    let wish = Wish::demo(data.path());
    let wish = bad
        .iter()
        .fold(wish, |wish, (name, value)| wish.set(name, value));
    let says = wish.refused().await;
    for (name, _) in bad {
        assert_eq!(says.matches(name).count(), 1, "{name} in {says}");
    }
    assert!(!says.contains("hunter2"), "{says}");
}

#[tokio::test]
async fn a_bad_bots_file_stops_the_start_and_says_what_is_wrong_where() {
    const GATEWAY: &str = "[bot.gateway]\nkind = \"wuzapi\"\nurl = \"demo\"\ntoken = \"t\"\n";
    let good = format!("[[bot]]\nid = \"a\"\nowner = \"o\"\n{GATEWAY}");
    let files = [
        ("not TOML", "[[bot", "line 1"),
        ("no bot", "", "no [[bot]]"),
        ("no owner", &good.replace("owner = \"o\"\n", ""), "owner"),
        ("a typing error", &good.replace("owner", "ownr"), "line 3"),
        (
            "another gateway",
            &good.replace("wuzapi", "telegram"),
            "line 5",
        ),
        ("twins", &good.repeat(2), "the same id"),
        (
            "an empty secret",
            &format!("{good}secret_path = \" \"\n"),
            "secret_path",
        ),
    ];
    let data = Folder::new();
    for (what, text, named) in files {
        let file = data.write("bots.toml", text);
        let file = file.to_str().unwrap();
        let says = Wish::demo(data.path())
            .arg("--bots")
            .arg(file)
            .refused()
            .await;
        assert!(says.contains(file), "{what}: {says}");
        assert!(says.contains(named), "{what}: {says}");
    }
    let missing = data.path().join("none.toml");
    let missing = missing.to_str().unwrap();
    let says = Wish::demo(data.path())
        .arg("--bots")
        .arg(missing)
        .refused()
        .await;
    assert!(says.contains(missing), "{says}");
}

#[tokio::test]
async fn an_address_that_is_taken_stops_the_start_and_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = Folder::new();
    let says = Wish::default()
        .arg("--listen")
        .arg(&address)
        .arg("--data")
        .arg(data.path().to_str().unwrap())
        .refused()
        .await;
    assert!(says.contains(&address), "{says}");
    assert!(says.contains("cannot be listened on"), "{says}");
}
