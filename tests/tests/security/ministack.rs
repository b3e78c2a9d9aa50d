//! A second opinion on the embedded SSM: ministack's answers to the same questions, through the same SDK.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_ssm::Client;
use clivy::secrets::Parameters;
use local::engines::{Through, Wire};
use local::instances::sdk;
use tests::process::folder::Folder;
use tests::process::ministack::Ministack;
use tests::world::TestWorld;

const PUT: [(&str, &str); 3] = [
    ("PSEUDONYM_KEY", "the-old-key-of-tests"),
    ("BOT_SECRETS_KEY", "first line\nsecond line"),
    ("PSEUDONYM_KEY", "the-new-key-of-tests"),
];
const NAMES: [&str; 3] = ["PSEUDONYM_KEY", "ADMIN_SECRET", "BOT_SECRETS_KEY"];

/// What can be compared of an answer: found parameters in the order of their names, and the names that are none.
async fn answer(client: &Client) -> (Vec<(String, String, String, i64)>, Vec<String>) {
    let names = NAMES.map(|name| format!("/clivy/test/{name}"));
    let asking = client.get_parameters().set_names(Some(names.to_vec()));
    let output = asking.with_decryption(true).send().await.unwrap();
    let found = output.parameters().iter().map(|parameter| {
        let text = |text: Option<&str>| text.unwrap().to_owned();
        let kind = parameter.r#type().unwrap().as_str().to_owned();
        (
            text(parameter.name()),
            kind,
            text(parameter.value()),
            parameter.version(),
        )
    });
    let mut found: Vec<_> = found.collect();
    found.sort();
    (found, output.invalid_parameters().to_vec())
}

#[tokio::test]
#[ignore = "needs ministack: infra/check-ministack-mapping.sh runs it"]
async fn the_embedded_ssm_answers_as_ministacks_does() {
    let folder = Folder::new();
    let ministack = Ministack::start(folder.path()).await;
    let theirs = ministack.ssm.clone();
    let world = TestWorld::new(&[]).await;
    let engines = world.world.engines.clone();
    for (name, value) in PUT {
        let name = format!("/clivy/test/{name}");
        engines.ssm.put(&name, value);
        ministack.put_secret(&name, value).await;
    }
    let ours = Client::new(&sdk(Wire::new(engines, Arc::new(Through))));
    assert_eq!(answer(&ours).await, answer(&theirs).await);
    // And as the functions read them.
    let last = [PUT[1], PUT[2]].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let last = BTreeMap::from(last);
    for client in [ours, theirs] {
        let read = Parameters::new(client, "/clivy/test/").read(&NAMES).await;
        assert_eq!(read.unwrap(), last);
    }
}
