//! The API's cursors. A byte says what the rest is: a cursor as it is sent, or the place inside one of this list.

use clivy::conversation::ids::BotId;
use clivy::table::Place;
use inbox::cursor;

use crate::Target;
use crate::input::{Input, prints_nothing};

/// The target.
pub const TARGET: Target = Target {
    name: "cursor",
    run,
    seeds,
    words: &[
        "sk",
        "pk",
        "at",
        "HEAD",
        "M#0000000000007#A",
        "T#0000000001",
        "C#toko#62813",
        "C#other#62813",
        "B#toko",
        "{\"",
        "\":",
        "null",
        "e30",
        "#",
    ],
};

const LIST: &str = "[\"conversations\",\"toko\",null,null]";
const OTHER_LIST: &str = "[\"conversations\",\"other\",null,null]";

fn seeds() -> Vec<Vec<u8>> {
    let places = [
        r#"{"sk":"HEAD","pk":"C#toko#62813","at":1763604905000}"#,
        r#"{"sk":"HEAD","pk":"C#other#62813","at":1763604905000}"#,
        r#"{"sk":"M#0000000000007#A"}"#,
        r#"{"sk":"T#0000000001","pk":"C#toko#62813","at":-1}"#,
        "{\"sk\":\"\u{1}\",\"pk\":\"\u{1}\"}",
        r#"{"sk":"HEAD","at":1e3}"#,
    ];
    let mut seeds: Vec<Vec<u8>> = places
        .map(|place| format!("1{place}").into_bytes())
        .to_vec();
    for place in places
        .into_iter()
        .filter_map(|place| serde_json::from_str(place).ok())
    {
        seeds.push(format!("0{}", cursor::write(LIST, &place)).into_bytes());
    }
    seeds
}

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let is_place = input.byte() & 1 == 1;
    let text = input.text();
    if is_place {
        if let Ok(place) = serde_json::from_str::<Place>(&text) {
            goes_round(&place);
        }
        return;
    }
    match cursor::read(LIST, &text) {
        // The refusal is the same for all, so that it tells nothing.
        Err(problem) => {
            assert_eq!(problem, cursor::refused());
            prints_nothing(&problem);
        }
        Ok(place) => {
            goes_round(&place);
            assert!(
                cursor::read(OTHER_LIST, &text).is_err(),
                "I12: a cursor of another list"
            );
        }
    }
}

/// A place comes back from its cursor, in its own list and in no other, and is good for one bot at most.
fn goes_round(place: &Place) {
    let written = cursor::write(LIST, place);
    assert_eq!(cursor::read(LIST, &written).as_ref(), Ok(place));
    assert!(
        cursor::read(OTHER_LIST, &written).is_err(),
        "I12: a cursor of another list"
    );
    assert_eq!(
        written,
        cursor::write(LIST, &cursor::read(LIST, &written).unwrap()),
        "a cursor that is not written the same again"
    );
    assert!(
        written
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
        "a cursor that an address cannot carry"
    );
    let bots = ["toko", "other", "to"].map(|id| BotId::new(id).unwrap());
    let lists = bots.iter().filter(|bot| place.is_in_list_of(bot)).count();
    let turns = bots.iter().filter(|bot| place.is_in_turns_of(bot)).count();
    assert!(lists <= 1 && turns <= 1, "I12: a place in two bots' lists");
    assert!(
        lists + turns + usize::from(place.is_in_thread()) <= 1,
        "a place in lists of different kinds"
    );
}
