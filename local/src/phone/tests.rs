use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

const RINA: &str = "6281100020001";
const BUDI: &str = "6281100020002";

/// A webhook function that answers what it is told to, and remembers what it got.
struct Webhook {
    answers: Mutex<Vec<(u16, &'static str)>>,
    got: Mutex<Vec<(String, Value)>>,
}

impl Deliver for Webhook {
    fn deliver(&self, bot_id: &str, body: Value) -> BoxFuture<'_, (u16, String)> {
        self.got.lock().unwrap().push((bot_id.to_owned(), body));
        let (status, answer) = self.answers.lock().unwrap().remove(0);
        Box::pin(async move { (status, answer.to_owned()) })
    }
}

struct Bench {
    router: Router,
    gateway: Gateway,
    steps: Steps,
    webhook: Arc<Webhook>,
    waiting: Arc<Mutex<u64>>,
}

fn bench(answers: &[(u16, &'static str)]) -> Bench {
    let webhook = Arc::new(Webhook {
        answers: Mutex::new(answers.to_vec()),
        got: Mutex::default(),
    });
    let gateway = Gateway::new(vec!["token-a".to_owned(), "token-b".to_owned()]);
    let steps = Steps::new();
    let waiting = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&waiting);
    let router = router(PhoneState {
        steps: steps.clone(),
        gateway: gateway.clone(),
        bot_ids: vec!["demo".to_owned(), "other".to_owned()],
        bot_names: vec!["Kopi Sore".to_owned()],
        deliver: Arc::clone(&webhook) as Arc<dyn Deliver>,
        status: Arc::new(move |bot, contact| {
            let waiting = *seen.lock().unwrap();
            json!({"queue": {"delayed": waiting, "triggers": []}, "of": [bot, contact]})
        }),
        conversation_of: Arc::new(|bot, contact| format!("hash of {bot} {contact}")),
    });
    Bench {
        router,
        gateway,
        steps,
        webhook,
        waiting,
    }
}

impl Bench {
    async fn get(&self, path: &str) -> Response {
        self.router
            .clone()
            .oneshot(Request::get(path).body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    async fn write(&self, body: &Value) -> (u16, Value) {
        let request =
            Request::post("/phone/messages").header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes())
                .unwrap(),
        )
    }

    async fn events(&self, contact: &str) -> Events {
        let response = self
            .get(&format!("/phone/events?bot=demo&contact={contact}"))
            .await;
        assert_eq!(response.status(), StatusCode::OK);
        Events(response.into_body())
    }

    async fn gateway_call(&self, path: &str, body: &Value) {
        let request = Request::post(path)
            .header("token", "token-a")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.gateway.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}

struct Events(Body);

impl Events {
    /// The next event's name and data.
    async fn next(&mut self) -> (String, Value) {
        let frame = tokio::time::timeout(Duration::from_secs(5), self.0.frame());
        let bytes = frame
            .await
            .expect("an event")
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let data = serde_json::from_str(field("data").unwrap()).unwrap();
        (field("event").unwrap().to_owned(), data)
    }

    async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_secs(2), self.0.frame())
            .await
            .is_err()
    }
}

fn bubble(contact: &str, id: &str, text: &str) -> Value {
    json!({"bot": "demo", "contact": contact, "name": "Rina", "id": id, "text": text})
}

async fn text(response: Response) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

