//! Secrets from SSM are read at the start and every ten minutes, and whatever happens to SSM, a function goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clivy::config::{Reader, pseudonym_key};
use clivy::secrets::{KEEP_MS, PATIENCE, RETRY_MS, Renewing, Rotating, StartError};
use futures_util::future::BoxFuture;
use local::engines::{Call, Engines, Intercept, Lost, Reply, Wire};
use local::instances::sdk;
use local::ssm::Ssm;
use tests::log::Log;
use tests::world::TestWorld;

const NAME: &str = "/clivy/test/PSEUDONYM_KEY";
const OLD: &str = "the-old-key-of-tests";
const NEW: &str = "the-new-key-of-tests";

/// What SSM does with the next calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    Breaks,
    Hangs,
}

/// Counts the calls of SSM.
struct Line {
    mood: Mutex<Mood>,
    calls: Mutex<usize>,
}

impl Line {
    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn calls(&self) -> usize {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

impl Intercept for Line {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        Box::pin(async move {
            assert_eq!(call.target, "AmazonSSM.GetParameters");
            *self.calls.lock().unwrap() += 1;
            let mood = *self.mood.lock().unwrap();
            match mood {
                Mood::Well => Ok(engines.call(&call).await),
                Mood::Breaks => Ok(Reply::json(
                    400,
                    r#"{"__type":"InternalServerError","message":"the-old-key-of-tests"}"#
                        .to_owned(),
                )),
                Mood::Hangs => std::future::pending().await,
            }
        })
    }
}

type Keys = Renewing<Rotating, String>;

struct Setting {
    world: TestWorld,
    line: Arc<Line>,
}

impl Setting {
    async fn new() -> Self {
        let world = TestWorld::new(&[]).await;
        world.world.engines.ssm.put(NAME, OLD);
        let line = Arc::new(Line {
            mood: Mutex::new(Mood::Well),
            calls: Mutex::default(),
        });
        Self { world, line }
    }

    fn ssm(&self) -> &Ssm {
        &self.world.world.engines.ssm
    }

