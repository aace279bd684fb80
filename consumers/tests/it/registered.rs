//! The ids of all schemas at the stack's registry: asked for once while that registry runs, and kept in the stack's folder
//! for the other test processes. It must never give what another registry, another start of it, or of another catalogue
//! was said.

use anyhow::Context;
use chassis::registry::Registry;
use schemas::{catalogue, records::RegisteredSchema};
use stack::testing::{endpoints, running};
use std::{
    fs::{self, File},
    io::{Read, Seek, Write},
    path::PathBuf,
};
use tokio::runtime::Handle;

/// As `init` registers them.
pub(crate) async fn schemas_of_the_registry() -> anyhow::Result<Vec<RegisteredSchema>> {
    let runtime = Handle::current();
    // It waits for other processes.
    tokio::task::spawn_blocking(move || kept_or_registered(&runtime)).await?
}

fn kept_or_registered(runtime: &Handle) -> anyhow::Result<Vec<RegisteredSchema>> {
    let (path, who) = place()?;
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
    // Until it is dropped; whoever is killed while writing leaves what cannot be read.
    file.lock()?;
    let mut text = String::new();
    if file.read_to_string(&mut text).is_ok()
        && let Some(kept) = read(&text, &who)
    {
        return Ok(kept);
    }
    let registered = runtime.block_on(register())?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(written(&registered, &who).as_bytes())?;
    Ok(registered)
}

/// Where they are kept, and of which registry they must be.
fn place() -> anyhow::Result<(PathBuf, String)> {
    let mut stack = running()?;
    let registry = stack.service("registry")?.identity().context("the registry runs")?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let who = format!("{} {registry:?} {}", endpoints().registry, boot.trim());
    Ok((stack.folder().join("registered-schemas"), who))
}

/// The registry in the first line, then the schemas in the catalogue's order, then an end.
fn written(registered: &[RegisteredSchema], who: &str) -> String {
    let lines = registered.iter().map(|schema| format!("{:?} {}\n", schema.crc64, schema.id));
    format!("{who}\n{}end\n", lines.collect::<String>())
}

/// What is kept, if it is whole, of this registry and of this catalogue.
fn read(text: &str, who: &str) -> Option<Vec<RegisteredSchema>> {
    let ids = text.lines().skip(1).map_while(|line| line.rsplit_once(' ')?.1.parse().ok());
    let kept: Vec<_> = catalogue::all()
        .iter()
        .zip(ids)
        .map(|(entry, id)| RegisteredSchema { id, crc64: entry.crc64 })
        .collect();
    (kept.len() == catalogue::all().len() && written(&kept, who) == text).then_some(kept)
}

async fn register() -> anyhow::Result<Vec<RegisteredSchema>> {
    let registry = Registry::new(&endpoints().registry)?;
    let mut registered = Vec::new();
    for entry in catalogue::all() {
        let id = registry.register(&entry.subject, entry.kind.avsc()).await?;
        registered.push(RegisteredSchema { id, crc64: entry.crc64 });
    }
    Ok(registered)
}

#[test]
fn what_another_registry_or_of_another_catalogue_was_said_is_not_used() {
    let ids = catalogue::all().iter().zip(7..);
    let all: Vec<_> = ids.map(|(entry, id)| RegisteredSchema { id, crc64: entry.crc64 }).collect();
    let text = written(&all, "here 1");
    let ids = |kept: Vec<RegisteredSchema>| kept.iter().map(|schema| schema.id).collect::<Vec<_>>();
    assert_eq!(read(&text, "here 1").map(ids), Some((7..7 + all.len() as i32).collect()));
    assert!(read(&text, "here 2").is_none());
    for cut in 0..text.len() {
        assert!(read(&text[..cut], "here 1").is_none(), "cut at {cut}");
    }
    let (first, second) = (format!("{:?}", all[0].crc64), format!("{:?}", all[1].crc64));
    assert!(read(&text.replace(&first, &second), "here 1").is_none(), "of another catalogue");
    assert!(read(&written(&all[1..], "here 1"), "here 1").is_none(), "of a smaller one");
}
