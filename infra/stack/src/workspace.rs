//! Where this checkout is.
//!
//! It must never guess: with no `Cargo.toml` that declares a workspace above, that is an error.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The folder of this checkout's workspace, found by walking up from `CARGO_MANIFEST_DIR` (which cargo
/// sets for what it runs), else from the current folder.
///
/// # Errors
/// There is no workspace above.
pub fn root() -> Result<PathBuf> {
    let start = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .or_else(|| std::env::current_dir().ok())
        .ok_or_else(|| Error::prepare("change into the checkout: the current folder is gone"))?;
    above(&start).ok_or_else(|| {
        Error::prepare(format!("run this inside the checkout: no workspace above {}", start.display()))
    })
}

fn above(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|folder| {
            std::fs::read_to_string(folder.join("Cargo.toml"))
                .is_ok_and(|manifest| manifest.lines().any(|line| line.trim() == "[workspace]"))
        })
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_found_from_a_crate_inside_it() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(above(&here.join("src")).as_deref(), here.ancestors().nth(2));
        assert_eq!(above(Path::new("/")), None);
    }
}
