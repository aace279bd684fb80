//! Arguments and variables, and what they come to. Nothing else reads the environment.

use crate::{admin::Admin, commands::Command, failure::Failure};
use clap::{Args, Parser};
use std::{env, fs};

/// Where a consumers process listens that was told nothing else.
const DEFAULT_URL: &str = "http://127.0.0.1:3002";
/// The name of this machine, as its kernel has it.
const HOST: &str = "/proc/sys/kernel/hostname";

/// Watches, pauses, resumes and mends a running Tidemark.
///
/// Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not confirmed within the time, 4 nobody answers.
#[derive(Debug, Parser)]
#[command(name = "tidemark", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// Admin listeners, separated by commas: the first that answers is asked (env: TIDEMARK_ADMIN_URL;
    /// default: http://127.0.0.1:3002)
    #[arg(long, global = true, value_name = "URL,...")]
    url: Option<String>,
    /// The admin token; as an argument it is seen by everybody on this machine (env: TIDEMARK_ADMIN_TOKEN)
    #[arg(long, global = true)]
    token: Option<String>,
    /// Print the processes' own answers as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Who asks, for the record (default: user@host)
    #[arg(long, global = true)]
    actor: Option<String>,
}

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) admin: Admin,
    pub(crate) actor: String,
    pub(crate) json: bool,
}

impl Desk {
    /// From arguments, and from the environment where they are silent.
    ///
    /// # Errors
    /// No token, or an address that is none.
    pub(crate) fn open(global: Global) -> Result<Self, Failure> {
        let variable = |name| env::var(name).ok().filter(|text: &String| !text.trim().is_empty());
        let given = global.url.or_else(|| variable("TIDEMARK_ADMIN_URL"));
        let urls = urls(given.as_deref().unwrap_or(DEFAULT_URL))?;
        let token = global.token.or_else(|| variable("TIDEMARK_ADMIN_TOKEN")).ok_or_else(|| {
            Failure::Usage(
                "no admin token: set TIDEMARK_ADMIN_TOKEN, the same as that of the processes".into(),
            )
        })?;
        let host = || fs::read_to_string(HOST).ok().map(|name| name.trim().to_owned());
        let person = || {
            let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "somebody".into());
            format!("{user}@{}", host().unwrap_or_else(|| "somewhere".into()))
        };
        let actor = global.actor.unwrap_or_else(person);
        Ok(Self { admin: Admin::new(urls, &token), actor, json: global.json })
    }
}

fn urls(text: &str) -> Result<Vec<String>, Failure> {
    let all = text.split(',').map(str::trim).filter(|url| !url.is_empty());
    let urls: Vec<String> = all.map(|url| url.trim_end_matches('/').to_owned()).collect();
    match urls.iter().find(|url| url.strip_prefix("http://").is_none_or(str::is_empty)) {
        Some(url) => Err(Failure::Usage(format!(
            "{url:?} is no address of an admin listener: write http://HOST:PORT (they speak plain HTTP)"
        ))),
        None if urls.is_empty() => Err(Failure::Usage("--url names no admin listener".into())),
        None => Ok(urls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn several_addresses_may_be_given_and_none_is_refused() {
        assert_eq!(urls("http://a:1, http://b:2/ ,").unwrap(), ["http://a:1", "http://b:2"]);
        for text in ["", " , ", "a:1", "https://a:1", "http://"] {
            assert!(matches!(urls(text), Err(Failure::Usage(_))), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_before_anybody_is_asked() {
        let parses = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        for line in [
            "tidemark status --watch",
            "tidemark pause --all --reason r",
            "tidemark pause --group a --topic b --partition c/7 --reason r --mode release --ttl 45m",
            "tidemark pause --all --reason r --ttl 1m --on-expiry stay-and-alert --holder deploy --force --no-wait",
            "tidemark resume",
            "tidemark resume --group a --ramp 10,30,10s --holder cutover",
            "tidemark extend --ttl 1h",
            "tidemark operations",
            "tidemark operations 1 --wait 30s",
            "tidemark audit --json",
            "tidemark dead-letters list --topic coupon",
            "tidemark dead-letters show coupon/3/17",
            "tidemark dead-letters redrive 1 2",
            "tidemark rules activate --version 1",
            "tidemark pools",
            "tidemark tune pool writer --max 20 --reason r",
            "tidemark tune group all --batch-records 100 --reason r --durable",
            "tidemark tune pool writer --reset --reason r",
            "tidemark skip --topic order --partition 0 --offset 17 --reason r",
            "tidemark cutover --check --to mysql://db:3306/t",
            "tidemark cutover --to mysql://db:3306/t --reason r --wait 30s --ttl 20m --ramp 5,5,1s --keep 48h --json",
            "tidemark cutover --back --reason r --timeout 30s --fill-timeout 1h --old-is-gone --no-audit",
        ] {
            assert!(parses(line), "{line}");
        }
        for line in [
            "tidemark",
            "tidemark pause --reason r",
            "tidemark pause --all",
            "tidemark pause --all --group a --reason r",
            "tidemark pause --all --reason r --ttl soon",
            "tidemark pause --all --reason r --on-expiry resume",
            "tidemark pause --all --reason r --mode stop",
            "tidemark pause --all --reason r --holder me",
            "tidemark pause --partition coupon --reason r",
            "tidemark pause --partition coupon/-1 --reason r",
            "tidemark resume --ramp 10,30",
            "tidemark resume --ramp 0,30,10s",
            "tidemark extend",
            "tidemark dead-letters redrive",
            "tidemark rules activate",
            "tidemark tune pool writer --reason r",
            "tidemark tune pool writer --reset --max 1 --reason r",
            "tidemark tune pool both --max 1 --reason r",
            "tidemark tune group all --max 1 --reason r",
            "tidemark skip --topic order --partition 0 --offset 17",
            "tidemark cutover",
            "tidemark cutover --back",
            "tidemark cutover --back --reason r --ramp 0,5,1s",
            "tidemark cutover --back --reason r --ttl soon",
            "tidemark cutover --back --to mysql://db:3306/t --reason r",
        ] {
            assert!(!parses(line), "{line}");
        }
    }
}
