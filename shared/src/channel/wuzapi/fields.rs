//! Fields of a JSON object by name, without regard to the name's case.
//!
//! A field that is null counts as absent: Go writes absent pointers so.

use serde_json::{Map, Value};

use super::envelope::BadEnvelope;

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// The field called `name`; the exact spelling wins over another one.
pub(super) fn get<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object
        .get(name)
        .filter(|value| !value.is_null())
        .or_else(|| {
            object
                .iter()
                .find(|(key, value)| !value.is_null() && key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        })
}

/// The value at a dotted path of names.
pub(super) fn dig<'a>(object: &'a Object, path: &str) -> Option<&'a Value> {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let value = get(object, first)?;
    match rest {
        None => Some(value),
        Some(rest) => dig(value.as_object()?, rest),
    }
}

/// The string called by the last part of `path`; the whole path is for the error.
pub(super) fn text<'a>(
    object: &'a Object,
    path: &'static str,
) -> Result<Option<&'a str>, BadEnvelope> {
    typed(object, path, "a string", Value::as_str)
}

/// The object called by the last part of `path`.
pub(super) fn object<'a>(
    object: &'a Object,
    path: &'static str,
) -> Result<Option<&'a Object>, BadEnvelope> {
    typed(object, path, "an object", Value::as_object)
}

/// The boolean called by the last part of `path`; false when absent.
pub(super) fn flag(object: &Object, path: &'static str) -> Result<bool, BadEnvelope> {
    typed(object, path, "true or false", Value::as_bool).map(Option::unwrap_or_default)
}

fn typed<'a, T>(
    object: &'a Object,
    path: &'static str,
    expected: &'static str,
    as_type: impl Fn(&'a Value) -> Option<T>,
) -> Result<Option<T>, BadEnvelope> {
    let name = path.rsplit('.').next().unwrap_or(path);
    get(object, name)
        .map(|value| {
            as_type(value).ok_or(BadEnvelope::WrongType {
                field: path,
                expected,
            })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: &Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_exact_spelling_wins_over_another_case() {
        let both = object(&json!({"ID": "right", "Id": "wrong", "id": "wrong"}));
        assert_eq!(text(&both, "ID"), Ok(Some("right")));
        let folded = object(&json!({"iD": "found"}));
        assert_eq!(text(&folded, "Info.ID"), Ok(Some("found")));
        let null = object(&json!({"ID": null, "id": "found"}));
        assert_eq!(text(&null, "ID"), Ok(Some("found")));
    }

    #[test]
    fn null_is_absent_and_a_wrong_type_is_named() {
        let info = object(&json!({"Chat": null, "Sender": 5, "IsGroup": "true"}));
        assert_eq!(text(&info, "Info.Chat"), Ok(None));
        assert_eq!(flag(&info, "Info.IsFromMe"), Ok(false));
        assert!(flag(&info, "Info.IsGroup").is_err());
        let error = text(&info, "Info.Sender").unwrap_err();
        assert_eq!(error.to_string(), "Info.Sender must be a string");
    }

    #[test]
    fn a_path_is_followed_whatever_the_case_of_its_names() {
        let value = object(&json!({"Response": {"SelectedDisplayText": "Ya"}}));
        assert_eq!(
            dig(&value, "response.selectedDisplayText"),
            Some(&json!("Ya"))
        );
        assert_eq!(dig(&value, "response.missing.deeper"), None);
        assert_eq!(dig(&value, "response.selectedDisplayText.deeper"), None);
    }
}
