//! 10,000 conversations and 100,000 messages of one bot: a page of the list and a page of a thread stay one Query each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::collections::BTreeSet;

use clivy::access::Role;
use serde_json::{Value, json};
use tests::api::Api;
use tests::bubbles::bot;
use tests::faults::{ROLE, Role as Function};
use tests::grown::{self, contact};
use tests::world::{START, TestWorld};

const CONVERSATIONS: i64 = 10_000;
/// Messages of each conversation but the large one.
const MESSAGES: i64 = 9;
/// Messages of the large one, which makes 100,000.
const MESSAGES_OF_LARGE: i64 = 100_000 - (CONVERSATIONS - 1) * MESSAGES;
/// One in so many has failed.
const FAILED: i64 = 500;

fn head(n: i64) -> Value {
    // Ten conversations of each moment: places of the index that differ in nothing but the conversation.
    let at = START.plus_ms(-(n / 10) * 1_000);
    let mut head = grown::head("demo", &contact(n), &format!("Pelanggan {n}"), at);
    head["unread"] = json!({"N": (n % 2).to_string()});
    if n % FAILED == 0 {
        head["failed_turn"] = json!({"N": "3"});
    }
    head
}

async fn grown() -> TestWorld {
    let world = TestWorld::new(&[bot("demo"), bot("other")]).await;
    let items = (0..CONVERSATIONS).flat_map(|n| {
        let messages = if n == 0 { MESSAGES_OF_LARGE } else { MESSAGES };
        let messages = (0..messages).map(move |number| {
            grown::message("demo", &contact(n), number, START.plus_ms(-number * 1_000))
        });
        messages.chain([head(n)])
    });
    assert_eq!(grown::import(&world, items), 110_000);
    world
}

/// A page, and what it cost: exactly one Query, and the reads of the key and of the ownership.
async fn page(world: &TestWorld, api: &Api<'_>, path: &str) -> (Vec<Value>, Option<String>) {
    let before = world.faults.effects(Function::Inbox).len();
    let reply = ROLE.scope(Function::Inbox, api.get(path)).await.expect(200);
    let calls = world.faults.effects(Function::Inbox).split_off(before);
    assert_eq!(
        calls,
        ["GetItem", "GetItem", "Query"].map(|call| format!("DynamoDB_20120810.{call}")),
        "{path}"
    );
    (
        reply["items"].as_array().unwrap().clone(),
        reply["next"].as_str().map(str::to_owned),
    )
}

/// All pages of a list, walked by cursor; how many pages there were, too.
async fn walk(world: &TestWorld, api: &Api<'_>, path: &str) -> (Vec<Value>, usize) {
    let (mut all, mut next) = page(world, api, path).await;
    let mut pages = 1;
    while let Some(cursor) = next {
        let more;
        (more, next) = page(world, api, &format!("{path}&cursor={cursor}")).await;
        all.extend(more);
        pages += 1;
        assert!(pages <= 10_000, "it goes on for ever");
    }
    (all, pages)
}

fn each_once(items: &[Value], name: &str) -> usize {
    let names: BTreeSet<_> = items.iter().map(|item| item[name].to_string()).collect();
    assert_eq!(names.len(), items.len(), "each once");
    names.len()
}

fn is_newest_first(items: &[Value], time: &str) -> bool {
    items
        .windows(2)
        .all(|pair| pair[0][time].as_str() >= pair[1][time].as_str())
}

#[tokio::test(start_paused = true)]
async fn every_page_of_a_large_inbox_is_one_query() {
    let world = grown().await;
    let api = world.api(Role::Viewer).await;
    let list = "/api/bots/demo/conversations";

    let (first, next) = page(&world, &api, list).await;
    assert_eq!(first.len(), 30);
    let (second, _) = page(&world, &api, &format!("{list}?cursor={}", next.unwrap())).await;
    assert_eq!(second.len(), 30);
    let (all, pages) = walk(&world, &api, &format!("{list}?limit=100")).await;
    assert_eq!(each_once(&all, "contact"), 10_000);
    assert!(is_newest_first(&all, "active_at"));
    assert!((100..=101).contains(&pages), "{pages} pages");
    assert_eq!(all[..30], first[..]);
    assert_eq!(all[30..60], second[..]);

    // Many match: a page is cut, and the next one begins behind what was shown.
    let wanted: Vec<_> = all.iter().filter(|item| item["unread"] == 1).collect();
    assert_eq!(wanted.len(), 5_000);
    let unread = format!("{list}?filter=unread&limit=100");
    let (first_unread, next) = page(&world, &api, &unread).await;
    let after = format!("{unread}&cursor={}", next.unwrap());
    let (second_unread, next) = page(&world, &api, &after).await;
    assert!(next.is_some());
    let shown: Vec<_> = first_unread.iter().chain(&second_unread).collect();
    assert_eq!(shown, wanted[..200]);
    // Few match: a page looks at 1,000 and no more.
    let (failed, pages) = walk(&world, &api, &format!("{list}?filter=failed&limit=100")).await;
    assert_eq!(each_once(&failed, "contact"), 20);
    assert!((10..=11).contains(&pages), "{pages} pages");
    let (found, _) = walk(&world, &api, &format!("{list}?q=0811000777")).await;
    assert_eq!(each_once(&found, "contact"), 10);

    let large = format!("{list}/{}/messages", contact(0));
    let (first, _) = page(&world, &api, &large).await;
    assert_eq!(first.len(), 50);
    let (all, _) = walk(&world, &api, &format!("{large}?limit=100")).await;
    let count = usize::try_from(MESSAGES_OF_LARGE).unwrap();
    assert_eq!(each_once(&all, "id"), count);
    assert!(is_newest_first(&all, "at"));

    refuses_cursors_of_other_lists(&world, &api, list, &large).await;
}

async fn refuses_cursors_of_other_lists(
    world: &TestWorld,
    api: &Api<'_>,
    list: &str,
    thread: &str,
) {
    let (_, of_list) = page(world, api, &format!("{list}?limit=1")).await;
    let (_, of_unread) = page(world, api, &format!("{list}?limit=1&filter=unread")).await;
    let (_, of_search) = page(world, api, &format!("{list}?limit=1&q=pelanggan")).await;
    let (_, of_thread) = page(world, api, &format!("{thread}?limit=1")).await;
    let [of_list, of_unread, of_search, of_thread] =
        [of_list, of_unread, of_search, of_thread].map(Option::unwrap);
    let other = format!("{list}/{}/messages", contact(1));
    for (path, cursor) in [
        (format!("{list}?filter=failed"), &of_unread),
        (format!("{list}?filter=unread"), &of_list),
        (format!("{list}?limit=30"), &of_unread),
        (format!("{list}?q=pelangga"), &of_search),
        (format!("{list}?q=pelanggan&filter=unread"), &of_search),
        (format!("{list}?limit=30"), &of_thread),
        (format!("{thread}?limit=30"), &of_list),
        (format!("{other}?limit=30"), &of_thread),
        (
            "/api/bots/other/conversations?limit=30".to_owned(),
            &of_list,
        ),
    ] {
        let reply = api.get(&format!("{path}&cursor={cursor}")).await;
        assert_eq!(reply.status.as_u16(), 400, "{path}");
    }
}
