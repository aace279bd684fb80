//! What the API processes counted themselves, read from `/metrics`.

use super::System;
use stack::{Error, Result, http};
use std::collections::BTreeMap;

/// Counts every request of the routed listeners.
const NAME: &str = "tidemark_http_requests_total{";

/// Requests by route and status, summed over all API processes. Never counted there: `/health`, `/ready`, `/metrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::commands) struct Served(BTreeMap<(String, String), u64>);

impl Served {
    /// Requests to the public listener.
    pub(in crate::commands) fn requests(&self) -> u64 {
        self.0.iter().filter(|((route, _), _)| !route.starts_with("/admin")).map(|(_, count)| count).sum()
    }

    /// Answers of one route with one status.
    pub(in crate::commands) fn of(&self, route: &str, status: &str) -> u64 {
        let key = (route.to_owned(), status.to_owned());
        self.0.get(&key).copied().unwrap_or_default()
    }

    /// All answers of one route.
    pub(in crate::commands) fn of_route(&self, route: &str) -> u64 {
        self.0.iter().filter(|((r, _), _)| r == route).map(|(_, count)| count).sum()
    }

    fn read(&mut self, text: &str) -> Option<()> {
        for line in text.lines().filter_map(|line| line.strip_prefix(NAME)) {
            let (labels, value) = line.rsplit_once("} ")?;
            let label = |name: &str| {
                let (_, rest) = labels.split_once(&format!("{name}=\""))?;
                Some(rest.split_once('"')?.0.to_owned())
            };
            *self.0.entry((label("route")?, label("status")?)).or_default() += value.parse::<u64>().ok()?;
        }
        Some(())
    }
}

impl System {
    /// What all API processes have served so far.
    pub(in crate::commands) fn served(&self) -> Result<Served> {
        let mut served = Served::default();
        for admin in self.api_admins() {
            let url = format!("{admin}/metrics");
            let wrong = |said: &str| Error::prepare(format!("repair the API: GET {url}: {said}"));
            let answer = http::get(&url).map_err(|error| wrong(&error))?;
            served.read(&answer.body).ok_or_else(|| wrong("a counter without route, status or value"))?;
        }
        Ok(served)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_summed_and_admin_calls_left_out() {
        let text = "# TYPE tidemark_http_requests_total counter\n\
            tidemark_http_requests_total{route=\"/api/coupons/{id}/issue\",method=\"POST\",status=\"201\"} 7\n\
            tidemark_http_requests_total{route=\"/api/coupons/{id}/issue\",method=\"POST\",status=\"422\"} 1\n\
            tidemark_http_requests_total{route=\"/admin/coupons\",method=\"POST\",status=\"201\"} 1\n\
            tidemark_shed_total 3\n";
        let mut served = Served::default();
        served.read(text).unwrap();
        served.read(text).unwrap();
        assert_eq!(served.requests(), 16);
        assert_eq!(served.of("/api/coupons/{id}/issue", "201"), 14);
        assert_eq!(served.of_route("/api/coupons/{id}/issue"), 16);
        assert!(Served::default().read("tidemark_http_requests_total{route=\"/\"} 1\n").is_none());
    }
}
