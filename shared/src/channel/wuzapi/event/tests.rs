use super::*;
use crate::channel::wuzapi::read;
use bytes::Bytes;
use serde_json::json;

async fn event(body: Value) -> Result<Event, BadEnvelope> {
    let body = Bytes::from(body.to_string());
    read(Some("application/json"), &body).await?.event()
}

/// A message with these fields of `Info` over the usual ones.
async fn with_info(fields: Value) -> Result<Event, BadEnvelope> {
    let mut info = json!({
        "ID": "3EB0A1",
        "Chat": "6281300045678@s.whatsapp.net",
        "Sender": "6281300045678:24@s.whatsapp.net",
        "PushName": "Sari",
    });
    for (name, value) in fields.as_object().unwrap() {
        info[name] = value.clone();
    }
    message_of(json!({"Info": info, "Message": {"conversation": "halo"}})).await
}

async fn message_of(payload: Value) -> Result<Event, BadEnvelope> {
    event(json!({"type": "Message", "instanceName": "toko", "event": payload})).await
}

async fn incoming(fields: Value) -> Incoming {
    match with_info(fields.clone()).await {
        Ok(Event::Message(incoming) | Event::Own(incoming)) => incoming,
        other => panic!("{fields} {other:?}"),
    }
}

async fn ignored(fields: Value) -> &'static str {
    match with_info(fields.clone()).await {
        Ok(Event::Ignored(why)) => why.as_str(),
        other => panic!("{fields} {other:?}"),
    }
}

