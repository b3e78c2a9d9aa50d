use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

fn both() -> Faults {
    Faults {
        model: Some(Switch::default()),
        gateway: Some(Switch::default()),
    }
}

async fn call(faults: &Faults, method: Method, path: &str, body: impl Into<Body>) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .body(body.into())
        .unwrap();
    let router = router(faults.clone(), json!({"attempts": 3}));
    let response = router.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

async fn post(faults: &Faults, body: &Value) -> (u16, Value) {
    call(faults, Method::POST, PATH, body.to_string()).await
}

fn wish(target: &str, fault: &str, calls: u32) -> Value {
    json!({"target": target, "fault": fault, "calls": calls})
}

#[test]
fn a_fault_is_met_as_often_as_it_was_armed_for_and_never_again() {
    let switch = Switch::default();
    assert!(switch.meet().is_none());
    switch.arm(ModelFault::ServerError, 3);
    let left: Vec<u32> = std::iter::from_fn(|| switch.meet())
        .map(|met| {
            assert_eq!(met.fault, ModelFault::ServerError);
            met.calls_left
        })
        .collect();
    assert_eq!(left, [2, 1, 0]);
    assert_eq!(switch.armed(), None);
}

#[test]
fn a_new_choice_takes_the_place_of_the_old_one() {
    let switch = Switch::default();
    switch.arm(ModelFault::ServerError, 9);
    switch.arm(ModelFault::EmptyAnswer, 1);
    assert_eq!(switch.meet().unwrap().fault, ModelFault::EmptyAnswer);
    assert!(switch.meet().is_none());
}

#[test]
fn many_calls_at_once_meet_a_fault_exactly_as_often_as_armed() {
    let switch = Switch::default();
    switch.arm(GatewayFault::Refused, 100);
    let met: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..50).filter(|_| switch.meet().is_some()).count()))
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(met, 100);
}

#[tokio::test]
async fn model_and_gateway_know_nothing_of_each_others_faults() {
    let faults = both();
    post(&faults, &wish("model", "server_error", 2)).await;
    let (_, state) = post(&faults, &wish("gateway", "answer_lost", 5)).await;
    assert_eq!(
        state["model"]["armed"],
        json!({"fault": "server_error", "calls_left": 2})
    );
    let gateway = faults.gateway.clone().unwrap();
    let met = gateway.meet().unwrap();
    assert_eq!((met.fault, met.calls_left), (GatewayFault::AnswerLost, 4));
    let (_, state) = call(&faults, Method::DELETE, "/demo/faults?target=gateway", "").await;
    assert_eq!(state["gateway"]["armed"], Value::Null);
    assert_eq!(state["model"]["armed"]["calls_left"], 2);
    let (_, state) = call(&faults, Method::DELETE, PATH, "").await;
    assert_eq!(state["model"]["armed"], Value::Null);
}

