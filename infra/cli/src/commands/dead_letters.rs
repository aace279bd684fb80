//! `tidemark dead-letters`: dispatches that the external platform did not take, and records that no process understood.
//! Only the former can be delivered again: the latter were skipped by everybody alike, for ever.

use super::redrive;
use crate::{
    answers::{DeadLetter, DeadLetters, Dispatch, Dispatches, plain},
    failure::Failure,
    limits, moment, screen,
    settings::Desk,
    table::Table,
};
use std::fmt::Write;

/// Bytes in a line of a payload.
const BYTES_A_LINE: usize = 16;

/// See the module.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List failed dispatches, and the newest dead letters of each topic.
    List {
        /// Only the dead letters of this topic.
        #[arg(long, value_parser = topic)]
        topic: Option<String>,
        /// How many of each.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show one: an order's number, or TOPIC/PARTITION/OFFSET.
    Show {
        /// Which.
        #[arg(value_parser = place)]
        place: Place,
    },
    /// Have failed dispatches tried again; wait until the external platform has taken them.
    Redrive(redrive::Args),
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The dispatch of an order.
    Order(u64),
    /// Of a topic: where the record stood.
    Record(String, i32, u64),
}

/// Does it.
///
/// # Errors
/// Nobody knows, or it was refused.
pub(crate) fn run(desk: &Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { topic, limit } => list(desk, topic.as_deref(), limit),
        Command::Show { place } => show(desk, &place),
        Command::Redrive(args) => redrive::run(desk, &args),
    }
}

fn list(desk: &Desk, topic: Option<&str>, limit: u32) -> Result<(), Failure> {
    let mut all = serde_json::Map::new();
    let mut text = String::new();
    if topic.is_none() {
        let answer = desk.admin.get(&format!("/admin/dispatches?state=FAILED&limit={limit}"), limits::ASK)?;
        let failed: Dispatches = answer.read()?;
        text = failures(&failed.dispatches, answer.now_ms);
        all.insert("dispatches".into(), answer.body.get("dispatches").cloned().unwrap_or_default());
    }
    let which = topic.map(|topic| format!("&topic={topic}")).unwrap_or_default();
    let answer = desk.admin.get(&format!("/admin/dead-letters?limit={limit}{which}"), limits::LETTERS)?;
    let found = answer.read::<DeadLetters>()?.dead_letters;
    all.insert("deadLetters".into(), answer.body.get("deadLetters").cloned().unwrap_or_default());
    if desk.json {
        return screen::print_json(&all);
    }
    if found.is_empty() {
        text.push_str("no dead letters");
    } else {
        let _ = write!(text, "\n{}", letters(found, answer.now_ms));
    }
    screen::print(text.trim_start())
}