    /// A function that is nothing but its key.
    async fn start(&self, environment: &[(&str, &str)]) -> Result<Keys, StartError> {
        let environment: BTreeMap<String, String> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let wire = Wire::new(
            self.world.world.engines.clone(),
            Arc::clone(&self.line) as _,
        );
        let ssm = aws_sdk_ssm::Client::new(&sdk(wire));
        let read: fn(&mut Reader) -> Rotating = pseudonym_key;
        let make = |key: Rotating| Ok(key.current().to_owned());
        let clock = Arc::clone(&self.world.world.clock);
        Renewing::new(environment, ssm, read, make, clock).await
    }
}

const AWS: [(&str, &str); 1] = [("SECRETS_PATH", "/clivy/test")];

async fn pass(ms: i64) {
    tokio::time::sleep(Duration::from_millis(u64::try_from(ms).unwrap())).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_secret_is_used_after_ten_minutes_and_ssm_is_asked_once_in_each() {
    let setting = Setting::new().await;
    let keys = setting.start(&AWS).await.unwrap();
    assert_eq!(setting.line.calls(), 1);
    let before = keys.current().await;
    setting.ssm().put(NAME, NEW);
    pass(KEEP_MS - 1).await;
    assert_eq!(*keys.current().await, OLD);
    assert_eq!(setting.line.calls(), 0);
    pass(1).await;
    assert_eq!(*keys.current().await, NEW);
    // Whoever has begun with the old one may end with it.
    assert_eq!(*before, OLD);
    for _ in 0..3 {
        assert_eq!(*keys.current().await, NEW);
    }
    assert_eq!(setting.line.calls(), 1);
    // Nothing has changed: what was made stays, with what it has cached.
    let made = keys.current().await;
    pass(KEEP_MS).await;
    assert!(Arc::ptr_eq(&made, &keys.current().await));
    assert_eq!(setting.line.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_keeps_the_old_secret_and_is_tried_again_after_a_minute() {
    let (log, _guard) = Log::begin();
    let setting = Setting::new().await;
    let keys = setting.start(&AWS).await.unwrap();
    setting.ssm().put(NAME, NEW);
    setting.line.is(Mood::Breaks);
    pass(KEEP_MS).await;
    assert_eq!(*keys.current().await, OLD);
    assert_eq!(log.steps("secrets_not_renewed").len(), 1);
    setting.line.calls();
    assert_eq!(*keys.current().await, OLD);
    assert_eq!(setting.line.calls(), 0, "not at every request");
    setting.line.is(Mood::Well);
    pass(RETRY_MS).await;
    assert_eq!(*keys.current().await, NEW);
    assert_eq!(log.steps("secrets_renewed").len(), 1);
    assert!(!log.text().contains("key-of-tests"), "I11: {}", log.text());
}

#[tokio::test(start_paused = true)]
async fn an_ssm_that_hangs_holds_one_request_up_for_a_moment() {
    let setting = Setting::new().await;
    let keys = setting.start(&AWS).await.unwrap();
    setting.line.is(Mood::Hangs);
    pass(KEEP_MS).await;
    let began = tokio::time::Instant::now();
    assert_eq!(*keys.current().await, OLD);
    assert_eq!(*keys.current().await, OLD);
    assert_eq!(began.elapsed(), PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_cut_off_while_it_reads_leaves_the_next_one_a_function() {
    let setting = Setting::new().await;
    let keys = setting.start(&AWS).await.unwrap();
    setting.line.is(Mood::Hangs);
    pass(KEEP_MS).await;
    let cut_off = tokio::time::timeout(PATIENCE / 2, keys.current()).await;
    assert!(cut_off.is_err());
    assert_eq!(*keys.current().await, OLD);
    setting.line.is(Mood::Well);
    setting.ssm().put(NAME, NEW);
    pass(RETRY_MS).await;
    assert_eq!(*keys.current().await, NEW);
}

#[tokio::test(start_paused = true)]
async fn secrets_that_no_function_could_start_with_are_not_taken() {
    let (log, _guard) = Log::begin();
    let setting = Setting::new().await;
    let keys = setting.start(&AWS).await.unwrap();
    setting.ssm().put(NAME, "hunter2");
    pass(KEEP_MS).await;
    assert_eq!(*keys.current().await, OLD);
    setting.ssm().delete(NAME);
    pass(RETRY_MS).await;
    assert_eq!(*keys.current().await, OLD);
    let told = log.steps("secrets_not_renewed");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|line| line.contains("PSEUDONYM_KEY")));
    assert!(!log.text().contains("hunter2"), "I11");
    setting.ssm().put(NAME, NEW);
    pass(RETRY_MS).await;
    assert_eq!(*keys.current().await, NEW);
}

#[tokio::test(start_paused = true)]
async fn a_function_without_its_secrets_does_not_start_and_says_which_are_missing() {
    let setting = Setting::new().await;
    setting.ssm().delete(NAME);
    let refused = setting.start(&AWS).await.err().unwrap().to_string();
    assert!(refused.contains("PSEUDONYM_KEY"), "{refused}");
    // A value of the environment would hide that.
    let both = [AWS[0], ("PSEUDONYM_KEY", OLD)];
    assert!(setting.start(&both).await.is_err());
    setting.line.is(Mood::Breaks);
    let refused = setting.start(&AWS).await.err().unwrap().to_string();
    assert!(refused.contains("InternalServerError"), "{refused}");
    assert!(!refused.contains(OLD), "I11");
}

#[tokio::test(start_paused = true)]
async fn without_a_path_the_environment_holds_the_secrets_and_ssm_is_never_asked() {
    let setting = Setting::new().await;
    let keys = setting.start(&[("PSEUDONYM_KEY", NEW)]).await.unwrap();
    pass(KEEP_MS * 2).await;
    assert_eq!(*keys.current().await, NEW);
    assert_eq!(setting.line.calls(), 0);
}
