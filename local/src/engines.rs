//! The AWS services in this process, behind their wire formats: `X-Amz-Target` and a JSON body in, a status and a JSON
//! body out; for SNS a form in and XML out. The SDK clients of the functions reach them without a socket ([`Wire`]); everybody else
//! by HTTP ([`Engines::router`]).

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use futures_util::future::BoxFuture;

use crate::sns::{self, Sns};
use crate::sqs::Sqs;
use crate::ssm::Ssm;
use crate::tokens::Tokens;

const DYNAMODB: &str = "DynamoDB_20120810.";
const SQS: &str = "AmazonSQS.";
const SSM: &str = "AmazonSSM.";
/// What calls of SNS are named by; on the wire its form names the action.
const SNS: &str = "AmazonSNS.";
const FORM: &str = "application/x-www-form-urlencoded";

/// DynamoDB, SQS, SNS and SSM.
#[derive(Clone)]
pub struct Engines {
    /// DynamoDB: dynoxide, embedded.
    pub dynamodb: Database,
    /// The tokens of its transactions.
    pub tokens: Tokens,
    /// SQS.
    pub sqs: Sqs,
    /// SNS.
    pub sns: Sns,
    /// SSM.
    pub ssm: Ssm,
}

/// One call of an AWS service.
#[derive(Clone)]
pub struct Call {
    /// `DynamoDB_20120810.UpdateItem`, `AmazonSQS.SendMessage`, `AmazonSNS.Publish` …
    pub target: String,
    /// The JSON body; of SNS the form.
    pub body: Bytes,
}

impl Call {
    /// A request as it lies on the wire. The services of the query protocol have no target: their form names the action.
    fn of_wire(target: Option<&str>, content_type: Option<&str>, body: Bytes) -> Self {
        let is_form = content_type.is_some_and(|kind| kind.starts_with(FORM));
        let target = match target {
            Some(target) => target.to_owned(),
            None if is_form => {
                let action = sns::form(&body).and_then(|mut form| form.remove("Action"));
                format!("{SNS}{}", action.unwrap_or_default())
            }
            None => String::new(),
        };
        Self { target, body }
    }
}

/// The answer to a call.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides the content type.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body; of SNS XML.
    pub body: Bytes,
}

impl Reply {
    /// An answer without further headers.
    #[must_use]
    pub fn json(status: u16, body: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }
}

/// Stands between a caller and the engines. Tests put faults here: it may fail a call, hold it up, or lose its
/// answer after the effect.
pub trait Intercept: Send + Sync {
    /// Answers `call`, asking `engines` or not.
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>>;
}

/// No answer came: the connection broke, before or after the effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// Lets every call through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Through;

impl Intercept for Through {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        Box::pin(async move { Ok(engines.call(&call).await) })
    }
}

impl Engines {
    /// Answers one call.
    pub async fn call(&self, call: &Call) -> Reply {
        if let Some(operation) = call.target.strip_prefix(DYNAMODB) {
            return match operation {
                "TransactWriteItems" => self
                    .tokens
                    .once(&call.body, |body| dynamodb(&self.dynamodb, operation, body)),
                _ => dynamodb(&self.dynamodb, operation, &call.body),
            };
        }
        if let Some(operation) = call.target.strip_prefix(SQS) {
            let answer = self.sqs.call(operation, &call.body).await;
            return Reply {
                status: answer.status,
                headers: answer.headers(),
                body: answer.body,
            };
        }
        if let Some(operation) = call.target.strip_prefix(SSM) {
            return self.ssm.call(operation, &call.body);
        }
        if call.target.starts_with(SNS) {
            return self.sns.call(&call.body);
        }
        Reply::json(
            400,
            r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#.to_owned(),
        )
    }

    /// An item of the table, by a request of GetItem; none when it does not exist.
    #[must_use]
    pub fn read_item(&self, request: &serde_json::Value) -> Option<serde_json::Value> {
        let reply = dynamodb(&self.dynamodb, "GetItem", request.to_string().as_bytes());
        let mut answer: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
        answer.get_mut("Item").map(serde_json::Value::take)
    }

