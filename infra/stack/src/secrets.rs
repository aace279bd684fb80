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
pub const NAMES: [&str; 5] = [
    "TIDEMARK_EMAIL_KEY",
    "TIDEMARK_FINGERPRINT_KEY",
    "TIDEMARK_SESSION_KEY",
    "TIDEMARK_ADMIN_TOKEN",
    PLATFORM_KEYS,
];

/// With which the partner signs its events: `id:key`, several by commas.
const PLATFORM_KEYS: &str = "TIDEMARK_PLATFORM_KEYS";
/// Id of the one that is made here.
const PLATFORM_KEY_ID: &str = "partner-1";

/// Bytes of randomness per key (256 bits, as HMAC-SHA-256 wants).
const KEY_BYTES: usize = 32;

/// Reads `secrets.env` of a stack's folder, or makes it. A file of a time before the partner gets the partner's key.
///
/// # Errors
/// The file cannot be read or written, or lacks another key.
pub fn of(folder: &Path) -> Result<BTreeMap<String, String>> {
    let path = folder.join("secrets.env");
    let mut found = match path.exists() {
        true => read(&path)?,
        false => written(&path, &BTreeMap::new(), &NAMES)?,
    };
    if !found.contains_key(PLATFORM_KEYS) {
        found = written(&path, &found, &[PLATFORM_KEYS])?;
    }
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

fn read(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).doing(|| format!("read {}", path.display()))?;
    let lines = text.lines().filter_map(|line| line.split_once('='));
    Ok(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Writes the keys there are and new ones of these names; returns what the file then says.
fn written(path: &Path, old: &BTreeMap<String, String>, new: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut keys = old.clone();
    for name in new {
        let key = random_hex(KEY_BYTES)?;
        let value = if *name == PLATFORM_KEYS { format!("{PLATFORM_KEY_ID}:{key}") } else { key };
        keys.insert((*name).to_owned(), value);
    }
    let text: String = keys.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    // Written whole and renamed, so that two starts at once never see half a file; then read, so that both see the
    // one that was last.
    let beside = path.with_extension("env.new");
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&beside, path))
        .doing(|| format!("write {}", path.display()))?;
    read(path)
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
        let (id, key) = first[PLATFORM_KEYS].split_once(':').unwrap();
        assert_eq!((id, key.len()), (PLATFORM_KEY_ID, 2 * KEY_BYTES));
        let plain = first.iter().filter(|(name, _)| *name != PLATFORM_KEYS);
        assert!(plain.map(|(_, value)| value).all(|value| value.len() == 2 * KEY_BYTES));
    }

    #[test]
    fn the_partners_key_is_added_to_older_keys_and_no_other_is() {
        let folder = std::env::temp_dir().join(format!("stack-older-secrets-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let older: String = NAMES[..4].iter().map(|name| format!("{name}=00\n")).collect();
        fs::write(folder.join("secrets.env"), older).unwrap();
        let found = of(&folder).unwrap();
        assert_eq!((found["TIDEMARK_EMAIL_KEY"].as_str(), found.len()), ("00", NAMES.len()));
        assert_eq!(of(&folder).unwrap(), found);
        fs::write(folder.join("secrets.env"), "TIDEMARK_EMAIL_KEY=00\n").unwrap();
        let said = of(&folder).unwrap_err().to_string();
        fs::remove_dir_all(&folder).unwrap();
        assert!(said.contains("it lacks TIDEMARK_FINGERPRINT_KEY"), "{said}");
    }
}
