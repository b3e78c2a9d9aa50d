//! The credits function's settings.

use clivy::config::{self, Reader};
use clivy::llm::OpenRouterSettings;

/// Everything the credits function reads at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to reach OpenRouter.
    pub openrouter: OpenRouterSettings,
    /// The same with `OPENROUTER_MANAGEMENT_KEY`, where it is set.
    pub management: Option<OpenRouterSettings>,
    /// `LOG_LEVEL`.
    pub log_level: String,
}

impl Settings {
    /// Reads them, leaving the faults in the reader.
    pub fn from(reader: &mut Reader) -> Self {
        let openrouter = config::openrouter(reader);
        let management = reader.optional("OPENROUTER_MANAGEMENT_KEY");
        Self {
            management: management.map(|api_key| OpenRouterSettings {
                api_key,
                ..openrouter.clone()
            }),
            openrouter,
            log_level: config::log_level(reader),
        }
    }
}