    /// All services at `POST /`, for any AWS SDK.
    pub fn router(&self) -> Router {
        async fn post(
            State(engines): State<Engines>,
            headers: HeaderMap,
            body: Bytes,
        ) -> impl IntoResponse {
            let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
            let call = Call::of_wire(header("x-amz-target"), header("content-type"), body);
            let reply = engines.call(&call).await;
            let mut headers = HeaderMap::new();
            headers.insert("content-type", AMZ_JSON);
            for (name, value) in reply.headers {
                if let Ok(value) = value.parse() {
                    headers.insert(name, value);
                }
            }
            let status =
                StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, headers, reply.body)
        }
        Router::new()
            .route("/", axum::routing::post(post))
            .layer(axum::extract::DefaultBodyLimit::max(16 * 1024 * 1024))
            .with_state(self.clone())
    }
}

const AMZ_JSON: axum::http::HeaderValue =
    axum::http::HeaderValue::from_static("application/x-amz-json-1.0");

/// One DynamoDB operation on the embedded engine.
fn dynamodb(database: &Database, operation: &str, body: &[u8]) -> Reply {
    macro_rules! run {
        ($method:ident) => {
            answer(body, |request| database.$method(request))
        };
    }
    match operation {
        "CreateTable" => run!(create_table),
        "DeleteTable" => run!(delete_table),
        "DescribeTable" => run!(describe_table),
        "ListTables" => run!(list_tables),
        "UpdateTimeToLive" => run!(update_time_to_live),
        "DescribeTimeToLive" => run!(describe_time_to_live),
        "PutItem" => run!(put_item),
        "GetItem" => run!(get_item),
        "DeleteItem" => run!(delete_item),
        "UpdateItem" => run!(update_item),
        "Query" => run!(query),
        "Scan" => run!(scan),
        "BatchGetItem" => run!(batch_get_item),
        "BatchWriteItem" => run!(batch_write_item),
        "TransactWriteItems" => run!(transact_write_items),
        "TransactGetItems" => run!(transact_get_items),
        _ => Reply::json(
            400,
            r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#.to_owned(),
        ),
    }
}

fn answer<Q: serde::de::DeserializeOwned, R: serde::Serialize>(
    body: &[u8],
    run: impl FnOnce(Q) -> Result<R, DynoxideError>,
) -> Reply {
    let request = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => {
            let message = serde_json::json!({
                "__type": "com.amazon.coral.service#SerializationException",
                "message": error.to_string(),
            });
            return Reply::json(400, message.to_string());
        }
    };
    match run(request) {
        Ok(response) => match serde_json::to_string(&response) {
            Ok(json) => Reply::json(200, json),
            Err(_) => Reply::json(500, r#"{"__type":"InternalServerError"}"#.to_owned()),
        },
        Err(error) => Reply::json(error.status_code(), error.to_json()),
    }
}

/// The AWS SDK's HTTP client, without a network: requests go to the engines in this process.
#[derive(Clone)]
pub struct Wire {
    engines: Engines,
    intercept: Arc<dyn Intercept>,
}

impl Wire {
    /// A client of `engines`, through `intercept`.
    pub fn new(engines: Engines, intercept: Arc<dyn Intercept>) -> Self {
        Self { engines, intercept }
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let headers = request.headers();
        let call = Call::of_wire(
            headers.get("x-amz-target"),
            headers.get("content-type"),
            // These services' requests are in memory, never streams.
            Bytes::copy_from_slice(request.body().bytes().unwrap_or_default()),
        );
        let Self { engines, intercept } = self.clone();
        HttpConnectorFuture::new(async move {
            let reply = intercept
                .intercept(call, &engines)
                .await
                .map_err(|Lost| ConnectorError::io("the connection broke".into()))?;
            let status = reply
                .status
                .try_into()
                .map_err(|_| ConnectorError::user("no HTTP status".into()))?;
            let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
            response
                .headers_mut()
                .insert("content-type", "application/x-amz-json-1.0");
            for (name, value) in reply.headers {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        })
    }
}
