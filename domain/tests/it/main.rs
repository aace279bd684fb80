//! The folds, record by record: properties over any log, and the rules one by one.

mod accounts;
mod coupons;
mod digests;
mod logs;
mod properties;
mod replays;
mod rules;
mod shop;
mod store;
