//! The partner of [`crate::platform`] as a program of a stack: `stack platform`.
//!
//! It remembers in memory only: one that was started again has forgotten its keys and its effects.

use super::Place;
use crate::daemon::{Launch, Ready};
use crate::error::Result;
use crate::process::binary;
use std::path::PathBuf;

pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

pub(crate) fn launch(place: &Place, port: u16, control: u16) -> Result<Launch> {
    let mut launch = Launch::new("platform", program()?, place.data("platform"), place.log("platform"));
    let (orders, steering) = (port.to_string(), control.to_string());
    launch.args = ["platform", "--port", &orders, "--control", &steering].map(str::to_owned).to_vec();
    launch.port = port;
    launch.listens = vec![port, control];
    launch.ready = Ready::Http { url: format!("{}/health", url(control)) };
    launch.lifetime = place.lifetime;
    Ok(launch)
}

/// This program where it is `stack`; a test finds it beside itself.
fn program() -> Result<PathBuf> {
    match std::env::current_exe() {
        Ok(own) if own.file_name().is_some_and(|name| name == "stack") => Ok(own),
        _ => binary("stack"),
    }
}
