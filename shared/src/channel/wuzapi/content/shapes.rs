//! The messages we know by name: which text they carry, and what stands for them where they carry none.

use super::super::envelope::BadEnvelope;
use super::super::fields::{self, Object};
use super::super::text::{cut, non_blank};
use crate::conversation::message::MessageKind;

/// The most that a placeholder repeats of what the customer sent, in characters.
const MAX_DETAIL_CHARACTERS: usize = 200;

/// The most contact cards that a placeholder names.
const MAX_NAMES: usize = 5;

/// One field of WhatsApp's `Message`.
pub(super) struct Shape {
    /// The field's name.
    pub(super) name: &'static str,
    pub(super) kind: MessageKind,
    /// Paths to what the customer wrote; the first that is not blank counts.
    texts: &'static [&'static str],
    /// What stands for it without a text; `None` where a blank text means an empty message.
    label: Option<&'static str>,
    /// Paths to what the placeholder tells besides the label: a string, or cards with names.
    details: &'static [&'static str],
}

const fn text(name: &'static str, texts: &'static [&'static str]) -> Shape {
    Shape {
        name,
        kind: MessageKind::Text,
        texts,
        label: Some("balasan tombol"),
        details: &[],
    }
}

const fn media(
    name: &'static str,
    kind: MessageKind,
    label: &'static str,
    texts: &'static [&'static str],
    details: &'static [&'static str],
) -> Shape {
    Shape {
        name,
        kind,
        texts,
        label: Some(label),
        details,
    }
}

/// In the order of precedence; a message normally holds one of them. The capitalised parts of paths are Go's
/// names of protobuf "oneof" fields.
#[rustfmt::skip]
pub(super) const SHAPES: &[Shape] = {
    use MessageKind::{Audio, Contact, Document, Image, Location, Order, Other, Sticker, Video};
    &[
        Shape {
            name: "extendedTextMessage",
            kind: MessageKind::Text,
            texts: &["extendedTextMessage.text"],
            label: None,
            details: &[],
        },
        media("imageMessage", Image, "gambar", &["imageMessage.caption"], &[]),
        media("videoMessage", Video, "video", &["videoMessage.caption"], &[]),
        media("ptvMessage", Video, "video", &["ptvMessage.caption"], &[]),
        media("documentMessage", Document, "dokumen", &["documentMessage.caption"],
            &["documentMessage.fileName", "documentMessage.title"]),
        media("audioMessage", Audio, "pesan suara", &[], &[]),
        media("stickerMessage", Sticker, "stiker", &[], &[]),
        media("stickerPackMessage", Sticker, "paket stiker", &[], &["stickerPackMessage.name"]),
        media("locationMessage", Location, "lokasi", &[],
            &["locationMessage.name", "locationMessage.address", "locationMessage.comment"]),
        media("liveLocationMessage", Location, "lokasi terkini", &[], &["liveLocationMessage.caption"]),
        media("contactMessage", Contact, "kontak", &[], &["contactMessage.displayName"]),
        media("contactsArrayMessage", Contact, "kontak", &[], &["contactsArrayMessage.contacts"]),
        media("orderMessage", Order, "pesanan", &[], &["orderMessage.orderTitle", "orderMessage.message"]),
        media("productMessage", Order, "produk", &[],
            &["productMessage.product.title", "productMessage.body"]),
        text("buttonsResponseMessage", &[
            "buttonsResponseMessage.Response.SelectedDisplayText",
            "buttonsResponseMessage.selectedDisplayText",
            "buttonsResponseMessage.selectedButtonID",
        ]),
        text("listResponseMessage", &[
            "listResponseMessage.title",
            "listResponseMessage.description",
            "listResponseMessage.singleSelectReply.selectedRowID",
        ]),
        text("templateButtonReplyMessage", &[
            "templateButtonReplyMessage.selectedDisplayText",
            "templateButtonReplyMessage.selectedID",
        ]),
        text("interactiveResponseMessage", &[
            "interactiveResponseMessage.body.text",
            "interactiveResponseMessage.InteractiveResponseMessage.NativeFlowResponseMessage.name",
            "interactiveResponseMessage.nativeFlowResponseMessage.name",
        ]),
        // What businesses send to each other, or a person of ours from another tool.
        media("interactiveMessage", Other, "pesan interaktif", &["interactiveMessage.body.text"], &[]),
        media("buttonsMessage", Other, "pesan interaktif", &["buttonsMessage.contentText"], &[]),
        media("listMessage", Other, "pesan interaktif", &["listMessage.description", "listMessage.title"], &[]),
        media("templateMessage", Other, "pesan interaktif",
            &["templateMessage.hydratedTemplate.hydratedContentText"], &[]),
        media("eventMessage", Other, "acara", &[], &["eventMessage.name"]),
        media("groupInviteMessage", Other, "undangan grup", &["groupInviteMessage.caption"],
            &["groupInviteMessage.groupName"]),
        media("newsletterAdminInviteMessage", Other, "undangan saluran",
            &["newsletterAdminInviteMessage.caption"], &["newsletterAdminInviteMessage.newsletterName"]),
        media("requestPaymentMessage", Other, "permintaan pembayaran", &[], &[]),
        media("sendPaymentMessage", Other, "pembayaran", &[], &[]),
        media("invoiceMessage", Other, "tagihan", &[], &["invoiceMessage.note"]),
        media("scheduledCallCreationMessage", Other, "jadwal panggilan", &[],
            &["scheduledCallCreationMessage.title"]),
        // The three s are WhatsApp's own.
        media("callLogMesssage", Other, "panggilan", &[], &[]),
        media("bcallMessage", Other, "panggilan", &[], &[]),
        media("call", Other, "panggilan", &[], &[]),
    ]
};

impl Shape {
    /// The text that stands for the message in `level`, if it is of this shape and not blank.
    ///
    /// # Errors
    /// The message is not an object, or what the customer wrote is not a string.
    pub(super) fn read(&self, level: &Object) -> Result<Option<String>, BadEnvelope> {
        if fields::object(level, self.name)?.is_none() {
            return Ok(None);
        }
        for path in self.texts {
            if let Some(text) = written(level, path)? {
                return Ok(Some(text.to_owned()));
            }
        }
        Ok(self
            .label
            .map(|label| placeholder(label, level, self.details)))
    }
}

fn written<'a>(level: &'a Object, path: &'static str) -> Result<Option<&'a str>, BadEnvelope> {
    let Some(value) = fields::dig(level, path) else {
        return Ok(None);
    };
    let text = value.as_str().ok_or(BadEnvelope::WrongType {
        field: path,
        expected: "a string",
    })?;
    Ok(non_blank(text))
}

/// `[label]`, or `[label: details]` where there is something to tell. Never media: names and titles only.
pub(super) fn placeholder(label: &str, level: &Object, details: &[&str]) -> String {
    let told: Vec<&str> = details
        .iter()
        .filter_map(|path| fields::dig(level, path))
        .flat_map(|value| match value.as_array() {
            Some(cards) => cards
                .iter()
                .filter_map(|card| fields::get(card.as_object()?, "displayName")?.as_str())
                .take(MAX_NAMES)
                .collect(),
            None => Vec::from_iter(value.as_str()),
        })
        .filter_map(non_blank)
        .map(str::trim)
        .collect();
    if told.is_empty() {
        return format!("[{label}]");
    }
    let told = told.join(", ");
    format!("[{label}: {}]", cut(&told, MAX_DETAIL_CHARACTERS))
}
