//! What is measured: the functions, the least that they could be, and the same job written the usual way by others.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use crate::process::Start;
use crate::stage::{self, Event, Stage};

/// A function that is measured.
#[derive(Clone)]
pub struct Subject {
    /// What it is called in the report.
    pub name: &'static str,
    /// How it is started.
    pub start: Start,
    /// What it is given.
    pub event: Event,
    /// What its answers must be.
    pub answers: Answers,
    /// The function's timeout.
    pub timeout: Duration,
    /// Warm events in a round.
    pub warm: usize,
    /// How long it waits for the model in each event: no part of what is measured.
    pub waits: Duration,
    /// What is deployed, of a Rust program; of the others the platform brings most.
    pub size: Option<Size>,
}

/// What an answer must be, or the bench fails: a function that does not do its job is not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Any.
    Anything,
    /// The message is queued, and stored.
    Queued,
    /// No record failed, and every customer has a reply.
    Replied,
}

/// What is deployed of a function, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Size {
    /// The program.
    pub bytes: u64,
    /// The archive.
    pub zip_bytes: u64,
}

/// Where the programs are.
pub struct Programs {
    /// The folder of the release binaries.
    pub release: PathBuf,
    /// The folder of the twins' packages; none leaves them out.
    pub peers: Option<PathBuf>,
}

/// Records in a batch of the worker, as deployed.
pub const BATCH: usize = 10;
/// Warm events of a round.
const WARM: usize = 100;

impl Programs {
    /// All subjects, in the order of the report.
    pub fn subjects(&self, stage: &Stage, folder: &Path) -> anyhow::Result<Vec<Subject>> {
        // The functions' roots are in the program on Lambda, and none of them signs for this bench: so it is told of as many, in a file
        // for the SDK and with one more; and of the bench's alone for models and gateways, whose roots cost no time there.
        let in_program = [
            ("AWS_CA_BUNDLE", &stage.trust.aws_roots),
            ("SSL_CERT_FILE", &stage.trust.one_root),
        ];
        // The roots of Lambda's Linux: the one that is needed, among all the others.
        let machine = [("SSL_CERT_FILE", &stage.trust.all_roots)];
        let on_machine = |name, event, answers| self.binary(stage, name, event, answers, &machine);
        let function = |name, event, answers| self.binary(stage, name, event, answers, &in_program);
        let (message, turn) = (Event::Message, Event::Turns(1));
        let mut all = vec![
            on_machine("hello_http", message, Answers::Anything)?,
            on_machine("raw_webhook", message, Answers::Queued)?,
            function("webhook", message, Answers::Queued)?,
            on_machine("hello_runtime", turn, Answers::Anything)?,
            on_machine("raw_worker", Event::RawTurns(1), Answers::Replied)?,
            function("worker", turn, Answers::Replied)?,
            Subject {
                name: "worker, batches of 10",
                warm: WARM / BATCH,
                ..function("worker", Event::Turns(BATCH), Answers::Replied)?
            },
            // The functions again, with roots as the floors have them.
            Subject {
                name: "webhook, the machine's roots",
                ..on_machine("webhook", message, Answers::Queued)?
            },
            Subject {
                name: "worker, the machine's roots",
                ..on_machine("worker", turn, Answers::Replied)?
            },
        ];
        for subject in &mut all {
            subject.size = Some(size(&subject.start.program, folder)?);
        }
        if let Some(peers) = &self.peers {
            all.push(node(stage, peers));
            all.push(python(stage, peers));
        }
        Ok(all)
    }

    fn binary(
        &self,
        stage: &Stage,
        name: &'static str,
        event: Event,
        answers: Answers,
        roots: &[(&str, &PathBuf)],
    ) -> anyhow::Result<Subject> {
        let program = self.release.join(name);
        anyhow::ensure!(program.is_file(), "{} is not built", program.display());
        let mut environment = stage.environment(event);
        let roots = roots.iter();
        environment
            .extend(roots.map(|(name, file)| ((*name).to_owned(), file.display().to_string())));
        Ok(subject(
            name,
            program,
            Vec::new(),
            environment,
            event,
            answers,
        ))
    }
}

/// The archive is made as for a deployment: one program named bootstrap, deflated.
fn size(program: &Path, folder: &Path) -> anyhow::Result<Size> {
    let (bootstrap, archive) = (folder.join("bootstrap"), folder.join("bootstrap.zip"));
    std::fs::copy(program, &bootstrap)?;
    let status = Command::new("python3")
        .args(["-m", "zipfile", "-c"])
        .args([&archive, &bootstrap])
        .status()?;
    anyhow::ensure!(status.success(), "no archive could be made");
    Ok(Size {
        bytes: std::fs::metadata(&bootstrap)?.len(),
        zip_bytes: std::fs::metadata(&archive)?.len(),
    })
}

fn node(stage: &Stage, peers: &Path) -> Subject {
    let mut environment = stage.environment(Event::Message);
    // Node has its own roots, and this one besides.
    environment.push((
        "NODE_EXTRA_CA_CERTS".to_owned(),
        stage.trust.one_root.display().to_string(),
    ));
    environment.push((
        "AWS_NODEJS_CONNECTION_REUSE_ENABLED".to_owned(),
        "1".to_owned(),
    ));
    let arguments = vec![peers.join("node/bundle.mjs").display().to_string()];
    subject(
        "Node 20, SDK v3",
        "/usr/bin/node".into(),
        arguments,
        environment,
        Event::Message,
        Answers::Queued,
    )
}

fn python(stage: &Stage, peers: &Path) -> Subject {
    let mut environment = stage.environment(Event::Message);
    environment.push((
        "AWS_CA_BUNDLE".to_owned(),
        stage.trust.all_roots.display().to_string(),
    ));
    environment.push((
        "PYTHONPATH".to_owned(),
        peers.join("python/app").display().to_string(),
    ));
    let arguments = ["-m", "awslambdaric", "webhook.handler"]
        .map(str::to_owned)
        .to_vec();
    let program = peers.join("python/venv/bin/python");
    subject(
        "Python 3.11, boto3",
        program,
        arguments,
        environment,
        Event::Message,
        Answers::Queued,
    )
}

fn subject(
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    event: Event,
    answers: Answers,
) -> Subject {
    Subject {
        name,
        start: Start {
            program,
            arguments,
            environment,
            groups: Vec::new(),
        },
        event,
        answers,
        timeout: match event {
            Event::Message => Duration::from_secs(10),
            Event::Turns(_) | Event::RawTurns(_) => Duration::from_secs(180),
        },
        warm: WARM,
        waits: match answers {
            Answers::Anything | Answers::Queued => Duration::ZERO,
            Answers::Replied => stage::MODEL,
        },
        size: None,
    }
}