#[tokio::test]
async fn the_event_is_found_wherever_a_generation_puts_it() {
    let payload = json!({
        "Info": {"ID": "3EB0A1", "Sender": "6281300045678@s.whatsapp.net"},
        "Message": {"conversation": "halo"},
    });
    let mut bare = payload.clone();
    bare["instanceName"] = json!("toko");
    for body in [
        json!({"type": "Message", "event": payload, "instanceName": "toko", "userID": "u"}),
        json!({"type": "Message", "event": payload, "token": "t"}),
        json!({"event": "Message", "data": payload, "instanceName": "toko"}),
        json!({"type": "message", "event": "Message", "data": payload, "instanceName": "toko"}),
        json!({"TYPE": "Message", "EVENT": payload, "INSTANCENAME": "toko"}),
        json!({"event": payload, "instanceName": "toko"}),
        json!({"data": payload, "instanceName": "toko"}),
        json!({"type": "Message", "event": null, "data": payload, "instanceName": "toko"}),
        bare,
    ] {
        match event(body.clone()).await {
            Ok(Event::Message(incoming)) => {
                assert_eq!(incoming.contact.as_str(), "6281300045678", "{body}");
                assert_eq!(incoming.mid.as_str(), "3EB0A1");
            }
            other => panic!("{body} {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_not_a_message_is_told_apart_by_its_type() {
    for (kind, payload, reason) in [
        ("ReadReceipt", json!({"MessageIDs": ["A"]}), "receipt"),
        ("Receipt", json!({}), "receipt"),
        ("ChatPresence", json!({"State": "composing"}), "presence"),
        ("Presence", json!({"From": "x"}), "presence"),
        ("QR", json!("code"), "not_a_message"),
        ("Connected", json!(null), "not_a_message"),
        ("HistorySync", json!({"Data": {}}), "not_a_message"),
        (
            "UndecryptableMessage",
            json!({"Info": {"ID": "A"}}),
            "not_a_message",
        ),
        ("SomethingNew", json!([1, 2]), "not_a_message"),
    ] {
        let body = json!({"type": kind, "event": payload, "instanceName": "toko"});
        match event(body).await {
            Ok(Event::Ignored(why)) => assert_eq!(why.as_str(), reason, "{kind}"),
            other => panic!("{kind} {other:?}"),
        }
    }
    let qr = json!({"event": "code", "qrCodeBase64": "x", "token": "t"});
    assert_eq!(event(qr).await, Ok(Event::Ignored(Ignored::NotAMessage)));
    let untyped = json!({"event": {"MessageIDs": []}, "token": "t"});
    assert_eq!(
        event(untyped).await,
        Ok(Event::Ignored(Ignored::NotAMessage))
    );
}

#[tokio::test]
async fn the_chat_decides_before_anything_else() {
    for (chat, reason) in [
        ("status@broadcast", "status_broadcast"),
        ("1712345@broadcast", "status_broadcast"),
        ("120363@newsletter", "newsletter"),
        ("120363041@g.us", "group"),
        ("867051@bot", "not_a_message"),
        ("13135550002@s.whatsapp.net", "not_a_message"),
        ("0@s.whatsapp.net", "not_a_message"),
    ] {
        for from_me in [false, true] {
            for is_group in [false, true] {
                let fields = json!({"Chat": chat, "IsFromMe": from_me, "IsGroup": is_group});
                let reason = match reason {
                    "not_a_message" if is_group => "group",
                    reason => reason,
                };
                assert_eq!(ignored(fields.clone()).await, reason, "{fields}");
            }
        }
    }
    assert_eq!(ignored(json!({"IsGroup": true})).await, "group");
    for sender in ["867051@bot", "13135550002:1@s.whatsapp.net"] {
        let reason = ignored(json!({"Sender": sender})).await;
        assert_eq!(reason, "not_a_message", "{sender}");
    }
}

#[tokio::test]
async fn a_group_is_ignored_even_when_its_message_could_not_be_read() {
    let payload = json!({"Info": {"Chat": "120363041@g.us"}, "Message": 5});
    assert_eq!(
        message_of(payload).await,
        Ok(Event::Ignored(Ignored::Group))
    );
}

#[tokio::test]
async fn the_contact_is_the_phone_number_wherever_it_stands() {
    for (fields, contact) in [
        (json!({}), "6281300045678"),
        (
            json!({"Chat": "7741@lid", "Sender": "7741:18@lid", "SenderAlt": "6281300045678:18@s.whatsapp.net"}),
            "6281300045678",
        ),
        (
            json!({"Chat": "6281300045678@s.whatsapp.net", "Sender": "7741@lid", "SenderAlt": ""}),
            "6281300045678",
        ),
        (
            json!({"Chat": "7741@lid", "Sender": "7741:18@lid", "SenderAlt": ""}),
            "7741@lid",
        ),
        (
            json!({"Chat": "7741@hosted.lid", "Sender": null, "SenderAlt": null}),
            "7741@lid",
        ),
        (json!({"Chat": null}), "6281300045678"),
        (
            json!({"Chat": "+6281300045678", "Sender": ""}),
            "6281300045678",
        ),
        (json!({"Sender": "rusak"}), "6281300045678"),
    ] {
        assert_eq!(
            incoming(fields.clone()).await.contact.as_str(),
            contact,
            "{fields}"
        );
    }
}

#[tokio::test]
async fn our_own_message_belongs_to_the_customer_it_went_to() {
    for (fields, contact) in [
        (
            json!({"Chat": "6281300045678@s.whatsapp.net"}),
            "6281300045678",
        ),
        (
            json!({"Chat": "7741@lid", "RecipientAlt": "6281300045678@s.whatsapp.net"}),
            "6281300045678",
        ),
        (
            json!({"Chat": "7741@lid", "RecipientAlt": "",
                "DeviceSentMeta": {"DestinationJID": "6281300045678:0@s.whatsapp.net"}}),
            "6281300045678",
        ),
        (
            json!({"Chat": "7741@lid", "DeviceSentMeta": null}),
            "7741@lid",
        ),
    ] {
        let mut own = fields.clone();
        own["IsFromMe"] = json!(true);
        own["Sender"] = json!("6289900000001@s.whatsapp.net");
        own["SenderAlt"] = json!("9900@lid");
        let event = with_info(own).await;
        let Ok(Event::Own(incoming)) = event else {
            panic!("{fields} {event:?}")
        };
        assert_eq!(incoming.contact.as_str(), contact, "{fields}");
        assert_eq!(incoming.name, None, "that would be the business's own name");
    }
}

#[tokio::test]
async fn our_own_message_to_nobody_knows_whom_is_left_alone() {
    assert_eq!(
        ignored(json!({"Chat": "", "IsFromMe": true})).await,
        "own_message"
    );
}

#[tokio::test]
async fn any_offset_of_a_timestamp_is_the_same_moment() {
    for timestamp in [
        "2025-11-20T09:15:04+07:00",
        "2025-11-20T02:15:04Z",
        "2025-11-19T22:15:04-04:00",
        "2025-11-20T02:15:04.000Z",
    ] {
        let at = incoming(json!({"Timestamp": timestamp})).await.platform_at;
        assert_eq!(at, Some(EpochMs(1_763_604_904_000)), "{timestamp}");
    }
    let at = incoming(json!({"Timestamp": "2025-11-20T09:15:04.987654321+07:00"})).await;
    assert_eq!(at.platform_at, Some(EpochMs(1_763_604_904_987)));
}

#[tokio::test]
async fn an_odd_timestamp_never_costs_the_message() {
    for timestamp in [
        json!(null),
        json!(""),
        json!("kemarin"),
        json!("0001-01-01T00:00:00Z"),
        json!("0000-00-00T00:00:00Z"),
        json!("1969-12-31T23:59:59Z"),
        json!("1970-01-01T00:00:00Z"),
        json!("2286-11-20T17:46:40Z"),
        json!("9999-12-31T23:59:59Z"),
        json!("99999-01-01T00:00:00Z"),
        json!("2025-11-20T09:15:04"),
        json!(1_763_604_904),
        json!({}),
    ] {
        let at = incoming(json!({"Timestamp": timestamp})).await.platform_at;
        assert_eq!(at, None, "{timestamp}");
    }
    let last = incoming(json!({"Timestamp": "2286-11-20T17:46:39.999Z"})).await;
    assert_eq!(last.platform_at, Some(EpochMs(MAX_EPOCH_MS)));
}

#[tokio::test]
async fn the_name_is_what_the_customer_chose() {
    let verified = json!({"Details": {"verifiedName": "Toko Grosir"}});
    for (fields, name) in [
        (json!({"PushName": " Sari  Melati "}), Some("Sari  Melati")),
        (json!({"PushName": "\u{200b}"}), None),
        (json!({"PushName": ""}), None),
        (json!({"PushName": null}), None),
        (json!({"PushName": 5}), None),
        (
            json!({"PushName": "", "VerifiedName": verified}),
            Some("Toko Grosir"),
        ),
        (
            json!({"PushName": "Sari", "VerifiedName": verified}),
            Some("Sari"),
        ),
        (
            json!({"PushName": "", "VerifiedName": {"Details": null}}),
            None,
        ),
    ] {
        assert_eq!(
            incoming(fields.clone()).await.name.as_deref(),
            name,
            "{fields}"
        );
    }
    let long = incoming(json!({"PushName": "é".repeat(300)}))
        .await
        .name
        .unwrap();
    assert_eq!(long.chars().count(), 100);
}

#[tokio::test]
async fn a_message_without_id_or_chat_is_refused() {
    for (fields, error) in [
        (json!({"ID": null}), "Info.ID is missing"),
        (json!({"ID": ""}), "Info.ID is missing"),
        (json!({"ID": 7}), "Info.ID must be a string"),
        (
            json!({"ID": "A\u{7}"}),
            "Info.ID holds a character that is not allowed",
        ),
        (
            json!({"ID": "A".repeat(300)}),
            "Info.ID is longer than 200 characters",
        ),
        (json!({"Chat": 5}), "Info.Chat must be a string"),
        (json!({"Sender": ["x"]}), "Info.Sender must be a string"),
        (
            json!({"IsFromMe": "ya"}),
            "Info.IsFromMe must be true or false",
        ),
        (json!({"IsGroup": 1}), "Info.IsGroup must be true or false"),
        (
            json!({"Chat": "", "Sender": ""}),
            "Info.Chat and its alternatives hold no phone number or JID",
        ),
        (
            json!({"Chat": "halo", "Sender": "x@s.whatsapp.net"}),
            "Info.Chat and its alternatives hold no phone number or JID",
        ),
    ] {
        let refused = with_info(fields.clone()).await.unwrap_err();
        assert_eq!(refused.to_string(), error, "{fields}");
    }
}

#[tokio::test]
async fn a_message_without_its_parts_is_refused() {
    for (body, error) in [
        (json!({"token": "t"}), "type or event is missing"),
        (
            json!({"token": "t", "type": "", "event": ""}),
            "type or event is missing",
        ),
        (
            json!({"token": "t", "type": 5, "event": {}}),
            "type must be a string",
        ),
        (
            json!({"token": "t", "event": 5}),
            "event must be an object or a string",
        ),
        (json!({"token": "t", "type": "Message"}), "Info is missing"),
        (
            json!({"token": "t", "type": "Message", "event": "x"}),
            "Info is missing",
        ),
        (
            json!({"token": "t", "event": "Message", "data": {}}),
            "Info is missing",
        ),
        (
            json!({"token": "t", "type": "Message", "event": {"Info": []}}),
            "Info must be an object",
        ),
        (
            json!({"token": "t", "type": "Message", "event":
                {"Info": {"ID": "A", "Chat": "628@c.us"}, "Message": "halo"}}),
            "Message must be an object",
        ),
    ] {
        let refused = event(body.clone()).await.unwrap_err();
        assert_eq!(refused.to_string(), error, "{body}");
    }
}

#[tokio::test]
async fn a_message_with_nothing_in_it_is_empty() {
    let info = json!({"ID": "A", "Chat": "628@c.us"});
    for payload in [
        json!({"Info": info}),
        json!({"Info": info, "Message": null}),
        json!({"Info": info, "Message": {}, "UnavailableRequestID": ""}),
    ] {
        assert_eq!(
            message_of(payload).await,
            Ok(Event::Ignored(Ignored::Empty))
        );
    }
}

#[tokio::test]
async fn a_message_that_the_phone_handed_in_later_is_a_message() {
    let info = json!({"ID": "A", "Chat": "628@c.us"});
    let recovered =
        json!({"Info": info, "Message": {"conversation": "halo"}, "UnavailableRequestID": "R"});
    let event = message_of(recovered).await;
    assert!(matches!(event, Ok(Event::Message(_))), "{event:?}");
    let unavailable = json!({"Info": info, "Message": null, "UnavailableRequestID": "R"});
    assert_eq!(
        message_of(unavailable).await,
        Ok(Event::Ignored(Ignored::NotAMessage))
    );
}

#[tokio::test]
async fn an_edit_tells_who_made_it() {
    for from_me in [false, true] {
        let event = message_of(json!({
            "Info": {"ID": "B", "Chat": "628@c.us", "IsFromMe": from_me},
            "IsEdit": true,
            "Message": {"protocolMessage": {"type": 14, "key": {"id": "A"},
                "editedMessage": {"conversation": "dua saja"}}},
        }))
        .await;
        let Ok(Event::Edit(edit)) = event else {
            panic!("{event:?}")
        };
        assert_eq!(edit.contact.as_str(), "628");
        assert_eq!(edit.original.as_str(), "A");
        assert_eq!(edit.content.text, "dua saja");
        assert_eq!(edit.own, from_me);
    }
}