#[tokio::test]
async fn the_page_and_every_file_it_names_are_served_under_the_policy() {
    let bench = bench(&[]);
    let mut waiting = vec!["/".to_owned()];
    let mut served = Vec::new();
    while let Some(path) = waiting.pop() {
        let response = bench.get(&path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
        let text = text(response).await;
        let named = text
            .split(['"', '\''])
            .filter(|part| part.starts_with("/assets/") || part.starts_with("./"));
        let named: Vec<String> = named
            .map(|part| part.replacen("./", "/assets/", 1))
            .collect();
        served.push(path);
        waiting.extend(named.into_iter().filter(|path| !served.contains(path)));
        waiting.dedup();
    }
    for file in [
        "phone.css",
        "phone.js",
        "chat.js",
        "bursts.js",
        "faults.js",
        "faults.css",
        "icon.svg",
    ] {
        assert!(
            served.contains(&format!("/assets/{file}")),
            "{file}: {served:?}"
        );
    }
    assert_eq!(
        bench.get("/assets/none.js").await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        text(bench.get("/phone/setup").await).await,
        r#"{"bots":[{"id":"demo","name":"Kopi Sore"},{"id":"other","name":"other"}]}"#
    );
}

#[tokio::test]
async fn a_bubble_goes_to_the_webhook_as_wuzapi_would_post_it() {
    let bench = bench(&[(200, r#"{"status":"queued","message_id":"A1"}"#)]);
    let (status, answer) = bench
        .write(&bubble(&format!("+{RINA}"), "A1", "Halo"))
        .await;
    assert_eq!(status, 200);
    assert_eq!(answer["state"], "accepted");
    assert_eq!(answer["answer"]["status"], "queued");
    let got = bench.webhook.got.lock().unwrap().clone();
    let [(bot, body)] = got.as_slice() else {
        panic!("one webhook")
    };
    assert_eq!(bot, "demo");
    assert_eq!(body["event"]["Info"]["ID"], "A1");
    assert_eq!(
        body["event"]["Info"]["Chat"],
        format!("{RINA}@s.whatsapp.net")
    );
    assert_eq!(body["event"]["Message"]["conversation"], "Halo");
}

#[tokio::test]
async fn a_bubble_that_was_refused_can_be_sent_again_as_the_same_message() {
    let bench = bench(&[(503, ""), (200, "{}")]);
    let (_, failed) = bench.write(&bubble(RINA, "A1", "Halo")).await;
    assert_eq!(
        (failed["state"].as_str(), failed["status"].as_u64()),
        (Some("failed"), Some(503))
    );
    let (_, again) = bench.write(&bubble(RINA, "A1", "Halo")).await;
    assert_eq!(again["state"], "accepted");
    let got = bench.webhook.got.lock().unwrap().clone();
    assert_eq!(got[0], got[1], "the same body twice");
    let (status, _) = bench.write(&bubble(RINA, "A1", "Halo")).await;
    assert_eq!(status, 409, "it has arrived");
}

#[tokio::test]
async fn what_is_no_bubble_is_refused_before_the_webhook() {
    let bench = bench(&[]);
    for (body, status) in [
        (
            json!({"bot": "none", "contact": RINA, "name": "", "text": "Halo"}),
            404,
        ),
        (bubble("62#1", "A1", "Halo"), 400),
        (bubble("", "A1", "Halo"), 400),
        (bubble(RINA, "A1", " \n "), 400),
        (bubble(RINA, "A1", &"x".repeat(LONGEST_TEXT + 1)), 400),
        (bubble(RINA, "A\n1", "Halo"), 400),
    ] {
        assert_eq!(bench.write(&body).await.0, status, "{}", body["contact"]);
    }
    assert!(bench.webhook.got.lock().unwrap().is_empty());
    assert_eq!(
        bench.get("/phone/events?bot=none&contact=1").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn another_site_cannot_post_through_a_visitors_browser() {
    // A form or a "simple" request of another origin cannot carry this content type.
    let bench = bench(&[]);
    let request = Request::post("/phone/messages").header(header::CONTENT_TYPE, "text/plain");
    let request = request
        .body(Body::from(bubble(RINA, "A1", "Halo").to_string()))
        .unwrap();
    let response = bench.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_page_that_opens_late_sees_both_sides_in_order_and_what_was_read() {
    let bench = bench(&[(200, "{}")]);
    bench.write(&bubble(RINA, "A1", "Halo")).await;
    bench
        .gateway_call("/chat/markread", &json!({"Id": ["A1"], "Chat": RINA}))
        .await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    bench
        .gateway_call(
            "/chat/send/text",
            &json!({"Phone": RINA, "Body": "Halo Kak", "Id": "B1"}),
        )
        .await;
    let (name, snapshot) = bench.events(RINA).await.next().await;
    assert_eq!(name, "snapshot");
    let bubbles = snapshot["bubbles"].as_array().unwrap();
    let seen: Vec<_> = bubbles
        .iter()
        .map(|b| (b["from"].as_str(), b["text"].as_str(), b["state"].as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (Some("customer"), Some("Halo"), Some("read")),
            (Some("bot"), Some("Halo Kak"), Some("accepted")),
        ]
    );
    let (_, other) = bench.events(BUDI).await.next().await;
    assert_eq!(other["bubbles"], json!([]), "nothing of another customer");
}

#[tokio::test(start_paused = true)]
async fn a_page_sees_what_happens_in_its_own_conversation_and_nothing_else() {
    let bench = bench(&[(200, "{}")]);
    let mut rina = bench.events(RINA).await;
    let mut budi = bench.events(BUDI).await;
    for events in [&mut rina, &mut budi] {
        assert_eq!(events.next().await.0, "snapshot");
    }
    bench.write(&bubble(RINA, "A1", "Halo")).await;
    assert_eq!(rina.next().await.1["state"], "sending");
    assert_eq!(rina.next().await.1["state"], "accepted");
    tracing::subscriber::with_default(
        tracing_subscriber::registry().with(bench.steps.layer()),
        || {
            tracing::info!(
                step = "stored",
                conversation = format!("hash of demo {RINA}")
            );
            tracing::info!(
                step = "stored",
                conversation = format!("hash of other {RINA}")
            );
        },
    );
    assert_eq!(rina.next().await.1["step"], "stored");
    bench
        .gateway_call(
            "/chat/presence",
            &json!({"Phone": RINA, "State": "composing"}),
        )
        .await;
    assert_eq!(
        rina.next().await,
        ("presence".to_owned(), json!({"state": "composing"}))
    );
    bench
        .gateway_call("/chat/markread", &json!({"Id": ["A1"], "Chat": RINA}))
        .await;
    assert_eq!(
        rina.next().await,
        ("read".to_owned(), json!({"ids": ["A1"]}))
    );
    bench
        .gateway_call(
            "/chat/send/text",
            &json!({"Phone": RINA, "Body": "Halo Kak", "Id": "B1"}),
        )
        .await;
    let (name, answer) = rina.next().await;
    assert_eq!(
        (
            name.as_str(),
            answer["from"].as_str(),
            answer["id"].as_str()
        ),
        ("bubble", Some("bot"), Some("B1"))
    );
    assert!(rina.is_silent().await);
    assert!(budi.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn the_status_comes_when_it_changed_and_only_then() {
    let bench = bench(&[]);
    let mut events = bench.events(RINA).await;
    let status = events.next().await.1["status"].clone();
    assert_eq!(status["queue"]["delayed"], 0);
    assert_eq!(status["of"], json!(["demo", RINA]));
    assert!(events.is_silent().await);
    *bench.waiting.lock().unwrap() = 3;
    let (name, status) = events.next().await;
    assert_eq!(
        (name.as_str(), status["queue"]["delayed"].as_u64()),
        ("status", Some(3))
    );
    assert!(events.is_silent().await);
}