#[tokio::test]
async fn the_state_names_every_fault_that_can_be_armed() {
    let faults = both();
    let (status, state) = call(&faults, Method::GET, PATH, "").await;
    assert_eq!(status, 200);
    assert_eq!(state["most_calls"], 1_000);
    assert_eq!(state["pace"]["attempts"], 3);
    for target in ["model", "gateway"] {
        for fault in state["known"][target].as_array().unwrap() {
            assert!(!fault["label"].as_str().unwrap().is_empty());
            let name = fault["name"].as_str().unwrap();
            let (status, armed) = post(&faults, &wish(target, name, 1_000)).await;
            assert_eq!(status, 200, "{name}");
            assert_eq!(
                armed[target]["armed"],
                json!({"fault": name, "calls_left": 1_000})
            );
        }
    }
    assert_eq!(state["known"]["model"].as_array().unwrap().len(), 8);
    assert_eq!(state["known"]["gateway"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn bad_input_is_refused_with_a_reason_and_arms_nothing() {
    let faults = both();
    let fault = |fault: Value| json!({"target": "model", "fault": fault, "calls": 1});
    let calls = |calls: Value| json!({"target": "model", "fault": "timeout", "calls": calls});
    for (body, reason) in [
        (json!([]), "no JSON object"),
        (json!(null), "no JSON object"),
        (json!({}), "target is missing"),
        (
            json!({"target": 1, "fault": "timeout", "calls": 1}),
            "target is missing",
        ),
        (wish("database", "timeout", 1), "known are: model, gateway"),
        (json!({"target": "model", "calls": 1}), "fault is missing"),
        (fault(json!(["timeout"])), "fault is missing"),
        (
            fault(json!("answer_lost")),
            "rate_limited, server_error, overloaded, timeout, context_too_long, no_credits, invalid_key, empty_answer",
        ),
        (fault(json!("Timeout")), "unknown fault"),
        (wish("gateway", "timeout", 1), "answer_lost, refused"),
        (
            json!({"target": "model", "fault": "timeout"}),
            "from 1 to 1000",
        ),
        (calls(json!(0)), "from 1 to 1000"),
        (calls(json!(-1)), "from 1 to 1000"),
        (calls(json!(1_001)), "from 1 to 1000"),
        (calls(json!(4_294_967_297_u64)), "from 1 to 1000"),
        (calls(json!(1e300)), "from 1 to 1000"),
        (calls(json!(1.5)), "from 1 to 1000"),
        (calls(json!("3")), "from 1 to 1000"),
    ] {
        let (status, answer) = post(&faults, &body).await;
        assert_eq!(status, 400, "{body}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(reason), "{body}: {error}");
    }
    let (status, _) = call(&faults, Method::POST, PATH, "{\"target\":").await;
    assert_eq!(status, 400);
    let (status, _) = call(&faults, Method::DELETE, "/demo/faults?target=x", "").await;
    assert_eq!(status, 400);
    assert_eq!(faults.state(), both().state());
}

#[tokio::test]
async fn a_real_model_has_no_faults_on_demand_and_the_gateway_still_has() {
    let faults = Faults {
        model: None,
        ..both()
    };
    let (status, answer) = post(&faults, &wish("model", "timeout", 1)).await;
    assert_eq!(status, 409);
    assert!(answer["error"].as_str().unwrap().contains("a real one"));
    let (status, state) = post(&faults, &wish("gateway", "refused", 1)).await;
    assert_eq!(status, 200);
    assert_eq!(state["model"]["available"], false);
    assert_eq!(state["gateway"]["available"], true);
}

#[tokio::test]
async fn another_site_cannot_arm_a_fault_through_a_visitors_browser() {
    let faults = both();
    let request = Request::post(PATH).header(header::CONTENT_TYPE, "text/plain");
    let body = Body::from(wish("model", "timeout", 1).to_string());
    let router = router(faults.clone(), Value::Null);
    let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
    assert_eq!(response.status().as_u16(), 415);
    assert_eq!(faults.state(), both().state());
}

#[tokio::test(start_paused = true)]
async fn a_call_hangs_until_the_fault_is_cleared_or_its_client_leaves() {
    let switch = Switch::default();
    switch.arm(ModelFault::Timeout, 2);
    let faults = Faults {
        model: Some(switch.clone()),
        gateway: None,
    };
    let (stays, leaves) = (switch.meet().unwrap(), switch.meet().unwrap());
    let wait = Duration::from_secs(3_600);
    assert!(tokio::time::timeout(wait, leaves.hang()).await.is_err());
    assert_eq!(faults.state()["model"]["hanging"], 0, "it left");
    let hangs = async {
        tokio::time::sleep(wait).await;
        assert_eq!(faults.state()["model"]["hanging"], 1);
        faults.clear();
    };
    let (ended, ()) = tokio::join!(tokio::time::timeout(2 * wait, stays.hang()), hangs);
    assert!(ended.is_ok());
    assert_eq!(faults.state()["model"]["hanging"], 0);
}

#[tokio::test]
async fn a_clear_between_the_call_and_its_hanging_is_not_missed() {
    let switch = Switch::default();
    switch.arm(ModelFault::Timeout, 1);
    let met = switch.meet().unwrap();
    switch.clear();
    let ended = tokio::time::timeout(Duration::from_secs(5), met.hang()).await;
    assert!(ended.is_ok());
}
