//! `GET`, `POST` and `DELETE /demo/faults`: what the fault panel asks and says. As open as everything else of the demo.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Fault, Faults, MOST_CALLS, Switch};

/// Where the API is.
pub const PATH: &str = "/demo/faults";

/// `GET` tells what can be armed and what is; `POST {target, fault, calls}` arms; `DELETE`, with `?target=` for one side
/// only, clears. All three answer with the state afterwards. `pace` is told along: how long things take, for the hints.
pub fn router(faults: Faults, pace: Value) -> Router {
    Router::new()
        .route(PATH, get(show).post(arm).delete(clear))
        .with_state(Panel { faults, pace })
}

#[derive(Clone)]
struct Panel {
    faults: Faults,
    pace: Value,
}

/// Why a call is refused: the status and a sentence.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

fn bad(error: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, error.into())
}

#[derive(Clone, Copy)]
enum Target {
    Model,
    Gateway,
}

impl Target {
    fn named(name: &str) -> Result<Self, Refused> {
        match name {
            "model" => Ok(Self::Model),
            "gateway" => Ok(Self::Gateway),
            _ => Err(bad("unknown target; known are: model, gateway")),
        }
    }
}

impl Panel {
    fn state(&self) -> Json<Value> {
        let mut state = self.faults.state();
        if let Some(state) = state.as_object_mut() {
            state.insert("most_calls".to_owned(), MOST_CALLS.into());
            state.insert("pace".to_owned(), self.pace.clone());
            state.insert("known".to_owned(), known());
        }
        Json(state)
    }
}

fn known() -> Value {
    fn of<F: Fault>() -> Vec<Value> {
        let named = |fault: &F| json!({"name": fault.name(), "label": fault.label()});
        F::ALL.iter().map(named).collect()
    }
    json!({"model": of::<super::ModelFault>(), "gateway": of::<super::GatewayFault>()})
}

async fn show(State(panel): State<Panel>) -> Json<Value> {
    panel.state()
}

async fn arm(
    State(panel): State<Panel>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    // A form or a "simple" request that another site makes in a visitor's browser cannot carry this type.
    if !is_json(&headers) {
        return Err(Refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content type must be application/json".to_owned(),
        ));
    }
    let wish: Map<String, Value> =
        serde_json::from_slice(&body).map_err(|_| bad("the body is no JSON object"))?;
    let text = |name: &str| {
        let value = wish.get(name).and_then(Value::as_str);
        value.ok_or_else(|| bad(format!("{name} is missing, or no text")))
    };
    let target = Target::named(text("target")?)?;
    let fault = text("fault")?;
    let calls = calls(wish.get("calls"))?;
    match target {
        Target::Model => arm_one(panel.faults.model.as_ref(), fault, calls, "model")?,
        Target::Gateway => arm_one(panel.faults.gateway.as_ref(), fault, calls, "gateway")?,
    }
    Ok(panel.state())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// How many calls: a whole number, however it is written (`3` and `3.0` are one number in JSON).
fn calls(value: Option<&Value>) -> Result<u32, Refused> {
    let number = value.and_then(Value::as_f64);
    let whole = |number: f64| (1..=MOST_CALLS).find(|calls| f64::from(*calls) == number);
    number.and_then(whole).ok_or_else(|| {
        bad(format!(
            "calls must be a whole number from 1 to {MOST_CALLS}"
        ))
    })
}

fn arm_one<F: Fault>(
    switch: Option<&Switch<F>>,
    fault: &str,
    calls: u32,
    target: &str,
) -> Result<(), Refused> {
    let Some(fault) = F::named(fault) else {
        let known: Vec<&str> = F::ALL.iter().map(|fault| fault.name()).collect();
        let known = known.join(", ");
        return Err(bad(format!(
            "unknown fault; those of the {target} are: {known}"
        )));
    };
    let switch = switch.ok_or_else(|| {
        Refused(
            StatusCode::CONFLICT,
            format!("the {target} of this run is a real one: it has no faults on demand"),
        )
    })?;
    switch.arm(fault, calls);
    Ok(())
}

#[derive(Deserialize)]
struct Which {
    target: Option<String>,
}

async fn clear(
    State(panel): State<Panel>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Refused> {
    match which.target.as_deref().map(Target::named).transpose()? {
        None => panel.faults.clear(),
        Some(Target::Model) => panel.faults.model.iter().for_each(Switch::clear),
        Some(Target::Gateway) => panel.faults.gateway.iter().for_each(Switch::clear),
    }
    Ok(panel.state())
}
