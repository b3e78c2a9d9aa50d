//! SSM's parameters in this process, as far as the functions use them: `GetParameters`, in its wire format. They are put past
//! the wire, as an operator's command would. Everything else is refused rather than ignored.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::engines::Reply;
use crate::sqs::{ACCOUNT_ID, REGION};

/// Names that one request may hold.
const MAX_NAMES: usize = 10;

/// The service. Clones share it.
#[derive(Clone, Default)]
pub struct Ssm {
    inner: Arc<Mutex<BTreeMap<String, Parameter>>>,
}

struct Parameter {
    value: String,
    version: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetParameters {
    names: Vec<String>,
    #[serde(default)]
    with_decryption: bool,
}

/// The ARN of the parameter of this name, which begins with a slash.
#[must_use]
pub fn parameter_arn(name: &str) -> String {
    format!("arn:aws:ssm:{REGION}:{ACCOUNT_ID}:parameter{name}")
}

impl Ssm {
    /// Puts a `SecureString`, over the one that is there.
    pub fn put(&self, name: &str, value: &str) {
        let mut parameters = self.lock();
        let version = parameters.get(name).map_or(1, |old| old.version + 1);
        let parameter = Parameter {
            value: value.to_owned(),
            version,
        };
        parameters.insert(name.to_owned(), parameter);
    }

    /// Deletes a parameter.
    pub fn delete(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Answers one request.
    #[must_use]
    pub fn call(&self, operation: &str, body: &[u8]) -> Reply {
        if operation != "GetParameters" {
            return refused("UnknownOperationException", "not known here");
        }
        match serde_json::from_slice::<GetParameters>(body) {
            Ok(request) => self.get_parameters(&request),
            Err(error) => refused("SerializationException", &error.to_string()),
        }
    }

    fn get_parameters(&self, request: &GetParameters) -> Reply {
        let names = &request.names;
        let is_twice = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
        if !(1..=MAX_NAMES).contains(&names.len()) || names.iter().any(is_twice) {
            return refused("ValidationException", "1 to 10 names, each once");
        }
        let parameters = self.lock();
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            let Some(parameter) = parameters.get(name) else {
                invalid.push(name);
                continue;
            };
            // What is asked for without decryption is its ciphertext.
            let value = match request.with_decryption {
                true => parameter.value.as_str(),
                false => "AQICAHhlbmNyeXB0ZWQ=",
            };
            found.push(json!({
                "Name": name, "Type": "SecureString", "Value": value, "Version": parameter.version,
                "LastModifiedDate": 1_763_604_905.123, "ARN": parameter_arn(name), "DataType": "text",
            }));
        }
        let answer = json!({"Parameters": found, "InvalidParameters": invalid});
        reply(200, &answer)
    }

    /// A panic under the lock leaves whole parameters.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Parameter>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(code: &str, message: &str) -> Reply {
    reply(400, &json!({"__type": code, "message": message}))
}

/// SSM speaks version 1.1 of the protocol.
fn reply(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        headers: vec![("content-type", "application/x-amz-json-1.1".to_owned())],
        body: body.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(ssm: &Ssm, request: &Value) -> (u16, Value) {
        let reply = ssm.call("GetParameters", request.to_string().as_bytes());
        (reply.status, serde_json::from_slice(&reply.body).unwrap())
    }

    #[test]
    fn parameters_come_back_by_name_and_those_that_are_not_there_are_listed() {
        let ssm = Ssm::default();
        ssm.put("/clivy/prod/A", "old");
        ssm.put("/clivy/prod/A", "new");
        let names = json!(["/clivy/prod/A", "/clivy/prod/B"]);
        let (status, answer) = ask(&ssm, &json!({"Names": names, "WithDecryption": true}));
        assert_eq!(status, 200);
        let found = &answer["Parameters"][0];
        assert_eq!(
            (&found["Value"], &found["Version"]),
            (&json!("new"), &json!(2))
        );
        assert_eq!(answer["InvalidParameters"], json!(["/clivy/prod/B"]));
        let (_, sealed) = ask(&ssm, &json!({"Names": ["/clivy/prod/A"]}));
        assert_ne!(sealed["Parameters"][0]["Value"], "new");
        ssm.delete("/clivy/prod/A");
        let (_, answer) = ask(&ssm, &json!({"Names": ["/clivy/prod/A"]}));
        assert_eq!(answer["Parameters"], json!([]));
    }

    #[test]
    fn what_ssm_refuses_is_refused() {
        let ssm = Ssm::default();
        let many: Vec<String> = (0..11).map(|n| format!("/{n}")).collect();
        for names in [json!([]), json!(["/a", "/a"]), json!(many)] {
            let (status, answer) = ask(&ssm, &json!({"Names": names}));
            assert_eq!(
                (status, &answer["__type"]),
                (400, &json!("ValidationException"))
            );
        }
        assert_eq!(ssm.call("DeleteParameter", b"{}").status, 400);
        assert_eq!(ask(&ssm, &json!({"names": []})).0, 400);
    }
}
