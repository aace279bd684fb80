//! The shop's fold: the rules one by one, and what must hold for any log.

mod book;
mod book_judge;
mod expiry;
mod limits;
mod logs;
mod orders;
mod projection;
mod properties;
pub(crate) mod records;
mod refusals;
mod sales;
mod table;
