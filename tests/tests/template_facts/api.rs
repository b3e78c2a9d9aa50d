//! The API in front of the webhook.

use serde_json::{Value, json};
use tests::template::Template;

use crate::{Faults, holds, is_seen};

/// The outer wall against floods. What customers may write is the worker's affair, which drops nothing (I9).
fn the_api_is_throttled(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let mut apis = 0;
    for (id, api) in template.resources_of("AWS::Serverless::HttpApi") {
        apis += 1;
        let settings = &api["Properties"]["DefaultRouteSettings"];
        for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
            match template.number_range(&settings[limit]) {
                Some((least, _)) if least > 0 => {}
                _ => faults.push(format!("{id}: {limit} is not a number above 0")),
            }
        }
    }
    if apis == 0 {
        faults.push("there is no API".to_owned());
    }
    faults
}

#[test]
fn the_api_has_an_outer_wall() {
    holds(the_api_is_throttled);
}

#[test]
fn an_api_without_a_wall_is_seen() {
    let settings = "/Resources/Api/Properties/DefaultRouteSettings";
    for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
        let place = format!("{settings}/{limit}");
        for value in [Value::Null, json!(0), json!("many")] {
            is_seen(the_api_is_throttled, &place, value, limit);
        }
    }
    let without_apis = |template: &Template| {
        let mut template = template.clone();
        for api in ["Api", "InboxApi"] {
            template.document["Resources"][api] = Value::Null;
        }
        the_api_is_throttled(&template)
    };
    assert!(
        without_apis(&crate::project_template())
            .iter()
            .any(|fault| fault.contains("no API"))
    );
}
