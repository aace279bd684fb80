//! Random keys of one stack: made once, kept beside its data, the same on every start.
//!
//! They must never be printed or logged: they reach our processes by the environment only.

use crate::error::{Doing, Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The keys, in the order of the file.
pub const NAMES: [&str; 4] =
    ["TIDEMARK_EMAIL_KEY", "TIDEMARK_FINGERPRINT_KEY", "TIDEMARK_SESSION_KEY", "TIDEMARK_ADMIN_TOKEN"];

/// Bytes of randomness per key (256 bits, as HMAC-SHA-256 wants).
const KEY_BYTES: usize = 32;

/// Reads `secrets.env` of a stack's folder, or makes it.
///
/// # Errors
/// The file cannot be read or written, or lacks a key.
pub fn of(folder: &Path) -> Result<BTreeMap<String, String>> {
    let path = folder.join("secrets.env");
    if !path.exists() {
        write_new(&path)?;
    }
    let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
    let found: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    match NAMES.iter().find(|name| !found.contains_key(**name)) {
        Some(name) => {
            Err(Error::prepare(format!("remove {} and start again: it lacks {name}", path.display())))
        }
        None => Ok(found),
    }
}

/// That many random bytes, as lower-case hexadecimal digits.
///
/// # Errors
/// The machine has no source of randomness.
pub fn random_hex(bytes: usize) -> Result<String> {
    Ok(random(bytes)?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// That many random bytes from the kernel.
pub(crate) fn random(bytes: usize) -> Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut buffer))
        .doing(|| "read random bytes from /dev/urandom".into())?;
    Ok(buffer)
}

fn write_new(path: &Path) -> Result<()> {
    let mut text = String::new();
    for name in NAMES {
        text += &format!("{name}={}\n", random_hex(KEY_BYTES)?);
    }
    // Written whole and renamed, so that two starts at once never see half a file.
    let new = path.with_extension("env.new");
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&new, path))
        .doing(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_differ() {
        let folder = std::env::temp_dir().join(format!("stack-secrets-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let first = of(&folder).unwrap();
        let second = of(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(first, second);
        let mut values: Vec<&String> = first.values().collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), NAMES.len());
        assert!(values.iter().all(|value| value.len() == 2 * KEY_BYTES));
    }
}
