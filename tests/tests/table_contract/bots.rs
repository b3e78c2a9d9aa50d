//! Bots, their documents, their versions, their owners.

use clivy::access::OwnerId;
use clivy::conversation::bot::{Bot, Document};
use clivy::conversation::ids::BotId;
use clivy::conversation::version::{BY_FILE, DocumentId, Stamp, Version};
use clivy::secrets::Rotating;
use clivy::table::{
    BotEdit, BotState, Cause, DocumentEdit, DocumentState, Edited, Kind, TableError,
};
use clivy::vault::Vault;
use futures_util::future::join_all;

use crate::endpoint::{Endpoint, NOW, after, bot_id};

pub fn owner(id: &str) -> OwnerId {
    OwnerId::new(id).unwrap()
}

pub fn bot(id: &str, token: &str) -> Bot {
    let text = format!(
        "id = \"{id}\"\nowner = \"budi\"\nname = \"Toko\"\n[gateway]\nkind = \"wuzapi\"\n\
         url = \"demo\"\ntoken = \"{token}\"\nhmac_key = \"secret\"\n"
    );
    toml::from_str(&text).unwrap()
}

pub fn document(title: &str) -> Document {
    Document {
        title: title.to_owned(),
        kind: "faq".to_owned(),
        content: "isi".to_owned(),
    }
}

/// An edit by somebody who has read `before`.
pub async fn try_edit(e: &Endpoint, before: &BotState, bot: &Bot) -> Result<Edited, TableError> {
    let edit = BotEdit {
        before,
        bot,
        by: "k1",
        now: NOW,
    };
    e.table.edit_bot(&edit).await
}

/// The same, which must not fail.
pub async fn edit(e: &Endpoint, before: &BotState, bot: &Bot) -> Edited {
    try_edit(e, before, bot).await.unwrap()
}

/// Of two edits at once one is done, and the other one is told that it came too late.
fn one_of_them_is_done(edits: &[Edited]) {
    let done = |edited: &&Edited| matches!(edited, Edited::Done(_));
    let late = |edited: &&Edited| **edited == Edited::Changed;
    let count = (
        edits.iter().filter(done).count(),
        edits.iter().filter(late).count(),
    );
    assert_eq!(count, (1, 1), "{edits:?}");
}

/// The versions that are kept, newest first.
async fn past(e: &Endpoint, bot_id: &BotId, kind: Kind<'_>) -> Vec<Stamp> {
    e.table.past_versions(bot_id, kind).await.unwrap()
}

/// Makes a bot that is not there.
async fn made(e: &Endpoint, bot: &Bot) -> BotState {
    let before = e.table.bot_state(&bot.bot_id).await.unwrap();
    assert!(matches!(edit(e, &before, bot).await, Edited::Done(_)));
    e.table.bot_state(&bot.bot_id).await.unwrap()
}

