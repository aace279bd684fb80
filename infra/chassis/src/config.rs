//! Configuration: defaults, then the TOML file named by `TIDEMARK_CONFIG`, then `TIDEMARK_*` variables.

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Serialize, de::DeserializeOwned};

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
