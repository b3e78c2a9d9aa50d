//! The settings of the functions in a run: the environment's, and what the run itself knows better.

use std::collections::BTreeMap;

use crate::data::{Data, random_key};
use crate::run::MODEL_PATH;

/// What a run's functions are set to.
pub struct Settings {
    /// Every setting, by name.
    pub values: BTreeMap<String, String>,
    /// Whether the demo model answers.
    pub has_demo_model: bool,
    /// The `ADMIN_SECRET` among them.
    pub admin_secret: String,
}

/// The inbox's `ADMIN_SECRET`: the environment's, or a new one.
fn admin_secret(settings: &mut BTreeMap<String, String>) -> anyhow::Result<String> {
    const NAME: &str = "ADMIN_SECRET";
    if let Some(given) = settings.get(NAME).map(|given| given.trim())
        && !given.is_empty()
    {
        return Ok(given.to_owned());
    }
    let secret = random_key()?;
    settings.insert(NAME.to_owned(), secret.clone());
    Ok(secret)
}

/// The settings of a run, made of the process's environment.
///
/// # Errors
/// A secret of the run cannot be read or made.
pub fn of_run(
    mut settings: BTreeMap<String, String>,
    base_url: &str,
    data: &Data,
) -> anyhow::Result<Settings> {
    // Where the engines are is this run's own affair.
    for name in ["TABLE_NAME", "QUEUE_URL", "DLQ_URL", "ALERT_TOPIC_ARN"] {
        settings.remove(name);
    }
    if !settings.contains_key("PSEUDONYM_KEY") {
        settings.insert("PSEUDONYM_KEY".to_owned(), data.pseudonym_key()?);
    }
    let given = |settings: &BTreeMap<String, String>, name: &str| {
        settings
            .get(name)
            .is_some_and(|value| !value.trim().is_empty())
    };
    if !given(&settings, "BOT_CACHE_SECONDS") {
        // Whoever edits a bot here wants to see what it changes.
        settings.insert("BOT_CACHE_SECONDS".to_owned(), "1".to_owned());
    }
    let has_key = given(&settings, "OPENROUTER_API_KEY");
    let demo = !has_key && !given(&settings, "OPENROUTER_BASE_URL");
    if demo {
        settings.insert(
            "OPENROUTER_BASE_URL".to_owned(),
            format!("{base_url}{MODEL_PATH}"),
        );
    }
    if !has_key {
        // A model at an address of one's own may want none; the setting must be there all the same.
        settings.insert("OPENROUTER_API_KEY".to_owned(), "demo".to_owned());
    }
    let admin_secret = admin_secret(&mut settings)?;
    Ok(Settings {
        values: settings,
        has_demo_model: demo,
        admin_secret,
    })
}
