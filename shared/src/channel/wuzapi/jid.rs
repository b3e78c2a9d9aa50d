//! WhatsApp's addresses: `user.agent:device@server`.

use super::text::non_blank;
use crate::conversation::ids::{Contact, InvalidId};

/// What kind of address a JID is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// A phone number.
    Phone,
    /// A hidden user: WhatsApp's id in the place of a phone number.
    Lid,
    Group,
    /// Status posts and broadcast lists.
    Broadcast,
    Newsletter,
    Bot,
    /// Messenger, other networks, and what comes next.
    Other,
}

/// An address without its device part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Jid<'a> {
    user: &'a str,
    host: &'a str,
    pub(super) server: Server,
}

const PHONE_HOST: &str = "s.whatsapp.net";

impl<'a> Jid<'a> {
    /// `None` for what is no address, the empty string included.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = non_blank(text)?.trim();
        // A bare number is a phone: old senders and hand-written calls leave the server out.
        let (user, host) = text.rsplit_once('@').unwrap_or((text, PHONE_HOST));
        let user = user.split(['.', ':']).next().unwrap_or_default();
        let server = server(host)?;
        let jid = match server {
            Server::Phone => {
                let digits = user.strip_prefix('+').unwrap_or(user);
                let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                let user = is_number.then_some(digits)?;
                let server = if is_assistant(user) {
                    Server::Bot
                } else {
                    server
                };
                Self { user, host, server }
            }
            _ => Self { user, host, server },
        };
        (!jid.user.is_empty()).then_some(jid)
    }

    /// The customer behind it: the digits of a phone number, else the JID.
    ///
    /// # Errors
    /// When it is longer than an address can be, or holds other characters.
    pub(super) fn contact(self) -> Result<Contact, InvalidId> {
        match self.server {
            Server::Phone => Contact::new(self.user),
            Server::Lid => Contact::new(&format!("{}@lid", self.user)),
            _ => Contact::new(&format!("{}@{}", self.user, self.host.to_ascii_lowercase())),
        }
    }

    /// WhatsApp itself, which writes from the number 0.
    pub(super) fn is_whatsapp(self) -> bool {
        self.server == Server::Phone && self.user == "0"
    }

    /// Whether a person can be behind it.
    fn rank(self) -> Option<u8> {
        match self.server {
            Server::Phone => Some(0),
            Server::Lid => Some(1),
            Server::Other => Some(2),
            Server::Group | Server::Broadcast | Server::Newsletter | Server::Bot => None,
        }
    }
}

/// WhatsApp's own assistants write from numbers, too: these eleven digits belong to nobody else (whatsmeow's `IsBot`).
fn is_assistant(number: &str) -> bool {
    let begins = |prefix| number.starts_with(prefix);
    number.len() == 11 && (begins("1313555") || begins("131655500"))
}

fn server(host: &str) -> Option<Server> {
    let known = [
        (PHONE_HOST, Server::Phone),
        ("c.us", Server::Phone),
        ("hosted", Server::Phone),
        ("lid", Server::Lid),
        ("hosted.lid", Server::Lid),
        ("g.us", Server::Group),
        ("broadcast", Server::Broadcast),
        ("newsletter", Server::Newsletter),
        ("bot", Server::Bot),
    ];
    let found = known
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(host));
    match found {
        Some((_, server)) => Some(server),
        None if host.is_empty() => None,
        None => Some(Server::Other),
    }
}

/// The person among `addresses`: the first phone number, else the first LID, else the first other JID. One
/// person is one contact this way, whichever of their addresses a message came from.
pub(super) fn person<'a>(addresses: impl IntoIterator<Item = Jid<'a>>) -> Option<Jid<'a>> {
    addresses
        .into_iter()
        .filter_map(|jid| jid.rank().map(|rank| (rank, jid)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, jid)| jid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(text: &str) -> Option<String> {
        let contact = Jid::parse(text)?.contact().ok()?;
        Some(contact.as_str().to_owned())
    }

    #[test]
    fn device_and_agent_are_not_part_of_the_contact() {
        for text in [
            "6281300045678@s.whatsapp.net",
            "6281300045678:24@s.whatsapp.net",
            "6281300045678.0:24@s.whatsapp.net",
            "6281300045678.0@s.whatsapp.net",
            "6281300045678@c.us",
            "6281300045678:99@hosted",
            "+6281300045678@s.whatsapp.net",
            "6281300045678@S.WhatsApp.Net",
            "6281300045678",
            "6281300045678:3",
            " +6281300045678 ",
        ] {
            assert_eq!(contact(text).as_deref(), Some("6281300045678"), "{text}");
        }
    }

    #[test]
    fn a_hidden_user_is_the_whole_jid() {
        for text in [
            "7741@lid",
            "7741:3@lid",
            "7741.1:3@lid",
            "7741:99@hosted.lid",
            "7741@LID",
        ] {
            assert_eq!(contact(text).as_deref(), Some("7741@lid"), "{text}");
        }
        assert_eq!(contact("1-77:2@interop").as_deref(), Some("1-77@interop"));
    }

    #[test]
    fn what_is_no_address_names_nobody() {
        for text in [
            "",
            " ",
            "\u{200b}",
            "@",
            "@lid",
            "62@",
            ":24@s.whatsapp.net",
            "+@c.us",
            "halo@s.whatsapp.net",
            "62 81@s.whatsapp.net",
            "halo",
            "٦٢٨@s.whatsapp.net",
            "a#b@lid",
            "a b@lid",
            "62-81",
        ] {
            assert_eq!(contact(text), None, "{text}");
        }
        let endless = format!("{}@s.whatsapp.net", "6".repeat(500));
        assert_eq!(contact(&endless), None);
    }

    #[test]
    fn whatsapps_assistants_are_nobody_although_they_have_numbers() {
        let is_bot = |text: &str| Jid::parse(text).unwrap().server == Server::Bot;
        for number in ["13135550002", "13135559999:3", "+13165550042"] {
            assert!(is_bot(&format!("{number}@s.whatsapp.net")), "{number}");
        }
        for number in [
            "13135560002",
            "131355500021",
            "1313555000",
            "13165551042",
            "6213135550002",
        ] {
            assert!(!is_bot(&format!("{number}@s.whatsapp.net")), "{number}");
        }
        assert!(!is_bot("13135550002@lid"));
    }

    #[test]
    fn the_phone_number_comes_before_the_hidden_id_whatever_the_order() {
        let lid = Jid::parse("7741@lid").unwrap();
        let phone = Jid::parse("6281300045678@s.whatsapp.net").unwrap();
        let other_phone = Jid::parse("6281300099999@s.whatsapp.net").unwrap();
        let bot = Jid::parse("8675@bot").unwrap();
        assert!(person([lid, phone]) == Some(phone));
        assert!(person([phone, other_phone]) == Some(phone));
        assert!(person([bot, lid]) == Some(lid));
        assert!(person([bot]).is_none());
    }
}
