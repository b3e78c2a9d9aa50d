//! Writes the dashboard into `template.yaml` and `infra/dashboard.json`.

use anyhow::{Context, Result};
use tests::dashboard;
use tests::template::project_root;

fn main() -> Result<()> {
    let text = dashboard::text();
    let template = project_root().join("template.yaml");
    let old = std::fs::read_to_string(&template).context("template.yaml")?;
    let new = dashboard::in_template(&old, &text)?;
    std::fs::write(&template, new).context("template.yaml")?;
    std::fs::write(project_root().join("infra/dashboard.json"), text)
        .context("infra/dashboard.json")
}
