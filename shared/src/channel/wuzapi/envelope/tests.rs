use super::*;
use crate::channel::{Event, Ignored};

const PRESENCE: &str = r#"{"type":"Presence","event":{}}"#;

async fn decoded(
    content_type: Option<&str>,
    body: impl Into<Bytes>,
) -> Result<Envelope, BadEnvelope> {
    read(content_type, &body.into()).await
}

async fn refused(content_type: Option<&str>, body: impl Into<Bytes>) -> String {
    decoded(content_type, body).await.unwrap_err().to_string()
}

/// A multipart body of these parts: name, file name, content.
fn multipart_body(parts: &[(&str, Option<&str>, &[u8])]) -> Bytes {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file
            .map(|file| format!("; filename=\"{file}\""))
            .unwrap_or_default();
        let head =
            format!("--batas\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--batas--\r\n");
    body.into()
}

const MULTIPART: Option<&str> = Some("multipart/form-data; boundary=batas");

#[tokio::test]
async fn one_envelope_comes_out_of_every_encoding() {
    let json = r#"{"type":"Presence","event":{},"instanceName":"toko"}"#;
    let form =
        "jsonData=%7B%22type%22%3A%22Presence%22%2C%22event%22:{}%7D&instanceName=toko&userID=u";
    let parts = multipart_body(&[
        ("instanceName", None, b"toko"),
        ("file", Some("a.jpg"), b"\xff\xd8\xff"),
        ("jsonData", None, PRESENCE.as_bytes()),
    ]);
    for (content_type, body) in [
        (Some("application/json"), Bytes::from(json)),
        (Some("Application/JSON; charset=utf-8"), Bytes::from(json)),
        (Some("text/json"), Bytes::from(json)),
        (Some("application/vnd.wuzapi+json"), Bytes::from(json)),
        (Some("application/x-www-form-urlencoded"), Bytes::from(json)),
        (Some("text/plain"), Bytes::from(json)),
        (None, Bytes::from(format!("\r\n {json}\n"))),
        (Some("application/x-www-form-urlencoded"), Bytes::from(form)),
        (
            Some("APPLICATION/X-WWW-FORM-URLENCODED;charset=UTF-8"),
            Bytes::from(form),
        ),
        (None, Bytes::from(form)),
        (Some(""), Bytes::from(form.replace("jsonData", "JSONDATA"))),
        (MULTIPART, parts.clone()),
        (
            Some("Multipart/Form-Data; charset=utf-8; boundary=\"batas\""),
            parts,
        ),
    ] {
        let envelope = decoded(content_type, body).await.unwrap();
        assert_eq!(envelope.instance_name(), Some("toko"), "{content_type:?}");
        assert_eq!(envelope.token(), None);
        assert_eq!(
            envelope.event(),
            Ok(Event::Ignored(Ignored::Presence)),
            "{content_type:?}"
        );
    }
}

#[tokio::test]
async fn a_form_is_unescaped_exactly() {
    let body = "token=a%2Bb+c%26d%3D%F0%9F%99%8F%zz&jsonData={}&token=second";
    let envelope = decoded(Some("application/x-www-form-urlencoded"), body)
        .await
        .unwrap();
    assert_eq!(envelope.token(), Some("a+b c&d=🙏%zz"));
}

#[tokio::test]
async fn what_stands_outside_counts_before_what_stands_inside() {
    let inside = r#"{"instanceName":"dalam","token":"dalam"}"#;
    let form = |outside: &str| format!("jsonData={inside}&{outside}");
    let content_type = Some("application/x-www-form-urlencoded");
    let envelope = decoded(content_type, form("instanceName=luar"))
        .await
        .unwrap();
    assert_eq!(envelope.instance_name(), Some("luar"));
    assert_eq!(envelope.token(), Some("dalam"));
    let envelope = decoded(content_type, form("instanceName=")).await.unwrap();
    assert_eq!(envelope.instance_name(), Some("dalam"));
}

