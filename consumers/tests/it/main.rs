//! The projections, their tools and their audit, against the real services. Every test has a log and a database of
//! its own; run `cargo stack up` first.

mod facts;
mod mixture;
mod operator;
mod patience;
mod pausing;
mod paying;
mod process;
mod records;
mod registered;
mod shop_mixture;
mod shop_records;
mod statements;
mod tables;
mod world;

mod accounts;
mod auditing;
mod auditing_shop;
mod clocks;
mod cutover;
mod damaged;
mod dead_letters;
mod dispatching;
mod fencing;
mod founding;
mod headroom;
mod histories;
mod holes;
mod outages;
mod projecting;
mod rebuilding;
mod refusing;
mod relay;
mod replays;
mod reporting;
mod seeding;
mod settings;
mod sharing;
mod stopping;
mod topics;
mod unforeseen;
mod unknown_commits;
mod unread_stderr;
