//! What the smoke test's gateway writes down.

use clivy::conversation::ids::{Contact, MessageId};
use clivy::table::keys;

use crate::endpoint::{Endpoint, NOW, after};

pub async fn a_smoke_tests_reply_counts_once_and_each_other_text_again(e: &Endpoint) {
    let (contact, other) = (
        Contact::new("999123").unwrap(),
        Contact::new("999124").unwrap(),
    );
    let id = MessageId::new("R1").unwrap();
    assert_eq!(e.table.smoke_replies(&contact).await.unwrap(), 0);
    for at in [NOW, after(1)] {
        let put = e.table.put_smoke_reply(&contact, &id, "oke", at).await;
        put.unwrap();
    }
    assert_eq!(e.table.smoke_replies(&contact).await.unwrap(), 1, "I5");
    let put = e.table.put_smoke_reply(&contact, &id, "lain", NOW).await;
    put.unwrap();
    assert_eq!(e.table.smoke_replies(&contact).await.unwrap(), 2);
    assert_eq!(e.table.smoke_replies(&other).await.unwrap(), 0);
    let (pk, sk) = (
        keys::smoke_replies(&contact),
        keys::smoke_reply(&id, "lain"),
    );
    let tomorrow = (NOW.0 + 86_400_000) / 1000;
    assert_eq!(e.number(&pk, &sk, "expires_at").await, Some(tomorrow));
}