pub async fn a_bot_is_written_over_what_was_read_and_nothing_else(e: &Endpoint) {
    let toko = bot("toko", "t1");
    assert_eq!(e.table.bot(&toko.bot_id).await.unwrap(), None);
    let never = e.table.bot_state(&toko.bot_id).await.unwrap();
    assert!(matches!(never, BotState::Never));
    let both = join_all([edit(e, &never, &toko), edit(e, &never, &toko)]).await;
    one_of_them_is_done(&both);
    let first = e.table.bot_state(&toko.bot_id).await.unwrap();
    assert_eq!(
        (first.version(), first.owner()),
        (Version(1), Some(&owner("budi")))
    );
    let renamed = Bot {
        name: "Baru".to_owned(),
        ..toko.clone()
    };
    assert!(matches!(edit(e, &first, &renamed).await, Edited::Done(_)));
    assert_eq!(
        edit(e, &first, &toko).await,
        Edited::Changed,
        "somebody else has written"
    );
    assert_eq!(
        e.table.bot(&toko.bot_id).await.unwrap().unwrap().name,
        "Baru"
    );
    let past = past(e, &toko.bot_id, Kind::Settings).await;
    assert_eq!(
        past.iter().map(|stamp| stamp.version).collect::<Vec<_>>(),
        [Version(1)]
    );
    let (_, was) = e
        .table
        .past_settings(&toko.bot_id, Version(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (was.name.as_str(), was.gateway.hmac_key),
        ("Toko", None),
        "versions hold no secrets"
    );
    assert!(
        e.table
            .past_settings(&toko.bot_id, Version(9))
            .await
            .unwrap()
            .is_none()
    );
}

pub async fn a_token_leads_to_one_bot(e: &Endpoint) {
    let (toko, other) = (bot("toko", "t1"), bot("other", "t2"));
    let of_toko = made(e, &toko).await;
    made(e, &other).await;
    let found = |token: &'static str| async move { e.table.bot_of_token(token).await.unwrap() };
    assert_eq!(found("t1").await, Some(toko.bot_id.clone()));
    assert_eq!(found("none").await, None);
    assert_eq!(
        edit(e, &of_toko, &bot("toko", "t2")).await,
        Edited::TokenTaken,
        "I12"
    );
    assert_eq!(found("t2").await, Some(other.bot_id.clone()));
    assert!(matches!(
        edit(e, &of_toko, &bot("toko", "t3")).await,
        Edited::Done(_)
    ));
    assert_eq!(
        (found("t1").await, found("t3").await),
        (None, Some(toko.bot_id))
    );
}

pub async fn twenty_versions_are_kept_the_current_one_among_them(e: &Endpoint) {
    let toko = bot("toko", "t1");
    for _ in 0..23 {
        let before = e.table.bot_state(&toko.bot_id).await.unwrap();
        assert!(matches!(edit(e, &before, &toko).await, Edited::Done(_)));
    }
    let past = past(e, &toko.bot_id, Kind::Settings).await;
    let numbers: Vec<u64> = past.iter().map(|stamp| stamp.version.0).collect();
    assert_eq!(numbers, (4..=22).rev().collect::<Vec<_>>());
    assert!(
        e.table
            .past_settings(&toko.bot_id, Version(3))
            .await
            .unwrap()
            .is_none()
    );
}

pub async fn an_owner_sees_its_own_bots_only(e: &Endpoint) {
    made(e, &bot("toko", "t1")).await;
    made(
        e,
        &Bot {
            active: false,
            ..bot("kedai", "t2")
        },
    )
    .await;
    made(
        e,
        &Bot {
            owner: owner("ani"),
            ..bot("warung", "t3")
        },
    )
    .await;
    let budi = owner("budi");
    assert_eq!(
        e.table.bots_of(&budi).await.unwrap(),
        [bot_id("kedai"), bot_id("toko")]
    );
    let listed = e.table.list_bots(&budi).await.unwrap();
    assert_eq!(
        listed.iter().map(|bot| bot.is_active).collect::<Vec<_>>(),
        [false, true]
    );
    assert!(e.table.is_bot_of(&budi, &bot_id("toko")).await.unwrap());
    assert!(
        !e.table.is_bot_of(&budi, &bot_id("warung")).await.unwrap(),
        "I12"
    );
    assert!(
        e.table
            .list_bots(&owner("nobody"))
            .await
            .unwrap()
            .is_empty()
    );
}

async fn write(
    e: &Endpoint,
    who: &OwnerId,
    before: &DocumentState,
    id: &DocumentId,
    title: Option<&str>,
) -> Edited {
    let edit = DocumentEdit {
        owner: who,
        bot_id: &bot_id("toko"),
        id,
        before,
        by: "k1",
        now: NOW,
    };
    match title {
        Some(title) => e
            .table
            .edit_document(&edit, &document(title))
            .await
            .unwrap(),
        None => e.table.delete_document(&edit).await.unwrap(),
    }
}

pub async fn a_document_is_written_over_what_was_read_and_goes_on_counting(e: &Endpoint) {
    let (budi, ani) = (owner("budi"), owner("ani"));
    let (bot_id, id) = (bot_id("toko"), DocumentId::new("faq").unwrap());
    let gone = e.table.document(&bot_id, &id).await.unwrap();
    assert_eq!(gone, DocumentState::Gone(Version(0)));
    assert_eq!(write(e, &budi, &gone, &id, Some("A")).await, Edited::NoBot);
    made(e, &bot("toko", "t1")).await;
    assert_eq!(
        write(e, &ani, &gone, &id, Some("A")).await,
        Edited::NoBot,
        "I12"
    );
    let both = join_all([
        write(e, &budi, &gone, &id, Some("A")),
        write(e, &budi, &gone, &id, Some("B")),
    ])
    .await;
    one_of_them_is_done(&both);
    let first = e.table.document(&bot_id, &id).await.unwrap();
    assert!(matches!(
        write(e, &budi, &first, &id, Some("C")).await,
        Edited::Done(_)
    ));
    assert_eq!(
        write(e, &budi, &first, &id, Some("D")).await,
        Edited::Changed
    );
    assert_eq!(
        write(e, &ani, &first, &id, None).await,
        Edited::NoBot,
        "I12"
    );
    assert_eq!(write(e, &budi, &first, &id, None).await, Edited::Changed);
    let second = e.table.document(&bot_id, &id).await.unwrap();
    assert!(matches!(
        write(e, &budi, &second, &id, None).await,
        Edited::Done(_)
    ));
    assert_eq!(
        e.table.document(&bot_id, &id).await.unwrap(),
        DocumentState::Gone(Version(2))
    );
    assert!(e.table.documents(&bot_id).await.unwrap().is_empty());
    let past = past(e, &bot_id, Kind::Document(&id)).await;
    assert_eq!(past.len(), 2);
    let (_, was) = e
        .table
        .past_document(&bot_id, &id, Version(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(was.title, "C");
    let gone = e.table.document(&bot_id, &id).await.unwrap();
    let Edited::Done(stamp) = write(e, &budi, &gone, &id, Some("E")).await else {
        panic!("it is free")
    };
    assert_eq!(stamp.version, Version(3));
    assert_eq!(
        e.table.bot(&bot_id).await.unwrap().unwrap().documents.len(),
        1
    );
}

pub async fn a_bot_has_as_many_documents_as_it_may_and_not_one_more(e: &Endpoint) {
    use clivy::conversation::bot_limits::MAX_DOCUMENTS;
    let budi = owner("budi");
    let documents = (0..MAX_DOCUMENTS)
        .map(|n| document(&format!("{n}")))
        .collect();
    e.table
        .put_bot(
            &Bot {
                documents,
                ..bot("toko", "t1")
            },
            NOW,
        )
        .await
        .unwrap();
    assert_eq!(
        e.table.documents(&bot_id("toko")).await.unwrap().len(),
        MAX_DOCUMENTS
    );
    let id = DocumentId::new("more").unwrap();
    let gone = DocumentState::Gone(Version(0));
    assert_eq!(write(e, &budi, &gone, &id, Some("A")).await, Edited::Full);
    let too_many = (0..=MAX_DOCUMENTS)
        .map(|n| document(&format!("{n}")))
        .collect();
    let refused = e
        .table
        .put_bot(
            &Bot {
                documents: too_many,
                ..bot("toko", "t1")
            },
            NOW,
        )
        .await;
    assert_eq!(refused.unwrap_err().code, "too many documents");
}

pub async fn a_file_writes_a_bot_once_and_leaves_edits_alone(e: &Endpoint) {
    let file = Bot {
        documents: vec![document("A"), document("B")],
        ..bot("toko", "t1")
    };
    e.table.sync_bot(&file, NOW).await.unwrap();
    e.table.sync_bot(&file, after(1)).await.unwrap();
    let state = e.table.bot_state(&file.bot_id).await.unwrap();
    assert_eq!(
        state.version(),
        Version(1),
        "the same file again writes nothing"
    );
    let edited = Bot {
        name: "Edited".to_owned(),
        ..bot("toko", "t1")
    };
    assert!(matches!(edit(e, &state, &edited).await, Edited::Done(_)));
    e.table.sync_bot(&file, after(2)).await.unwrap();
    assert_eq!(
        e.table.bot(&file.bot_id).await.unwrap().unwrap().name,
        "Edited"
    );
    let moved = |url: &str| {
        let gateway = clivy::conversation::bot::Gateway {
            url: url.to_owned(),
            ..file.gateway.clone()
        };
        Bot {
            gateway,
            ..file.clone()
        }
    };
    e.table
        .sync_bot(&moved("http://g"), after(3))
        .await
        .unwrap();
    let now = e.table.bot(&file.bot_id).await.unwrap().unwrap();
    assert_eq!(
        (now.name.as_str(), now.gateway.url.as_str()),
        ("Edited", "http://g")
    );
    let newer = Bot {
        documents: vec![document("C")],
        name: "File".to_owned(),
        ..moved("http://g")
    };
    e.table.sync_bot(&newer, after(4)).await.unwrap();
    let now = e.table.bot(&file.bot_id).await.unwrap().unwrap();
    assert_eq!((now.name.as_str(), now.documents.len()), ("File", 1));
    let past = past(e, &file.bot_id, Kind::Settings).await;
    assert_eq!(past.last().unwrap().by.as_deref(), Some(BY_FILE));
    // The operator's word is the last one: the token becomes another bot's.
    e.table
        .put_bot(&bot("other", "t1"), after(5))
        .await
        .unwrap();
    assert_eq!(
        e.table.bot_of_token("t1").await.unwrap(),
        Some(bot_id("other"))
    );
}

pub async fn a_deleted_bot_leaves_a_mark_and_nothing_else(e: &Endpoint) {
    let (budi, toko) = (owner("budi"), bot("toko", "t1"));
    let documents = (0..60).map(|n| document(&format!("{n}"))).collect();
    let with_documents = Bot {
        documents,
        ..toko.clone()
    };
    e.table.put_bot(&with_documents, NOW).await.unwrap();
    let changed = with_documents.documents.iter().map(|old| Document {
        content: "baru".to_owned(),
        ..old.clone()
    });
    let changed = Bot {
        documents: changed.collect(),
        ..toko.clone()
    };
    e.table.put_bot(&changed, after(1)).await.unwrap();
    for _ in 0..2 {
        e.table
            .delete_bot(&budi, &toko.bot_id, after(2))
            .await
            .unwrap();
        let state = e.table.bot_state(&toko.bot_id).await.unwrap();
        assert!(
            matches!(&state, BotState::Deleted(_)) && state.owner() == Some(&budi),
            "I12"
        );
        assert!(
            !e.table.bot(&toko.bot_id).await.unwrap().unwrap().active,
            "I1"
        );
        assert!(e.table.documents(&toko.bot_id).await.unwrap().is_empty());
        assert!(past(e, &toko.bot_id, Kind::Settings).await.is_empty());
        let first = DocumentId::in_file(0);
        let past = past(e, &toko.bot_id, Kind::Document(&first)).await;
        assert!(past.is_empty());
        assert_eq!(e.table.bot_of_token("t1").await.unwrap(), None);
        assert!(e.table.bots_of(&budi).await.unwrap().is_empty());
    }
    let gone = e.table.bot_state(&toko.bot_id).await.unwrap().version();
    e.table.erase_leftovers(&toko.bot_id, gone).await.unwrap();
    // A bot of somebody else is not deleted with it.
    made(
        e,
        &Bot {
            owner: owner("ani"),
            ..bot("warung", "t3")
        },
    )
    .await;
    e.table
        .delete_bot(&budi, &bot_id("warung"), NOW)
        .await
        .unwrap();
    let state = e.table.bot_state(&bot_id("warung")).await.unwrap();
    assert!(matches!(state, BotState::There(_)), "I12");
}

pub async fn a_vault_seals_what_is_written_and_opens_what_is_read(e: &Endpoint) {
    let vault = Vault::new(&Rotating::new("a key of this case").unwrap()).unwrap();
    let sealing = Endpoint {
        table: e.table.clone().with_vault(Some(vault)),
        client: e.client.clone(),
        name: e.name.clone(),
        bot: e.bot.clone(),
    };
    let (open, sealed) = (bot("terbuka", "token-4711"), bot("tersegel", "token-4712"));
    made(e, &open).await;
    made(&sealing, &sealed).await;
    let all = e.client.scan().table_name(&e.name).send().await.unwrap();
    let all = format!("{:?}", all.items());
    assert!(all.contains("token-4711") && !all.contains("token-4712"));
    assert_eq!(
        sealing.table.bot(&sealed.bot_id).await,
        Ok(Some(sealed.clone()))
    );
    let failed = e.table.bot(&sealed.bot_id).await.unwrap_err();
    assert_eq!(failed.cause, Cause::Malformed, "{failed}");
}
