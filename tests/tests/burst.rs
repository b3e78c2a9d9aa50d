//! One burst in, one answer out.

use std::time::Duration;

use clivy::conversation::message::Author;
use clivy::conversation::outcome::TurnStatus;
use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::outside::{Model, last_user};
use tests::world::TestWorld;

const RINA: &str = "6281100020001";
const BUDI: &str = "6281100020002";

async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn three_bubbles_are_asked_once_answered_once_and_kept_in_order() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for (n, text) in ["Halo", "Saya mau", "pesan produk"].iter().enumerate() {
        let body = bubble("demo", RINA, &format!("B{n}"), n as i64, text);
        let (status, answer) = world.post(&body).await;
        assert_eq!(status, 200);
        assert_eq!(
            answer,
            json!({"status": "queued", "message_id": format!("B{n}")})
        );
        sleep_ms(900).await;
    }
    world.settle().await;

    assert_eq!(world.outside.questions(), ["Halo\nSaya mau\npesan produk"]);
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0].phone, RINA);
    assert_eq!(sends[0].text, "Jawaban atas: Halo\nSaya mau\npesan produk");
    let id = world.id("demo", RINA);
    assert_eq!(sends[0].id, id.reply_id(1).as_str());

    let history = world.history("demo", RINA).await;
    let texts: Vec<_> = history
        .iter()
        .map(|m| (m.author, m.content.text.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            (Author::Customer, "Halo"),
            (Author::Customer, "Saya mau"),
            (Author::Customer, "pesan produk"),
            (Author::Bot, "Jawaban atas: Halo\nSaya mau\npesan produk"),
        ]
    );
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(turn.status, TurnStatus::Answered);
    assert_eq!(turn.keys.len(), 3);
    assert_eq!((turn.tokens_in, turn.tokens_out), (120, 30));
    assert!((turn.cost_usd - 0.000_25).abs() < 1e-12);
    assert_eq!(turn.llm_latency_ms, 800);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_reply_comes_after_the_silence_and_not_later_than_it_must() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep_ms(2_000).await;
    world.post(&bubble("demo", RINA, "B", 2, "ada?")).await;
    world.settle().await;
    let at = world.outside.sends()[0].at;
    // 2 s until the second bubble, 3 s of silence, 0.8 s of the model (I6).
    assert!(at >= Duration::from_millis(5_800), "{at:?}");
    assert!(at < Duration::from_millis(6_100), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_steady_typist_is_answered_after_the_maximum_wait() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for n in 0..20 {
        let body = bubble(
            "demo",
            RINA,
            &format!("B{n:02}"),
            n * 2,
            &format!("kata {n}"),
        );
        world.post(&body).await;
        sleep_ms(2_000).await;
    }
    world.settle().await;
    let sends = world.outside.sends();
    // W = 15 s, D = 3 s: the first reply leaves between 15 and 19 s, although nobody ever paused.
    assert!(sends[0].at >= Duration::from_secs(15), "{:?}", sends[0].at);
    assert!(sends[0].at <= Duration::from_secs(19), "{:?}", sends[0].at);
    // Every bubble is in exactly one question (I2).
    let asked = world.outside.questions().join("\n");
    for n in 0..20 {
        let word = format!("kata {n}");
        assert_eq!(
            asked.lines().filter(|line| *line == word).count(),
            1,
            "{word}"
        );
    }
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_fifty_waits_for_nobody() {
    let world = TestWorld::with(&[bot("demo")], &[("DEBOUNCE_MAX_MESSAGES", "5")]).await;
    world.start();
    for n in 0..12 {
        let body = bubble("demo", RINA, &format!("B{n:02}"), n, &format!("kata {n}"));
        world.post(&body).await;
        sleep_ms(1_000).await;
    }
    world.settle().await;
    assert!(world.outside.sends()[0].at < Duration::from_secs(9));
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_arrives_during_the_reply_gets_its_own_reply() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does([Model::Slow(
        Duration::from_secs(20),
        Box::new(Model::Says("Jawaban pertama".to_owned())),
    )]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep_ms(6_000).await;
    assert_eq!(world.outside.asked().len(), 1, "the model is being asked");
    world
        .post(&bubble("demo", RINA, "B", 6, "masih buka?"))
        .await;
    world.settle().await;

    assert_eq!(world.outside.questions(), ["Halo", "masih buka?"]);
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 2);
    assert_eq!(sends[0].text, "Jawaban pertama");
    assert_ne!(sends[0].id, sends[1].id);
    // The second question was asked right after the first reply: its silence had passed long ago.
    assert!(
        sends[1].at - sends[0].at < Duration::from_secs(3),
        "{sends:?}"
    );
    // And it knew the first answer.
    let second = &world.outside.asked()[1];
    let roles: Vec<_> = second["messages"]
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|m| (m["role"].as_str().unwrap(), m["content"].as_str().unwrap()))
        .collect();
    assert_eq!(
        roles,
        [
            ("user", "Halo"),
            ("assistant", "Jawaban pertama"),
            ("user", "masih buka?")
        ]
    );
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_bubble_that_arrives_just_before_the_reply_still_gets_its_silence() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does([Model::Slow(
        Duration::from_secs(5),
        Box::new(Model::Says("Jawaban pertama".to_owned())),
    )]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep_ms(7_500).await;
    world.post(&bubble("demo", RINA, "B", 7, "satu lagi")).await;
    world.settle().await;
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 2);
    assert!(
        sends[1].at >= Duration::from_millis(7_500 + 3_000 + 800),
        "I6: {sends:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn two_contacts_share_nothing() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for round in 0..2 {
        for (phone, text) in [(RINA, "saya Rina"), (BUDI, "saya Budi")] {
            let body = bubble("demo", phone, &format!("{phone}-{round}"), round * 30, text);
            world.post(&body).await;
        }
        world.settle().await;
    }
    for body in world.outside.asked() {
        let whole = body["messages"].to_string();
        assert!(
            !(whole.contains("Rina") && whole.contains("Budi")),
            "I12: {whole}"
        );
    }
    assert_eq!(world.outside.sends().len(), 4);
    for send in world.outside.sends() {
        let name = if send.phone == RINA { "Rina" } else { "Budi" };
        assert!(send.text.contains(name));
    }
}

