//! `template.yaml` as plain JSON values, and what tests ask of it.
//!
//! The short forms of CloudFormation's functions are rewritten to the long ones (`!Ref X` to
//! `{"Ref": "X"}`, `!GetAtt A.B` to `{"Fn::GetAtt": ["A", "B"]}`), so that a check has one form to look for.

#![expect(
    clippy::indexing_slicing,
    reason = "serde_json's index answers null for what is absent"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Number, Value, json};

/// A parsed template. Its document is public so that a test can spoil it and see a check fail.
#[derive(Debug, Clone)]
pub struct Template {
    pub document: Value,
}

/// The checkout's root.
#[must_use]
pub fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Template {
    /// Reads the project's `template.yaml`.
    ///
    /// # Errors
    /// When the file is missing, is not YAML, or uses a tag that is not a CloudFormation function.
    pub fn load() -> Result<Self> {
        let path = project_root().join("template.yaml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::parse(&text)
    }

    /// Parses a template's text.
    ///
    /// # Errors
    /// When it is not YAML, or uses a tag that is not a CloudFormation function.
    pub fn parse(text: &str) -> Result<Self> {
        let mut yaml: yaml_serde::Value = yaml_serde::from_str(text)?;
        yaml.apply_merge()?;
        Ok(Self {
            document: plain(yaml)?,
        })
    }

    /// The named section's entries, in name order; nothing when the section is absent.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.document
            .get(name)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), value))
    }

    /// The resources of one type, with their logical ids.
    pub fn resources_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.section("Resources")
            .filter(move |(_, resource)| resource["Type"] == kind)
    }

    /// One resource's `Properties`, or null.
    #[must_use]
    pub fn properties(&self, id: &str) -> &Value {
        &self.document["Resources"][id]["Properties"]
    }

    /// A function's property, its own or the one that `Globals` gives to all.
    #[must_use]
    pub fn function_property<'a>(&'a self, function: &'a Value, name: &str) -> &'a Value {
        match &function["Properties"][name] {
            Value::Null => &self.document["Globals"]["Function"][name],
            own => own,
        }
    }

    /// The environment of a function: `Globals` first, its own variables over them.
    #[must_use]
    pub fn environment(&self, function: &Value) -> BTreeMap<String, Value> {
        let globals = &self.document["Globals"]["Function"];
        [globals, &function["Properties"]]
            .into_iter()
            .filter_map(|source| source["Environment"]["Variables"].as_object())
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The least and the greatest number that a value may be in a deployment: itself for a literal, `MinValue` and
    /// `MaxValue` of the parameter for a `Ref`. `None` when it is no number or the parameter has no bounds.
    #[must_use]
    pub fn number_range(&self, value: &Value) -> Option<(i64, i64)> {
        if let Some(number) = value.as_i64() {
            return Some((number, number));
        }
        let parameter = &self.document["Parameters"][value["Ref"].as_str()?];
        Some((
            parameter["MinValue"].as_i64()?,
            parameter["MaxValue"].as_i64()?,
        ))
    }

    /// The function whose environment, policy or source an event names: logical id and resource by `Binary`.
    #[must_use]
    pub fn function_of_binary(&self, binary: &str) -> Option<(&str, &Value)> {
        self.resources_of("AWS::Serverless::Function")
            .find(|(_, function)| function["Metadata"]["BuildProperties"]["Binary"] == binary)
    }
}

/// A policy's statement; of one that a condition may leave out, what it says when it is there.
#[must_use]
pub fn statement(value: &Value) -> &Value {
    match &value["Fn::If"][1] {
        Value::Null => value,
        inner => inner,
    }
}

/// The table of `template.yaml` in the wire format of DynamoDB's `CreateTable`, named by its logical id (the template
/// lets AWS choose the real name).
///
/// # Errors
/// When the template cannot be read or holds anything but one table.
pub fn table_definition() -> Result<Value> {
    table_definition_of(&Template::load()?)
}

/// [`table_definition`] of a template at hand.
///
/// # Errors
/// When it holds anything but one table.
pub fn table_definition_of(template: &Template) -> Result<Value> {
    let tables: Vec<_> = template.resources_of("AWS::DynamoDB::Table").collect();
    let [(id, table)] = tables.as_slice() else {
        bail!("{} tables in the template, expected one", tables.len());
    };
    let mut definition = Map::new();
    definition.insert("TableName".to_owned(), json!(id));
    for name in [
        "AttributeDefinitions",
        "KeySchema",
        "GlobalSecondaryIndexes",
        "BillingMode",
    ] {
        let value = table["Properties"]
            .get(name)
            .with_context(|| format!("the table has no {name}"))?;
        definition.insert(name.to_owned(), value.clone());
    }
    Ok(Value::Object(definition))
}

