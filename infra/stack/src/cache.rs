//! The folder where downloads and installs live, kept between runs and shared by all checkouts.
//!
//! An install is made beside its final place and renamed into it, under a lock, so a killed or a
//! concurrent run never leaves half of one. Nothing in here is ever changed after that rename.

use crate::error::{Doing, Error, Result};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Free space that an install from nothing plus a running stack needs.
pub const NEEDED_BYTES: u64 = 3 << 30;

/// The cache folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// Holds a lock of the cache until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Cache {
    /// The cache of this user: `$TIDEMARK_CACHE`, else `$XDG_CACHE_HOME/tidemark`, else `~/.cache/tidemark`.
    ///
    /// # Errors
    /// None of the three variables is set, or the folder cannot be made.
    pub fn open() -> Result<Self> {
        let root = locate(|name| std::env::var_os(name))
            .ok_or_else(|| Error::prepare("set TIDEMARK_CACHE to a folder: neither it nor HOME is set"))?;
        Self::at(root)
    }

    /// A cache in this folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn at(root: PathBuf) -> Result<Self> {
        fs::create_dir_all(root.join("locks"))
            .doing(|| format!("create the cache folder {}", root.display()))?;
        Ok(Self { root })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the cache.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// Waits for the lock of that name; concurrent runs, also of other checkouts, take turns.
    ///
    /// # Errors
    /// The lock file cannot be opened or locked.
    pub fn lock(&self, name: &str) -> Result<Lock> {
        let path = self.join("locks").join(format!("{name}.lock"));
        let file = File::create(&path).doing(|| format!("open the lock {}", path.display()))?;
        file.lock().doing(|| format!("take the lock {}", path.display()))?;
        Ok(Lock { _file: file })
    }

    /// Makes the folder `name` with `make` unless it is there; returns its path.
    ///
    /// `make` gets an empty folder that is renamed to its final name when it succeeds.
    ///
    /// # Errors
    /// Whatever `make` says, or the file system.
    pub fn once(&self, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let place = self.join(name);
        if place.exists() {
            return Ok(place);
        }
        let _lock = self.lock(name)?;
        if place.exists() {
            return Ok(place);
        }
        require_space(&self.root)?;
        let new = self.join(format!("{name}.new"));
        remove(&new)?;
        fs::create_dir_all(&new).doing(|| format!("create {}", new.display()))?;
        make(&new)?;
        fs::rename(&new, &place).doing(|| format!("move the install to {}", place.display()))?;
        Ok(place)
    }
}

/// Removes a folder if it is there.
///
/// # Errors
/// The file system refuses.
pub fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).doing(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Refuses to go on when the disk under that folder is nearly full: services fail in odd ways then.
///
/// # Errors
/// Less than [`NEEDED_BYTES`] are free; the sentence names the folder.
pub fn require_space(folder: &Path) -> Result<()> {
    let stat =
        rustix::fs::statvfs(folder).doing(|| format!("ask for the free space of {}", folder.display()))?;
    enough(folder, stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn enough(folder: &Path, free: u64) -> Result<()> {
    if free >= NEEDED_BYTES {
        return Ok(());
    }
    Err(Error::prepare(format!(
        "free some disk space: {} has {} MB left and about {} MB are needed",
        folder.display(),
        free >> 20,
        NEEDED_BYTES >> 20
    )))
}

fn locate(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("TIDEMARK_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("tidemark")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/tidemark")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> Cache {
        let folder = std::env::temp_dir().join(format!("stack-cache-{name}-{}", std::process::id()));
        remove(&folder).unwrap();
        Cache::at(folder).unwrap()
    }

    #[test]
    fn the_own_variable_wins_over_xdg_and_home() {
        let all = |name: &str| Some(OsString::from(format!("/{name}")));
        assert_eq!(locate(all), Some("/TIDEMARK_CACHE".into()));
        let xdg = |name: &str| all(name).filter(|_| name != "TIDEMARK_CACHE");
        assert_eq!(locate(xdg), Some("/XDG_CACHE_HOME/tidemark".into()));
        let home = |name: &str| all(name).filter(|_| name == "HOME");
        assert_eq!(locate(home), Some("/HOME/.cache/tidemark".into()));
        assert_eq!(locate(|_| None), None);
    }

    #[test]
    fn an_install_is_made_once_and_a_failed_one_is_made_again() {
        let cache = scratch("once");
        let fail = cache.once("thing", |_| Err(Error::prepare("no network")));
        assert_eq!(fail.unwrap_err().to_string(), "no network");
        let write = |folder: &Path| fs::write(folder.join("file"), "1").doing(|| "write".into());
        let place = cache.once("thing", write).unwrap();
        assert!(place.join("file").exists());
        cache.once("thing", |_| Err(Error::prepare("made twice"))).unwrap();
        remove(cache.root()).unwrap();
    }

    #[test]
    fn a_full_disk_names_the_folder() {
        let said = enough(Path::new("/data"), 1 << 20).unwrap_err().to_string();
        assert!(said.contains("/data") && said.contains("1 MB"), "{said}");
        enough(Path::new("/data"), NEEDED_BYTES).unwrap();
    }
}