#[tokio::test(start_paused = true)]
async fn one_contact_of_two_bots_has_two_conversations() {
    let world = TestWorld::new(&[bot("kopi"), bot("teh")]).await;
    world.start();
    for round in 0..2 {
        for name in ["kopi", "teh"] {
            let body = bubble(
                name,
                RINA,
                &format!("SAME-{round}"),
                round * 30,
                &format!("mau {name}"),
            );
            assert_eq!(world.post(&body).await.1["status"], "queued");
        }
        world.settle().await;
    }
    assert_eq!(world.outside.sends().len(), 4);
    for body in world.outside.asked() {
        let whole = body["messages"].to_string();
        assert!(
            !(whole.contains("mau kopi") && whole.contains("mau teh")),
            "I12: {whole}"
        );
        assert!(!(whole.contains("melayani kopi") && whole.contains("mau teh")));
    }
    assert_eq!(world.history("kopi", RINA).await.len(), 4);
    let users: Vec<_> = world
        .outside
        .asked()
        .iter()
        .map(|b| b["user"].clone())
        .collect();
    assert_ne!(
        users[0], users[1],
        "the provider cannot tell that it is one person"
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_webhook_five_times_at_once_is_one_message_and_one_reply() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let body = bubble("demo", RINA, "TWIN", 0, "Halo");
    let posts = (0..5).map(|_| world.post(&body));
    let answers = futures_util::future::join_all(posts).await;
    let count = |word: &str| answers.iter().filter(|(_, a)| a["status"] == word).count();
    assert!(
        answers.iter().all(|(status, _)| *status == 200),
        "{answers:?}"
    );
    assert_eq!((count("queued"), count("duplicate")), (1, 4), "{answers:?}");
    world.settle().await;
    assert_eq!(world.outside.questions(), ["Halo"]);
    assert_eq!(world.outside.sends().len(), 1);
    assert_eq!(world.history("demo", RINA).await.len(), 2);
    // Much later the gateway sends it once more.
    sleep_ms(600_000).await;
    assert_eq!(world.post(&body).await.1["status"], "duplicate");
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_time_is_one_message_however_often_it_comes() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let body = json!({"event": "Message", "instanceName": "demo", "data": {
        "Info": {"ID": "msg123", "Sender": format!("{RINA}@s.whatsapp.net")},
        "Message": {"extendedTextMessage": {"text": "Halo"}}}});
    assert_eq!(world.post(&body).await.1["status"], "queued");
    sleep_ms(40).await;
    assert_eq!(world.post(&body).await.1["status"], "duplicate");
    world.settle().await;
    assert_eq!(world.post(&body).await.1["status"], "duplicate");
    world.settle().await;
    assert_eq!(world.outside.questions(), ["Halo"]);
    assert_eq!(world.outside.sends().len(), 1);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn one_record_delivered_twice_at_once_is_one_reply() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    // Two workers get the same body at the same moment, as a standard queue may deliver it.
    let body = world.world.engines.sqs.peek(local::world::QUEUE)[0]
        .body
        .clone();
    sleep_ms(3_100).await;
    for _ in 0..3 {
        let send = json!({"QueueUrl": world.world.engines.sqs.queue_url(local::world::QUEUE), "MessageBody": body});
        let answer = world
            .world
            .engines
            .sqs
            .call("SendMessage", send.to_string().as_bytes())
            .await;
        assert_eq!(answer.status, 200);
    }
    world.start();
    world.settle().await;
    assert_eq!(world.outside.asked().len(), 1);
    assert_eq!(world.outside.sends().len(), 1);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn five_hundred_bubbles_of_fifty_contacts_are_fifty_replies() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let mut posts = Vec::new();
    for contact in 0..50 {
        for n in 0..10 {
            let phone = format!("62811{contact:06}");
            let body = bubble(
                "demo",
                &phone,
                &format!("{contact}-{n}"),
                n,
                &format!("{contact}/{n}."),
            );
            let world = &world;
            posts.push(async move {
                sleep_ms(n as u64 * 200).await;
                world.post(&body).await
            });
        }
    }
    let answers = futures_util::future::join_all(posts).await;
    assert!(
        answers
            .iter()
            .all(|(status, a)| *status == 200 && a["status"] == "queued")
    );
    world.settle().await;

    let asked = world.outside.questions().join("\n");
    for contact in 0..50 {
        for n in 0..10 {
            let line = format!("{contact}/{n}.");
            assert_eq!(asked.lines().filter(|l| *l == line).count(), 1, "{line}");
        }
    }
    assert_eq!(world.outside.sends().len(), 50, "one burst each");
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_message_of_an_old_time_is_answered_not_dropped() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world
        .post(&bubble("demo", RINA, "NEW", 3_000, "baru"))
        .await;
    world.settle().await;
    // A gateway's backlog: older than everything that has been answered.
    world.post(&bubble("demo", RINA, "OLD", 10, "lama")).await;
    world.settle().await;
    assert_eq!(world.outside.questions(), ["baru", "lama"]);
    let history = world.history("demo", RINA).await;
    assert_eq!(
        history[0].content.text, "lama",
        "in order of the platform's time"
    );
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_reaches_beyond_the_newest_messages_is_read_whole() {
    let world = TestWorld::new(&[bot("demo")]).await;
    for n in 0..45 {
        let body = bubble("demo", RINA, &format!("B{n:02}"), n, &format!("kata {n}"));
        world.post(&body).await;
    }
    world.start();
    world.settle().await;
    let question = last_user(&world.outside.asked()[0]);
    assert_eq!(question.lines().count(), 45);
    assert!(question.starts_with("kata 0\nkata 1\n"));
    assert_eq!(world.outside.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn typing_and_read_ticks_frame_the_reply_and_never_hold_it_up() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    let others = world.outside.others();
    let states: Vec<_> = others
        .iter()
        .filter(|(path, _)| path == "/chat/presence")
        .map(|(_, body)| body["State"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["composing", "paused"]);
    let read = others
        .iter()
        .find(|(path, _)| path == "/chat/markread")
        .unwrap();
    assert_eq!(read.1["Id"], json!(["A"]));
    let usual = world.outside.sends()[0].at;

    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.best_effort_hangs();
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    assert_eq!(world.outside.sends()[0].at, usual);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn usage_is_counted_once_per_reply() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for n in 0..3 {
        world
            .post(&bubble("demo", RINA, &format!("B{n}"), n * 60, "Halo"))
            .await;
        world.settle().await;
    }
    let items = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
    let usage: Vec<_> = items["Items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["pk"]["S"] == "U#demo#202511")
        .collect();
    let total = |name: &str| {
        usage
            .iter()
            .map(|item| item[name]["N"].as_str().unwrap().parse::<f64>().unwrap())
            .sum::<f64>()
    };
    assert_eq!(total("turns"), 3.0);
    assert_eq!(total("answered"), 3.0);
    assert_eq!(total("messages"), 3.0);
    assert_eq!(total("llm_calls"), 3.0);
    assert_eq!(total("tokens_in"), 360.0);
    assert_eq!(total("tokens_cached"), 192.0);
    assert!((total("cost_usd") - 0.000_75).abs() < 1e-12);
}
