//! Why a command did not do what it was asked for, what that means for the exit code, and what to do next.

use serde_json::{Value, json};
use std::fmt;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Arguments that make no sense.
    Usage(String),
    /// A process said no: with its code and its sentence.
    Refused { status: u16, code: String, message: String },
    /// It was done, and what came of it is not good.
    Failed { message: String, next: String },
    /// It may be done, or will be; nobody knows yet.
    Unconfirmed { message: String, next: String },
    /// Nobody answers: each address, and why.
    Nobody(Vec<String>),
    /// Nobody reads what is printed any more.
    Unread,
}

impl Failure {
    /// A refusal of our own, in the processes' words.
    pub(crate) fn not_served(what: &str) -> Self {
        let message = format!("no process that was asked serves {what}");
        Self::Refused { status: 404, code: "NOT_SERVED".into(), message }
    }

    /// Something was done or seen that is not good.
    pub(crate) fn failed(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), next: next.into() }
    }

    /// Whether the same request may be answered otherwise in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Nobody(_) => true,
            Self::Refused { status, code, .. } => {
                (*status == 503 && code != "OUTCOME_UNKNOWN") || code == "UNKNOWN_OPERATION"
            }
            _ => false,
        }
    }

    /// Whether a change may have been taken, and nobody knows.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unconfirmed { .. }) || self.is("OUTCOME_UNKNOWN")
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::Unread => 0,
            // The process asked, and does not know what became of it.
            Self::Refused { code, .. } if code == "OUTCOME_UNKNOWN" => 3,
            Self::Refused { .. } | Self::Failed { .. } => 1,
            Self::Usage(_) => 2,
            Self::Unconfirmed { .. } => 3,
            Self::Nobody(_) => 4,
        }
    }

    /// Whether a process said exactly this.
    pub(crate) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }

    /// What it says, where there is one line only.
    pub(crate) fn in_a_line(&self) -> String {
        self.to_string().replace('\n', "")
    }

    fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Usage(_) => "USAGE",
            Self::Failed { .. } => "FAILED",
            Self::Unconfirmed { .. } => "NOT_CONFIRMED",
            Self::Nobody(_) => "NOBODY_ANSWERS",
            Self::Unread => "UNREAD",
        }
    }

    /// What to do next.
    pub(crate) fn next(&self) -> &str {
        match self {
            Self::Refused { code, .. } => advice(code),
            Self::Usage(_) => "`tidemark COMMAND --help` lists the arguments",
            Self::Failed { next, .. } | Self::Unconfirmed { next, .. } => next,
            Self::Nobody(_) => {
                "name the admin listener of any process that lives (--url or TIDEMARK_ADMIN_URL, several with commas); \
                 what is paused stays paused meanwhile"
            }
            Self::Unread => "",
        }
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "errorCode": self.code(), "message": self.to_string(), "next": self.next(), "exit": self.exit(),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed { message, .. } | Self::Unconfirmed { message, .. } => {
                f.write_str(message)
            }
            Self::Refused { status, code, message } => write!(f, "{status} {code}: {message}"),
            Self::Nobody(tried) => write!(f, "nobody answers\n  {}", tried.join("\n  ")),
            Self::Unread => f.write_str("nobody reads this"),
        }
    }
}

/// For each code that the processes send.
fn advice(code: &str) -> &'static str {
    match code {
        "UNAUTHENTICATED" => "set TIDEMARK_ADMIN_TOKEN to the token of this deployment's processes",
        "UNKNOWN_GROUP" | "UNKNOWN_TOPIC" => "`tidemark status` lists groups and topics",
        "NOT_HELD" => {
            "`tidemark status` shows who holds what; name that with --holder and --group, --topic or --all"
        }
        "UNKNOWN_POOL" => "`tidemark pools` lists them",
        "UNKNOWN_DEAD_LETTER" => "`tidemark dead-letters list` shows the newest",
        "NOT_STOPPED_THERE" => "`tidemark status` names partitions that stopped, and at which offset",
        "BEYOND_HEADROOM" => "give a shorter --ttl; --force only if records may be lost",
        "OUTCOME_UNKNOWN" => "`tidemark operations` shows whether it was recorded; asking again is safe",
        "CONTROL_UNAVAILABLE" | "KAFKA_UNAVAILABLE" => {
            "look at Kafka; what is paused stays paused, and nothing was changed"
        }
        "SAME_DATABASE" => "`tidemark status` shows which MySQL counts, and whether the way back is open",
        "NOT_RELEASED" => "`tidemark status` shows who holds what and who has not confirmed",
        "TARGET_UNFIT" => "mend what it names at the target, then `tidemark cutover --check --to ...`",
        "UNKNOWN_OPERATION" => "`tidemark operations` lists the newest",
        "DATABASE_UNAVAILABLE" => "look at MySQL: it does not answer; nothing was changed",
        "AUDIT_UNAVAILABLE" => "an audit needs MySQL and Kafka; look at both, then again",
        "NOT_FAILED" => {
            "`tidemark dead-letters list` shows what failed; the others are delivered, or still tried"
        }
        "RULES_UNSUPPORTED" => "start binaries that carry these rules first, everywhere",
        "NOT_FOUND" => {
            "look at the number again; `tidemark dead-letters list` and `tidemark status` show what there is"
        }
        "NOT_SERVED" => {
            "name an admin listener of the right kind with --url (rules: api; most else: consumers), or start a \
             newer binary there"
        }
        "INVALID_REQUEST" => "correct it; `tidemark COMMAND --help` lists the arguments",
        _ => "look into the log of the process that answered; `tidemark status` shows where everything is",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_says_what_happened() {
        let refused =
            |code: &str| Failure::Refused { status: 400, code: code.into(), message: String::new() };
        let (message, next) = (String::new(), String::new());
        assert_eq!(refused("NOT_HELD").exit(), 1);
        assert_eq!(refused("OUTCOME_UNKNOWN").exit(), 3);
        assert_eq!(Failure::Usage(String::new()).exit(), 2);
        assert_eq!(Failure::Failed { message: message.clone(), next: next.clone() }.exit(), 1);
        assert_eq!(Failure::Unconfirmed { message, next }.exit(), 3);
        assert_eq!(Failure::Nobody(Vec::new()).exit(), 4);
    }

    #[test]
    fn what_may_have_been_done_is_told_from_what_may_be_asked_again() {
        let of = |status, code: &str| Failure::Refused { status, code: code.into(), message: String::new() };
        let unknown = of(503, "OUTCOME_UNKNOWN");
        assert!(unknown.is_unknown() && !unknown.is_passing());
        let away = of(503, "DATABASE_UNAVAILABLE");
        assert!(away.is_passing() && !away.is_unknown());
        assert!(Failure::Nobody(Vec::new()).is_passing() && of(404, "UNKNOWN_OPERATION").is_passing());
        assert!(!of(409, "TARGET_UNFIT").is_passing() && !Failure::failed("m", "n").is_passing());
    }

    #[test]
    fn a_refusal_keeps_the_servers_code_and_sentence() {
        let failure =
            Failure::Refused { status: 409, code: "NOT_HELD".into(), message: "nothing is held".into() };
        assert_eq!(failure.to_string(), "409 NOT_HELD: nothing is held");
        let json = failure.to_json();
        assert_eq!((&json["errorCode"], &json["exit"]), (&json!("NOT_HELD"), &json!(1)));
        assert!(json["next"].as_str().unwrap().contains("tidemark status"));
    }
}