#[tokio::test]
async fn a_json_body_may_carry_json_data_too() {
    for inside in [
        PRESENCE.to_owned(),
        serde_json::to_string(PRESENCE).unwrap(),
    ] {
        let body = format!(r#"{{"token":"t","jsonData":{inside}}}"#);
        let envelope = decoded(Some("application/json"), body).await.unwrap();
        assert_eq!(envelope.event(), Ok(Event::Ignored(Ignored::Presence)));
    }
}

#[tokio::test]
async fn a_body_that_names_no_bot_is_refused() {
    let error = "instanceName or token is missing";
    for body in [
        r#"{"type":"Presence"}"#,
        r#"{"type":"Presence","instanceName":"","token":" "}"#,
        r#"{"type":"Presence","instanceName":null}"#,
    ] {
        assert_eq!(refused(None, body).await, error, "{body}");
    }
    assert_eq!(refused(None, format!("jsonData={PRESENCE}")).await, error);
    let wrong = refused(None, r#"{"instanceName":5,"token":"t"}"#).await;
    assert_eq!(wrong, "instanceName must be a string");
}

#[tokio::test]
async fn what_no_generation_sends_is_refused_with_its_reason() {
    let json = Some("application/json");
    let form = Some("application/x-www-form-urlencoded");
    let deep = format!("{}{}", r#"{"a":"#.repeat(200_000), "}".repeat(200_000));
    let cut_off = "the body is JSON that ends too early";
    let unknown = "the body is neither JSON nor a form with jsonData";
    for (content_type, body, error) in [
        (None, "", unknown),
        (None, "halo", unknown),
        (None, "[]", unknown),
        (None, "<xml/>", unknown),
        (json, "", cut_off),
        (json, r#"{"token":"t""#, cut_off),
        (json, "[]", "the body must be an object"),
        (json, "5", "the body must be an object"),
        (json, "null", "the body must be an object"),
        (
            json,
            "{]",
            "the body is not JSON that can be read (line 1, column 2)",
        ),
        (
            json,
            "token=t",
            "the body is not JSON that can be read (line 1, column 2)",
        ),
        (
            json,
            r#"{"token":"t"}{}"#,
            "the body is not JSON that can be read (line 1, column 14)",
        ),
        (form, "", "jsonData is missing"),
        (form, "token=t", "jsonData is missing"),
        (
            form,
            "token=t&jsonData=",
            "jsonData is JSON that ends too early",
        ),
        (form, "token=t&jsonData=[]", "jsonData must be an object"),
        (
            form,
            "token=t&jsonData={]",
            "jsonData is not JSON that can be read (line 1, column 2)",
        ),
        (form, "token=%ff&jsonData={}", "a form field is not UTF-8"),
        (
            json,
            r#"{"token":"t","jsonData":5}"#,
            "jsonData must be a string of JSON",
        ),
        (
            Some("multipart/form-data"),
            "x",
            "the multipart body is broken",
        ),
        (MULTIPART, "x", "the multipart body is broken"),
        (MULTIPART, "--batas--\r\n", "jsonData is missing"),
    ] {
        assert_eq!(
            refused(content_type, body).await,
            error,
            "{content_type:?} {body}"
        );
    }
    let error = refused(json, deep).await;
    assert!(
        error.starts_with("the body is not JSON that can be read"),
        "{error}"
    );
    let error = refused(json, &b"{\"token\":\"\xff\"}"[..]).await;
    assert_eq!(error, "the body is not UTF-8");
}

#[tokio::test]
async fn a_text_field_that_comes_twice_is_refused() {
    let parts = multipart_body(&[
        ("token", None, b"t"),
        ("jsonData", None, PRESENCE.as_bytes()),
        ("jsonData", None, b"{}"),
    ]);
    let error = refused(MULTIPART, parts).await;
    assert_eq!(error, "a field of the multipart body appears twice");
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_refused_only_where_they_are_read() {
    let parts = |name| {
        multipart_body(&[
            ("token", None, b"t"),
            (name, None, b"{\"a\":\"\xff\"}"),
            ("JsonData", None, PRESENCE.as_bytes()),
        ])
    };
    let envelope = decoded(MULTIPART, parts("path")).await.unwrap();
    assert_eq!(envelope.event(), Ok(Event::Ignored(Ignored::Presence)));
    let error = refused(MULTIPART, parts("jsonData")).await;
    assert_eq!(error, "jsonData is not UTF-8");
}

#[tokio::test]
async fn a_file_cannot_pass_for_a_text_field() {
    let parts = multipart_body(&[
        ("token", None, b"t"),
        ("jsonData", Some("palsu.json"), PRESENCE.as_bytes()),
    ]);
    assert_eq!(refused(MULTIPART, parts).await, "jsonData is missing");
}

#[tokio::test]
async fn the_signature_of_a_multipart_body_is_over_its_text_fields() {
    // Written by hand as Go's json.Marshal writes it, and signed by another program.
    let signed = "796b4b3f900e62f71b4e2c45f85577795ca615ddfc5004fbdeeb1bd7c5475f45";
    let key = "kunci-rahasia-toko-32-karakter!!";
    let body = |text: &str, picture: &[u8]| {
        multipart_body(&[
            ("userID", None, b"u1"),
            ("jsonData", None, text.as_bytes()),
            ("file", Some("a.jpg"), picture),
            ("instanceName", None, b"Toko & Kopi"),
        ])
    };
    let text = "{\"type\":\"Presence\",\"x\":\"<b>\u{2028}\"}";
    let good = body(text, b"\xff\xd8");
    let envelope = decoded(MULTIPART, good.clone()).await.unwrap();
    assert_eq!(envelope.verify(key, Some(signed), &good), Ok(()));
    assert_eq!(
        envelope.verify(key, None, &good),
        Err(BadSignature::Missing)
    );
    // The gateway does not sign the file.
    let other_file = body(text, b"other");
    let envelope = decoded(MULTIPART, other_file.clone()).await.unwrap();
    assert_eq!(envelope.verify(key, Some(signed), &other_file), Ok(()));
    let forged = body(&text.replace('b', "c"), b"\xff\xd8");
    let envelope = decoded(MULTIPART, forged.clone()).await.unwrap();
    assert_eq!(
        envelope.verify(key, Some(signed), &forged),
        Err(BadSignature::Mismatch)
    );
}

#[tokio::test]
async fn an_envelope_does_not_print_what_it_holds() {
    let envelope = decoded(None, r#"{"token":"rahasia","type":"Presence"}"#)
        .await
        .unwrap();
    assert_eq!(format!("{envelope:?}"), "Envelope([redacted])");
}
