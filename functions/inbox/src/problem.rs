//! Errors as RFC 9457 problem details. Their texts quote nothing that the caller has sent (I11).

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use clivy::error::Class;
use clivy::queue::QueueError;
use clivy::table::TableError;
use serde::Serialize;
use utoipa::ToSchema;

/// A problem, as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Which problem it is: `/problems/` and a word. The same word always means the same.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    #[schema(value_type = u16)]
    #[serde(serialize_with = "as_number")]
    pub status: StatusCode,
    /// What the problem is, for people.
    pub title: &'static str,
    /// What is wrong in this case, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &'static str) -> Self {
        Self {
            kind: format!("/problems/{kind}"),
            status,
            title,
            detail: None,
        }
    }

    /// The same, saying what is wrong in this case.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// 400: the request is not understood.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "The request is not understood",
        )
        .detail(detail)
    }

    /// 401: no key, or none that is valid.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "A valid API key is needed",
        )
    }

    /// 403: the key's role may not do this.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "This is not allowed").detail(detail)
    }

    /// 404: it does not exist, or is somebody else's: nobody learns which (I12).
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such thing here",
        )
    }

    /// 405: it is there, but cannot be asked this way. The `Allow` header says how.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "It cannot be asked this way",
        )
    }

    /// 500: a mistake of ours.
    #[must_use]
    pub fn broken() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "broken",
            "Something is wrong with us",
        )
    }

    /// 409: it is not in a state in which this can be done.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "conflict",
            "This cannot be done as things stand",
        )
        .detail(detail)
    }

    /// 412: it has changed since the caller has read it.
    #[must_use]
    pub fn changed() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "changed",
            "It has changed since you have read it",
        )
    }

    /// 422: understood, but not valid.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "A value is not valid",
        )
        .detail(detail)
    }

    /// 502: somebody else has refused, or has not answered.
    #[must_use]
    pub fn upstream(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "upstream",
            "Somebody else's service has failed",
        )
        .detail(detail)
    }

    /// 503: our own trouble; the same request may work in a moment.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "This does not work right now",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"clivy\""),
            );
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

impl From<TableError> for Problem {
    /// Logs it once, here where it is handled.
    fn from(error: TableError) -> Self {
        match error.class() {
            Class::Permanent => tracing::error!(step = "trouble", %error, "a request failed"),
            _ => tracing::warn!(step = "trouble", %error, "a request failed"),
        }
        Self::unavailable()
    }
}

impl From<QueueError> for Problem {
    /// Logs it once, here where it is handled.
    fn from(error: QueueError) -> Self {
        tracing::error!(step = "trouble", %error, "a request failed");
        Self::unavailable()
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            // serde says where and what is missing, and quotes at most an unknown field's name or a wrong value.
            JsonRejection::JsonDataError(_) => {
                Self::invalid("the JSON has not the fields that are documented")
            }
            JsonRejection::JsonSyntaxError(_) => Self::bad_request("the body is not JSON"),
            JsonRejection::MissingJsonContentType(_) => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "The body must be application/json",
            ),
            other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The body is too large",
            ),
            _ => Self::bad_request("the body could not be read"),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(_: QueryRejection) -> Self {
        Self::bad_request("a query parameter is not valid")
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::not_found()
    }
}
