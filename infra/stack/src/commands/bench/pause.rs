//! How soon four processes confirm a pause, and how soon rows come again after a resume.

use super::{Measured, Row};
use crate::commands::system::System;
use serde::Deserialize;
use serde_json::json;
use stack::progress::Step;
use stack::{Error, Result, http};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Processes that must confirm.
const PROCESSES: u16 = 4;
/// Pauses, each with its resume.
const ROUNDS: u64 = 50;
/// Claims that wait at each resume.
const CLAIMS: u64 = 8;
/// Pause, from the request to PAUSED as an operator is told it; p99, in ms.
const PAUSE_P99_MS: f64 = 500.0;
/// Resume, from the request to the first row in MySQL; p99, in ms.
const RESUME_P99_MS: f64 = 1_000.0;
/// Between two looks into MySQL.
const POLL: Duration = Duration::from_millis(5);
/// Something is broken after this.
const PATIENCE: Duration = Duration::from_secs(60);
/// A claim for each of these users; far from those of other scripts.
const FIRST_USER: u64 = 50_000_000;

#[derive(Deserialize)]
struct Accepted {
    operation: String,
}

#[derive(Deserialize)]
struct Progress {
    state: String,
    confirmed: u64,
}

pub(super) fn measure(system: &mut System) -> Result<Measured> {
    let log = system.log("tools");
    system.tool(&["init"], &log)?;
    let public = system.stack().state().ports.public[0];
    system.start_api(vec![public])?;
    let admins = system.start_consumers_many(PROCESSES)?;
    let coupon = system.open_coupon(1_000_000)?;
    wait_for_all(system, &admins[0])?;
    let (mut pauses, mut resumes) = (Vec::new(), Vec::new());
    let step = Step::start(format!("{ROUNDS} pauses of {PROCESSES} processes"));
    for round in 0..ROUNDS {
        let (took, confirmed) = pause(system, &admins[(round % 4) as usize])?;
        if confirmed < u64::from(PROCESSES) {
            return Err(Error::prepare(format!(
                "report this: {confirmed} of {PROCESSES} processes were asked"
            )));
        }
        pauses.push(took);
        let before = rows(system)?;
        claim(system, coupon, FIRST_USER + round * CLAIMS)?;
        resumes.push(resume(system, &admins[((round + 1) % 4) as usize], before)?);
    }
    step.done("done");
    system.require_alive()?;
    Ok(judged(&mut pauses, &mut resumes))
}

/// A first pause and resume: every process is a member by then.
fn wait_for_all(system: &System, admin: &str) -> Result<()> {
    let step = Step::start("group");
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let (_, confirmed) = pause(system, admin)?;
        post(system, &format!("{admin}/admin/consumers/resume"), "{}")?;
        // Each process in each of four groups.
        if confirmed >= 4 * u64::from(PROCESSES) {
            step.done("complete");
            return Ok(());
        }
        sleep(Duration::from_millis(500));
    }
    Err(Error::prepare("read the logs of consumers: they did not all join their groups"))
}

pub(super) fn pause(system: &System, admin: &str) -> Result<(f64, u64)> {
    let began = Instant::now();
    let body = json!({"scope": {"all": true}, "reason": "cargo stack bench pause", "ttl": "10m"}).to_string();
    let accepted: Accepted = parsed(&post(system, &format!("{admin}/admin/consumers/pause"), &body)?)?;
    let url = format!("{admin}/admin/operations/{}?wait=1s", accepted.operation);
    while began.elapsed() < PATIENCE {
        let answer = http::get_as(&url, &system.token()).map_err(Error::prepare)?;
        let progress: Progress = parsed(&answer.body)?;
        if progress.state == "PAUSED" {
            return Ok((began.elapsed().as_secs_f64() * 1e3, progress.confirmed));
        }
    }
    Err(Error::prepare(format!("find out why a pause was not confirmed within {PATIENCE:?}: {url}")))
}

fn claim(system: &System, coupon: u64, first: u64) -> Result<()> {
    for user in first..first + CLAIMS {
        let url = format!("{}/api/coupons/{coupon}/issue", system.base_url());
        post(system, &url, &json!({"userId": user}).to_string())?;
    }
    Ok(())
}

/// Until the first of the claims that waited is in MySQL.
fn resume(system: &System, admin: &str, before: u64) -> Result<f64> {
    let began = Instant::now();
    post(system, &format!("{admin}/admin/consumers/resume"), "{}")?;
    while began.elapsed() < PATIENCE {
        if rows(system)? > before {
            return Ok(began.elapsed().as_secs_f64() * 1e3);
        }
        sleep(POLL);
    }
    Err(Error::prepare(format!("find out why nothing was written within {PATIENCE:?} of a resume")))
}

fn rows(system: &System) -> Result<u64> {
    system.number("SELECT COUNT(*) FROM user_coupons")
}

pub(super) fn post(system: &System, url: &str, body: &str) -> Result<String> {
    let answer = http::post(url, &system.token(), body)
        .map_err(|error| Error::prepare(format!("repair POST {url}: {error}")))?;
    if (200..300).contains(&answer.status) {
        return Ok(answer.body);
    }
    Err(Error::prepare(format!("repair POST {url}: it answers {} {}", answer.status, answer.body)))
}

fn parsed<T: serde::de::DeserializeOwned>(body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|error| Error::prepare(format!("report this: {body:?} ({error})")))
}

/// Of a sorted list.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or_default()
}

fn judged(pauses: &mut [f64], resumes: &mut [f64]) -> Measured {
    pauses.sort_unstable_by(f64::total_cmp);
    resumes.sort_unstable_by(f64::total_cmp);
    let (pause, resume) = (quantile(pauses, 0.99), quantile(resumes, 0.99));
    let said = |sorted: &[f64], goal: f64| {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| quantile(sorted, share));
        format!("p50 {p50:.0}, p99 {p99:.0}, longest {most:.0} ms (goal p99 < {goal:.0})")
    };
    let rows = vec![
        Row::judged("pause confirmed", said(pauses, PAUSE_P99_MS), pause < PAUSE_P99_MS),
        Row::judged("resume to first row", said(resumes, RESUME_P99_MS), resume < RESUME_P99_MS),
    ];
    let details =
        json!({"processes": PROCESSES, "rounds": ROUNDS, "pauses_ms": pauses, "resumes_ms": resumes});
    Measured {
        value: pause,
        unit: "ms",
        limit: PAUSE_P99_MS,
        ratio: pause / PAUSE_P99_MS,
        p99_ms: Some(pause),
        rows,
        details,
    }
}