fn failures(dispatches: &[Dispatch], now_ms: i64) -> String {
    if dispatches.is_empty() {
        return "no failed dispatches\n".into();
    }
    let mut table = Table::new(&["ORDER", "STATE", ">ATTEMPTS", "FAILED", "WHY"]);
    for dispatch in dispatches {
        table.row([
            dispatch.order_id.to_string(),
            dispatch.state.clone(),
            dispatch.attempts.to_string(),
            dispatch.failed_at_ms.map(|at| moment::clock(at, now_ms)).unwrap_or_default(),
            dispatch.last_error.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}

fn letters(found: Vec<DeadLetter>, now_ms: i64) -> Table {
    let mut table = Table::new(&["RECORD", "WHEN", ">BYTES", ">ATTEMPTS", "WHY"]);
    for letter in found {
        table.row([
            format!("{}/{}/{}", letter.topic, letter.partition, letter.offset),
            letter.at_ms.map(|at| moment::clock(at, now_ms)).unwrap_or_default(),
            letter.bytes.map(moment::number).unwrap_or_default(),
            plain(&letter.attempts),
            plain(&letter.reason),
        ]);
    }
    table
}

fn show(desk: &Desk, place: &Place) -> Result<(), Failure> {
    let path = match place {
        Place::Order(order) => format!("/admin/dispatches/{order}"),
        Place::Record(topic, partition, offset) => {
            format!("/admin/dead-letters/{topic}/{partition}/{offset}")
        }
    };
    let answer = desk.admin.get(&path, limits::LETTERS)?;
    if desk.json {
        return screen::print_json(&answer.body);
    }
    let mut text = String::new();
    for (name, value) in
        answer.body.as_object().into_iter().flatten().filter(|(name, _)| *name != "payload_hex")
    {
        let is_time = name.ends_with("_ms") || name.ends_with("Ms");
        let at = value.as_i64().filter(|_| is_time).map(|at| moment::clock(at, answer.now_ms));
        let value = at.unwrap_or_else(|| if value.is_null() { "-".into() } else { plain(value) });
        let _ = writeln!(text, "{name:<18} {}", screen::plain(&value));
    }
    if let Place::Record(..) = place {
        let letter: DeadLetter = answer.read()?;
        let _ = write!(text, "\n{}", dump(letter.payload_hex.as_deref().unwrap_or_default()));
    }
    screen::print(&text)
}

/// Bytes as people read them: offset, hexadecimal, text.
fn dump(hex: &str) -> String {
    let digits: Vec<u8> = hex.bytes().collect();
    let byte = |pair: &[u8]| {
        let digit = |i: usize| pair.get(i).and_then(|digit| char::from(*digit).to_digit(16));
        digit(0).zip(digit(1)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
    };
    let bytes: Vec<u8> = digits.chunks(2).map_while(byte).collect();
    let mut text = String::new();
    for (line, bytes) in bytes.chunks(BYTES_A_LINE).enumerate() {
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = |byte: &u8| if matches!(byte, 0x20..=0x7e) { char::from(*byte) } else { '.' };
        let plain: String = bytes.iter().map(shown).collect();
        let wide = BYTES_A_LINE * 3 - 1;
        let _ = writeln!(text, "{:06x}  {:<wide$}  {plain}", line * BYTES_A_LINE, hex.join(" "));
    }
    text
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn topic(text: &str) -> Result<String, String> {
    let topic = text.strip_suffix(".dead").unwrap_or(text);
    is_name(topic).then(|| topic.to_owned()).ok_or_else(|| format!("{text:?} is no topic"))
}

fn place(text: &str) -> Result<Place, String> {
    let no =
        || format!("{text:?} is neither an order's number nor TOPIC/PARTITION/OFFSET, as in coupon/3/17");
    if let Ok(order) = text.parse() {
        return Ok(Place::Order(order));
    }
    let parts: Vec<&str> = text.split('/').collect();
    let [topic, partition, offset] = parts[..] else { return Err(no()) };
    let partition = partition.parse().ok().filter(|partition| *partition >= 0).ok_or_else(no)?;
    let offset = offset.parse().map_err(|_| no())?;
    if is_name(topic) { Ok(Place::Record(topic.to_owned(), partition, offset)) } else { Err(no()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_order_or_a_record() {
        assert_eq!(place("17"), Ok(Place::Order(17)));
        assert_eq!(place("coupon/3/17"), Ok(Place::Record("coupon".into(), 3, 17)));
        for text in
            ["", "-1", "coupon", "coupon/3", "coupon/-3/1", "coupon/3/x", "/3/1", "a?b/1/1", "a/1/1/1"]
        {
            assert!(place(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_are_shown_with_their_text_and_nothing_a_terminal_obeys() {
        let text = dump("48656c6c6f1b5b324a0000000000000000ff");
        assert_eq!(
            text,
            "000000  48 65 6c 6c 6f 1b 5b 32 4a 00 00 00 00 00 00 00  Hello.[2J.......\n000010  00 ff                                            ..\n"
        );
        assert_eq!(dump(""), "");
    }

    #[test]
    fn what_failed_is_listed_with_the_reason() {
        assert_eq!(failures(&[], 0), "no failed dispatches\n");
        let dispatch = Dispatch {
            order_id: 7,
            state: "FAILED".into(),
            attempts: 12,
            last_error: Some("the platform answered 500".into()),
            failed_at_ms: None,
        };
        assert!(
            failures(&[dispatch], 0)
                .ends_with("7      FAILED        12  -       the platform answered 500\n")
        );
    }
}
