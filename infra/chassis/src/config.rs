//! Configuration: defaults, then the TOML file named by `TIDEMARK_CONFIG`, then `TIDEMARK_*` variables.

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Prefix of every environment variable that is read.
pub const PREFIX: &str = "TIDEMARK_";

/// Configuration that makes no sense; the text names the variable.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}. Variables are named {PREFIX}<FIELD>, for example {PREFIX}KAFKA")]
pub struct ConfigError(#[from] Box<figment::Error>);

/// Reads the configuration over the given defaults.
///
/// # Errors
/// A value of the wrong type or a missing one without a default.
pub fn load<T: Serialize + DeserializeOwned>(defaults: &T) -> Result<T, ConfigError> {
    let mut figment = Figment::from(Serialized::defaults(defaults));
    if let Some(file) = Env::var("TIDEMARK_CONFIG") {
        figment = figment.merge(Toml::file_exact(file));
    }
    figment
        .merge(Env::prefixed(PREFIX).lowercase(true))
        .extract()
        .map_err(|error| ConfigError(Box::new(error)))
}

/// Variables that a page does not describe, or whose default, where it is a number or a switch, it gives differently. For
/// tests, so that the page stays true.
#[must_use]
pub fn undescribed<T: Serialize>(defaults: &T, page: &str) -> Vec<String> {
    let Ok(Value::Object(fields)) = serde_json::to_value(defaults) else {
        return vec!["no fields".to_owned()];
    };
    let is_described = |variable: &str, default: &Value| {
        let quoted = format!("`{variable}`");
        let given = match default {
            Value::Number(number) => grouped(&number.to_string()),
            Value::Bool(switch) => switch.to_string(),
            _ => String::new(),
        };
        page.lines().any(|line| line.contains(&quoted) && line.contains(&given))
    };
    let variables =
        fields.iter().map(|(field, default)| (format!("{PREFIX}{}", field.to_uppercase()), default));
    variables.filter(|(name, default)| !is_described(name, default)).map(|(name, _)| name).collect()
}

/// `1800000` as `1,800,000`.
fn grouped(number: &str) -> String {
    let whole = number.strip_suffix(".0").unwrap_or(number);
    let digits = whole.len();
    let comma = |at: usize| if at > 0 && (digits - at).is_multiple_of(3) { "," } else { "" };
    whole.char_indices().map(|(at, digit)| format!("{}{digit}", comma(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_that_leaves_a_variable_out_or_gives_another_default_is_found() {
        let defaults = json!({"wait_ms": 60_000, "scale": 1.0, "open": false, "name": "x"});
        let page = "`TIDEMARK_WAIT_MS` 60,000\n`TIDEMARK_SCALE` 1\n`TIDEMARK_OPEN` false\n`TIDEMARK_NAME`";
        assert_eq!(undescribed(&defaults, page), Vec::<String>::new());
        assert_eq!(undescribed(&defaults, &page.replace("60,000", "6,000")), ["TIDEMARK_WAIT_MS"]);
        assert_eq!(undescribed(&defaults, &page.replace("`TIDEMARK_NAME`", "")), ["TIDEMARK_NAME"]);
        assert_eq!(undescribed(&defaults, &page.replace("false", "true")), ["TIDEMARK_OPEN"]);
    }
}