fn plain(value: yaml_serde::Value) -> Result<Value> {
    Ok(match value {
        yaml_serde::Value::Null => Value::Null,
        yaml_serde::Value::Bool(flag) => Value::Bool(flag),
        yaml_serde::Value::Number(number) => Value::Number(plain_number(&number)?),
        yaml_serde::Value::String(text) => Value::String(text),
        yaml_serde::Value::Sequence(items) => {
            Value::Array(items.into_iter().map(plain).collect::<Result<_>>()?)
        }
        yaml_serde::Value::Mapping(entries) => {
            let mut object = Map::new();
            for (key, entry) in entries {
                let key = key
                    .as_str()
                    .context("a key that is not a string")?
                    .to_owned();
                object.insert(key, plain(entry)?);
            }
            Value::Object(object)
        }
        yaml_serde::Value::Tagged(tagged) => {
            long_form(&tagged.tag.to_string(), plain(tagged.value)?)?
        }
    })
}

fn plain_number(number: &yaml_serde::Number) -> Result<Number> {
    match number.as_i64() {
        Some(whole) => Ok(whole.into()),
        None => number
            .as_f64()
            .and_then(Number::from_f64)
            .context("a number that JSON cannot hold"),
    }
}

/// `!Name value` as CloudFormation's long form.
fn long_form(tag: &str, value: Value) -> Result<Value> {
    match tag.trim_start_matches('!') {
        name @ ("Ref" | "Condition") => Ok(json!({ name: value })),
        "GetAtt" => match value {
            Value::String(path) => {
                let (resource, attribute) =
                    path.split_once('.').context("a !GetAtt without a dot")?;
                Ok(json!({ "Fn::GetAtt": [resource, attribute] }))
            }
            list => Ok(json!({ "Fn::GetAtt": list })),
        },
        name @ ("Sub" | "If" | "Not" | "Equals" | "And" | "Or" | "Join" | "Select"
        | "FindInMap") => Ok(json!({ (format!("Fn::{name}")): value })),
        other => bail!("unknown tag !{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_long_forms() {
        let template =
            Template::parse("a: !Ref X\nb: !GetAtt Y.Arn\nc: !Sub 'p-${Z}'\nd: !If [C, !Ref X, 2]")
                .unwrap();
        assert_eq!(
            template.document,
            json!({
                "a": {"Ref": "X"}, "b": {"Fn::GetAtt": ["Y", "Arn"]}, "c": {"Fn::Sub": "p-${Z}"},
                "d": {"Fn::If": ["C", {"Ref": "X"}, 2]},
            })
        );
    }

    #[test]
    fn an_unknown_tag_is_an_error() {
        assert!(Template::parse("a: !Reff X").is_err());
    }

    #[test]
    fn the_table_definition_is_what_create_table_takes() {
        let table = table_definition().unwrap();
        assert_eq!(table["TableName"], "Table");
        assert_eq!(
            table["KeySchema"][0],
            json!({"AttributeName": "pk", "KeyType": "HASH"})
        );
        assert_eq!(
            table["GlobalSecondaryIndexes"].as_array().map(Vec::len),
            Some(2)
        );
        // Every key attribute is declared once, and nothing else: CreateTable refuses both faults.
        let mut keys: Vec<&str> = std::iter::once(&table)
            .chain(table["GlobalSecondaryIndexes"].as_array().unwrap())
            .flat_map(|keyed| keyed["KeySchema"].as_array().unwrap())
            .map(|key| key["AttributeName"].as_str().unwrap())
            .collect();
        let mut declared: Vec<&str> = table["AttributeDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attribute| attribute["AttributeName"].as_str().unwrap())
            .collect();
        keys.sort_unstable();
        declared.sort_unstable();
        assert_eq!(keys, declared);
    }

    #[test]
    fn two_tables_are_an_error() {
        let mut template = Template::load().unwrap();
        template.document["Resources"]["Second"] = template.document["Resources"]["Table"].clone();
        assert!(table_definition_of(&template).is_err());
    }
}
