//! The webhook body of a text message, as wuzapi has posted it since late 2025.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Value, json};

use super::chats::Bubble;

/// The session user that wuzapi names in its envelopes.
const USER_ID: &str = "1";

/// The body for a bubble that `contact` wrote to `bot`. WhatsApp's time is whole seconds; the offset is Jakarta's.
pub(super) fn body(bot: &str, contact: &str, name: &str, bubble: &Bubble) -> Value {
    let jid = if contact.contains('@') {
        contact.to_owned()
    } else {
        format!("{contact}@s.whatsapp.net")
    };
    let at = Timestamp::from_second(bubble.at_ms.div_euclid(1_000)).unwrap_or_default();
    let message = json!({"conversation": bubble.text});
    json!({
        "type": "Message",
        "event": {
            "Info": {
                "ID": bubble.id,
                "Chat": jid,
                "Sender": jid,
                "SenderAlt": "",
                "RecipientAlt": "",
                "AddressingMode": "",
                "IsFromMe": false,
                "IsGroup": false,
                "PushName": name,
                "Timestamp": at.display_with_offset(Offset::constant(7)).to_string(),
                "Type": "text",
                "MediaType": "",
                "Category": "",
                "Edit": "",
                "Multicast": false,
                "ServerID": 0,
            },
            "Message": message,
            "RawMessage": message,
            "IsEdit": false,
            "IsEphemeral": false,
            "IsViewOnce": false,
            "RetryCount": 0,
        },
        "instanceName": bot,
        "userID": USER_ID,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bubble() -> Bubble {
        Bubble::typed(
            "3EB0AA".to_owned(),
            "jam buka?\n\"besok\" 🙏".to_owned(),
            1_763_604_904_987,
        )
    }

    #[test]
    fn a_bubble_is_a_text_message_of_its_contact() {
        let body = body("demo", "6281100020001", "Rina", &bubble());
        assert_eq!(body["type"], "Message");
        assert_eq!(body["instanceName"], "demo");
        let info = &body["event"]["Info"];
        assert_eq!(info["ID"], "3EB0AA");
        assert_eq!(info["Chat"], "6281100020001@s.whatsapp.net");
        assert_eq!(info["Sender"], info["Chat"]);
        assert_eq!(info["PushName"], "Rina");
        assert_eq!(info["Timestamp"], "2025-11-20T09:15:04+07:00");
        assert_eq!(info["IsFromMe"], false);
        assert_eq!(
            body["event"]["Message"]["conversation"],
            "jam buka?\n\"besok\" 🙏"
        );
    }

    #[test]
    fn a_contact_that_is_a_jid_stays_one() {
        let body = body("demo", "84203917755120@lid", "Rina", &bubble());
        assert_eq!(body["event"]["Info"]["Chat"], "84203917755120@lid");
    }
}
