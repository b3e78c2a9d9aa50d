//! The demo model's account: `GET /key` and `GET /credits`.

use std::sync::PoisonError;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Json;
use serde_json::{Value, json};

use super::refusals::{Refusal, invalid_key};
use super::{Model, authorize};
use crate::faults::ModelFault;

/// Pretend credits in USD.
const CREDITS: f64 = 10.0;

impl Model {
    fn used(&self) -> f64 {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the account has used, in USD, as it says so itself: the key and the balance that a call of the model finds are
    /// those that the account tells. Looking counts as no call.
    fn account(&self) -> Result<f64, Refusal> {
        match self.faults.armed() {
            Some((ModelFault::InvalidKey, _)) => Err(invalid_key()),
            Some((ModelFault::NoCredits, _)) => Ok(CREDITS.max(self.used())),
            _ => Ok(self.used()),
        }
    }

    pub(super) fn charge(&self, usd: f64) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) += usd;
    }
}

pub(super) async fn key(
    State(model): State<Model>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let used = model.account()?;
    Ok(Json(json!({"data": {
        "label": "model-demo",
        "limit": CREDITS,
        "limit_remaining": (CREDITS - used).max(0.0),
        "limit_reset": null,
        "usage": used,
        "usage_daily": used,
        "usage_weekly": used,
        "usage_monthly": used,
        "is_free_tier": false,
    }})))
}

pub(super) async fn credits(
    State(model): State<Model>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let used = model.account()?;
    Ok(Json(
        json!({"data": {"total_credits": CREDITS, "total_usage": used}}),
    ))
}
