//! Every alarm has its entry in the runbook, and every entry its alarm.

use std::collections::BTreeSet;

use tests::template::{Template, project_root};

use crate::alarms::alarms;
use crate::{Faults, project_template};

const RUNBOOK: &str = "docs/OPERATIONS.md";
const HEADING: &str = "### Alarm: ";

fn runbook() -> String {
    std::fs::read_to_string(project_root().join(RUNBOOK)).unwrap()
}

/// A heading's anchor, as it is made where the file is read: lower case, hyphens for spaces, nothing else.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The anchors of all headings.
fn anchors(runbook: &str) -> Vec<String> {
    let headings = runbook.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

/// An entry: its anchor, and its text up to the next heading.
fn entries(runbook: &str) -> Vec<(String, &str)> {
    let parts = runbook.split(HEADING).skip(1);
    parts
        .map(|part| {
            let (title, text) = part.split_once('\n').unwrap_or((part, ""));
            let end = text.find("\n#").unwrap_or(text.len());
            (
                anchor(&format!("Alarm: {title}")),
                text.get(..end).unwrap_or(text),
            )
        })
        .collect()
}

fn faults(template: &Template, runbook: &str) -> Faults {
    let mut faults = Faults::new();
    let entries = entries(runbook);
    let mut linked = BTreeSet::new();
    for (id, alarm) in alarms(template) {
        let description = alarm["AlarmDescription"].as_str().unwrap_or_default();
        let Some((symptom, link)) = description.rsplit_once(&format!(" See {RUNBOOK}#")) else {
            faults.push(format!("{id} does not end in a link to its entry"));
            continue;
        };
        // One sentence, which is all that a mail's reader sees before the link.
        if !symptom.ends_with('.') || symptom.matches(". ").count() > 0 || symptom.len() > 200 {
            faults.push(format!("{id} does not say its symptom in a sentence"));
        }
        let name = alarm["AlarmName"]["Fn::Sub"].as_str().unwrap_or_default();
        let name = name.trim_start_matches("${AWS::StackName}-");
        match entries.iter().find(|(anchor, _)| anchor == link) {
            None => faults.push(format!("{id}: there is no entry {link}")),
            Some((_, text)) if !text.contains(&format!("`{name}`")) => {
                faults.push(format!("{id}: the entry {link} does not name {name}"));
            }
            Some(_) => drop(linked.insert(link.to_owned())),
        }
    }
    for (anchor, text) in &entries {
        if !linked.contains(anchor) {
            faults.push(format!("no alarm links to {anchor}"));
        }
        for part in [
            "**Symptom:** ",
            "**Meaning:** ",
            "**Steps:**\n  1. ",
            "**Command:**\n\n```console\n",
        ] {
            if !text.contains(part) {
                faults.push(format!("{anchor} has no {part:?}"));
            }
        }
    }
    faults.extend(broken_links(runbook));
    faults.extend(missing_commands(runbook));
    faults
}

/// Links within the runbook lead somewhere.
fn broken_links(runbook: &str) -> Faults {
    let anchors = anchors(runbook);
    let links = runbook
        .split("](#")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    links
        .filter(|link| !anchors.iter().any(|anchor| anchor == link))
        .map(|link| format!("nothing is at #{link}"))
        .collect()
}

/// Commands of `infra/` that the runbook names are there.
fn missing_commands(runbook: &str) -> Faults {
    let words = runbook.split(|c: char| c.is_whitespace() || c == '`');
    let commands: BTreeSet<&str> = words
        .filter(|word| word.starts_with("infra/") && word.ends_with(".sh"))
        .collect();
    commands
        .into_iter()
        .filter(|command| !project_root().join(command).is_file())
        .map(|command| format!("{command} is not there"))
        .collect()
}

#[test]
fn every_alarm_has_its_entry_in_the_runbook() {
    assert_eq!(faults(&project_template(), &runbook()), Faults::new());
}

#[test]
fn an_alarm_or_an_entry_without_the_other_is_seen() {
    let template = project_template();
    let runbook = runbook();
    for (from, to, fault) in [
        (
            "### Alarm: queue age",
            "### Alarm: queue-ages",
            "QueueAgeAlarm: there is no entry alarm-queue-age",
        ),
        (
            "### Alarm: queue age",
            "### Alarm: queue-ages",
            "no alarm links to alarm-queue-ages",
        ),
        (
            "`second-breaker-open`",
            "the second's",
            "does not name second-breaker-open",
        ),
        ("- **Command:**", "- ", "alarm-dead-letters has no"),
        ("- **Meaning:**", "- ", "alarm-quiet has no"),
        ("  1. ", "  - ", "alarm-no-outcome has no"),
        (
            "](#dead-letters)",
            "](#dead-ones)",
            "nothing is at #dead-ones",
        ),
        (
            "infra/ops/redrive.sh",
            "infra/ops/drive.sh",
            "infra/ops/drive.sh is not there",
        ),
    ] {
        assert!(runbook.contains(from), "{from} is not in the runbook");
        let faults = faults(&template, &runbook.replace(from, to));
        assert!(
            faults.iter().any(|found| found.contains(fault)),
            "expected {fault:?}, found {faults:?}"
        );
    }
    for (description, fault) in [
        ("The queue is old.", "does not end in a link"),
        (
            "The queue is old. See docs/OPERATIONS.md#alarm-nothing",
            "there is no entry alarm-nothing",
        ),
        (
            "Old See docs/OPERATIONS.md#alarm-queue-age",
            "symptom in a sentence",
        ),
        (
            "It is old. Very. See docs/OPERATIONS.md#alarm-queue-age",
            "symptom in a sentence",
        ),
    ] {
        let mut template = project_template();
        let place = "/Resources/QueueAgeAlarm/Properties/AlarmDescription";
        crate::put(&mut template.document, place, description.into());
        let faults = faults(&template, &runbook);
        assert!(
            faults.iter().any(|found| found.contains(fault)),
            "expected {fault:?}, found {faults:?}"
        );
    }
}
