use super::*;
use serde_json::json;

fn read(message: &Value) -> Meaning {
    meaning(message.as_object().unwrap(), false).unwrap()
}

fn said(message: &Value) -> (MessageKind, String) {
    match read(message) {
        Meaning::Content(content) => (content.kind, content.text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_is_kept_as_it_was_written() {
    let text = "  Halo \u{200f}kak\n\n*2 botol* 👨‍👩‍👧  ";
    assert_eq!(
        said(&json!({"conversation": text})),
        (MessageKind::Text, text.to_owned())
    );
    let extended = json!({"extendedTextMessage": {"text": text, "JPEGThumbnail": "AAAA"}});
    assert_eq!(said(&extended), (MessageKind::Text, text.to_owned()));
}

#[test]
fn an_empty_conversation_beside_an_extended_text_is_the_extended_text() {
    let message = json!({"conversation": "", "extendedTextMessage": {"text": "ada stok?"}});
    assert_eq!(said(&message).1, "ada stok?");
    let message = json!({"conversation": " ", "imageMessage": {"caption": "ini"}});
    assert_eq!(said(&message), (MessageKind::Image, "ini".to_owned()));
}

#[test]
fn a_long_text_is_cut_by_characters() {
    let (_, text) = said(&json!({"conversation": "🙏".repeat(70_000)}));
    assert_eq!(text.chars().count(), 65_536);
    assert!(text.chars().all(|c| c == '🙏'));
}

#[test]
fn a_caption_is_the_text_and_media_without_one_are_named() {
    use MessageKind::*;
    for (name, kind, label) in [
        ("imageMessage", Image, "[gambar]"),
        ("videoMessage", Video, "[video]"),
        ("ptvMessage", Video, "[video]"),
        ("documentMessage", Document, "[dokumen]"),
    ] {
        let captioned = json!({name: {"caption": "Bukti transfer", "mediaKey": "AAAA"}});
        assert_eq!(said(&captioned), (kind, "Bukti transfer".to_owned()));
        for blank in [
            json!({}),
            json!({"caption": null}),
            json!({"caption": " \u{200b}"}),
        ] {
            assert_eq!(said(&json!({name: blank})), (kind, label.to_owned()));
        }
    }
    assert_eq!(
        said(&json!({"audioMessage": {"PTT": true, "waveform": "AAEC"}})),
        (Audio, "[pesan suara]".to_owned())
    );
    assert_eq!(
        said(&json!({"stickerMessage": {}})),
        (Sticker, "[stiker]".to_owned())
    );
    assert_eq!(
        said(&json!({"documentMessage": {"fileName": "menu.pdf", "title": "menu.pdf"}})).1,
        "[dokumen: menu.pdf, menu.pdf]"
    );
}

#[test]
fn a_placeholder_tells_the_names_that_the_message_carries() {
    for (message, kind, text) in [
        (
            json!({"locationMessage": {"degreesLatitude": -6.2, "name": "Kopi Pagi", "address": "Jl. Melati 3"}}),
            MessageKind::Location,
            "[lokasi: Kopi Pagi, Jl. Melati 3]",
        ),
        (
            json!({"locationMessage": {"degreesLatitude": -6.2, "name": "", "address": null}}),
            MessageKind::Location,
            "[lokasi]",
        ),
        (
            json!({"liveLocationMessage": {"caption": "sudah dekat"}}),
            MessageKind::Location,
            "[lokasi terkini: sudah dekat]",
        ),
        (
            json!({"contactMessage": {"displayName": "Pak Budi", "vcard": "BEGIN:VCARD"}}),
            MessageKind::Contact,
            "[kontak: Pak Budi]",
        ),
        (
            json!({"contactsArrayMessage": {"contacts": [{"displayName": "Ani"}, 5, {"DisplayName": "Ujang"}]}}),
            MessageKind::Contact,
            "[kontak: Ani, Ujang]",
        ),
        (
            json!({"orderMessage": {"orderTitle": "Toko", "message": "tolong dibungkus", "itemCount": 2}}),
            MessageKind::Order,
            "[pesanan: Toko, tolong dibungkus]",
        ),
        (
            json!({"productMessage": {"product": {"title": "Kopi 1 liter"}}}),
            MessageKind::Order,
            "[produk: Kopi 1 liter]",
        ),
        (
            json!({"pollCreationMessageV3": {"name": "Besok buka?", "options": []}}),
            MessageKind::Other,
            "[polling: Besok buka?]",
        ),
        (
            json!({"eventMessage": {"name": "Buka puasa"}}),
            MessageKind::Other,
            "[acara: Buka puasa]",
        ),
        (
            json!({"groupInviteMessage": {"groupName": "Arisan"}}),
            MessageKind::Other,
            "[undangan grup: Arisan]",
        ),
        (
            json!({"callLogMesssage": {"isVideo": false}}),
            MessageKind::Other,
            "[panggilan]",
        ),
        (
            json!({"hologramMessage": {"url": "x"}, "messageContextInfo": {}}),
            MessageKind::Other,
            "[pesan yang belum didukung]",
        ),
    ] {
        assert_eq!(said(&message), (kind, text.to_owned()), "{message}");
    }
}

#[test]
fn a_placeholder_stays_short() {
    let (_, text) = said(&json!({"locationMessage": {"name": "é".repeat(5_000)}}));
    assert!(text.chars().count() < 220, "{}", text.chars().count());
}

#[test]
fn a_chosen_button_or_row_is_its_text() {
    for message in [
        json!({"buttonsResponseMessage": {"Response": {"SelectedDisplayText": "Ya, lanjut"}, "selectedButtonID": "b1"}}),
        json!({"buttonsResponseMessage": {"selectedDisplayText": "Ya, lanjut"}}),
        json!({"listResponseMessage": {"title": "Ya, lanjut", "singleSelectReply": {"selectedRowID": "r1"}}}),
        json!({"templateButtonReplyMessage": {"selectedDisplayText": "Ya, lanjut", "selectedID": "1"}}),
        json!({"interactiveResponseMessage": {"body": {"text": "Ya, lanjut"}}}),
    ] {
        assert_eq!(
            said(&message),
            (MessageKind::Text, "Ya, lanjut".to_owned()),
            "{message}"
        );
    }
    let only_id = json!({"buttonsResponseMessage": {"selectedButtonID": "b1"}});
    assert_eq!(said(&only_id).1, "b1");
    let nothing = json!({"interactiveResponseMessage": {}});
    assert_eq!(said(&nothing).1, "[balasan tombol]");
}

#[test]
fn every_wrapper_is_taken_off_also_one_inside_another_and_one_not_invented_yet() {
    for name in [
        "ephemeralMessage",
        "viewOnceMessage",
        "viewOnceMessageV2",
        "viewOnceMessageV2Extension",
        "documentWithCaptionMessage",
        "editedMessage",
        "deviceSentMessage",
        "groupMentionedMessage",
        "lottieStickerMessage",
        "botInvokeMessage",
        "associatedChildMessage",
        "nextYearsMessage",
    ] {
        let message = json!({"messageContextInfo": {}, name: {"message": {"imageMessage": {"caption": "isi"}}}});
        assert_eq!(
            said(&message),
            (MessageKind::Image, "isi".to_owned()),
            "{name}"
        );
    }
    let twice = json!({"deviceSentMessage": {"destinationJID": "x", "message":
        {"ephemeralMessage": {"Message": {"conversation": "isi"}}}}});
    assert_eq!(said(&twice).1, "isi");
}

#[test]
fn the_better_copy_of_a_photo_is_the_photo_itself_and_no_second_message() {
    let copy = |kind: serde_json::Value, key: &str| {
        json!({"associatedChildMessage": {"message": {"imageMessage": {"caption": "isi"}}},
            "messageContextInfo": {"messageAssociation": {"associationType": kind, key: {"ID": "3EB0"}}}})
    };
    for kind in [
        json!(10),
        json!(5),
        json!("HD_IMAGE_DUAL_UPLOAD"),
        json!("motion_photo"),
    ] {
        let meaning = read(&copy(kind, "parentMessageKey"));
        assert!(matches!(meaning, Meaning::Protocol), "{meaning:?}");
    }
    let wrapped = json!({"ephemeralMessage": {"message": copy(json!(10), "parentMessageKey")}});
    assert!(matches!(read(&wrapped), Meaning::Protocol));
    // Pictures of an album are messages, and so is what is a part of nothing.
    for message in [
        copy(json!(1), "parentMessageKey"),
        copy(json!("MEDIA_ALBUM"), "parentMessageKey"),
        copy(json!(10), "messageIndex"),
        copy(json!(null), "parentMessageKey"),
    ] {
        assert_eq!(said(&message).1, "isi", "{message}");
    }
}

#[test]
fn endless_wrappers_end() {
    let mut message = json!({"conversation": "isi"});
    for _ in 0..100 {
        message = json!({"ephemeralMessage": {"message": message}});
    }
    assert_eq!(said(&message).0, MessageKind::Other);
}

#[test]
fn what_apps_tell_each_other_is_nobodys_turn() {
    for message in [
        json!({"protocolMessage": {"type": 0, "key": {"ID": "A"}}}),
        json!({"protocolMessage": {"type": 3}}),
        json!({"protocolMessage": {"type": "REVOKE"}}),
        json!({"protocolMessage": {}}),
        json!({"pollUpdateMessage": {"vote": {}}}),
        json!({"keepInChatMessage": {}}),
        json!({"pinInChatMessage": {}}),
        json!({"senderKeyDistributionMessage": {"groupID": "x"}, "messageContextInfo": {}}),
        json!({"albumMessage": {"expectedImageCount": 2}}),
        json!({"statusNotificationMessage": {"responseMessageKey": {"ID": "A"}, "type": 2}}),
        json!({"pollResultSnapshotMessageV3": {"name": "x"}, "messageContextInfo": {}}),
        json!({"ephemeralMessage": {"message": {"protocolMessage": {"type": 0}}}}),
    ] {
        let meaning = read(&message);
        assert!(
            matches!(meaning, Meaning::Protocol),
            "{message} {meaning:?}"
        );
    }
    for message in [
        json!({"reactionMessage": {"text": "👍"}}),
        json!({"reactionMessage": {"text": ""}}),
        json!({"encReactionMessage": {}}),
        json!({"ephemeralMessage": {"message": {"reactionMessage": {}}}}),
    ] {
        assert!(matches!(read(&message), Meaning::Reaction));
    }
}

#[test]
fn a_key_that_travels_with_a_text_does_not_hide_the_text() {
    let message = json!({"senderKeyDistributionMessage": {}, "conversation": "halo"});
    assert_eq!(said(&message).1, "halo");
}

#[test]
fn nothing_and_blanks_are_empty() {
    for message in [
        json!({}),
        json!({"messageContextInfo": {"messageSecret": "AAAA"}}),
        json!({"conversation": ""}),
        json!({"conversation": " \n\u{200b}\u{2060}"}),
        json!({"extendedTextMessage": {"text": "\u{feff}"}}),
        json!({"extendedTextMessage": {}}),
        json!({"conversation": null, "imageMessage": null}),
        json!({"ephemeralMessage": {"message": {}}}),
    ] {
        let meaning = read(&message);
        assert!(matches!(meaning, Meaning::Empty), "{message} {meaning:?}");
    }
}

#[test]
fn an_edit_names_the_message_it_changes() {
    let edit = |protocol: Value| json!({"protocolMessage": protocol});
    let body = |kind: Value| json!({"type": kind, "key": {"ID": "3EB0A1"}, "editedMessage": {"conversation": "dua saja"}});
    for message in [
        edit(body(json!(14))),
        edit(body(json!("MESSAGE_EDIT"))),
        json!({"editedMessage": {"message": edit(body(json!(14)))}}),
    ] {
        match read(&message) {
            Meaning::Edit { original, content } => {
                assert_eq!(original.as_str(), "3EB0A1");
                assert_eq!(content.text, "dua saja");
            }
            other => panic!("{message} {other:?}"),
        }
    }
    let untyped = edit(body(Value::Null));
    let remarked = meaning(untyped.as_object().unwrap(), true).unwrap();
    assert!(matches!(remarked, Meaning::Edit { .. }));
    assert!(matches!(read(&untyped), Meaning::Protocol));
}

#[test]
fn an_edit_of_nothing_or_to_nothing_changes_nothing() {
    for protocol in [
        json!({"type": 14, "editedMessage": {"conversation": "x"}}),
        json!({"type": 14, "key": {"ID": ""}, "editedMessage": {"conversation": "x"}}),
        json!({"type": 14, "key": {"ID": "A"}}),
    ] {
        assert!(matches!(
            read(&json!({"protocolMessage": protocol})),
            Meaning::Protocol
        ));
    }
    let blank = json!({"type": 14, "key": {"ID": "A"}, "editedMessage": {"conversation": " "}});
    assert!(matches!(
        read(&json!({"protocolMessage": blank})),
        Meaning::Empty
    ));
}

#[test]
fn a_text_of_another_json_type_is_refused_by_name() {
    for (message, field) in [
        (json!({"conversation": 5}), "Message.conversation"),
        (
            json!({"extendedTextMessage": "halo"}),
            "extendedTextMessage",
        ),
        (
            json!({"extendedTextMessage": {"text": ["halo"]}}),
            "extendedTextMessage.text",
        ),
        (
            json!({"imageMessage": {"caption": {}}}),
            "imageMessage.caption",
        ),
        (json!({"imageMessage": true}), "imageMessage"),
        (json!({"protocolMessage": 14}), "Message.protocolMessage"),
    ] {
        let error = meaning(message.as_object().unwrap(), false).unwrap_err();
        assert!(
            matches!(error, BadEnvelope::WrongType { field: named, .. } if named == field),
            "{error}"
        );
    }
}
