//! Parts of the report about the shop: sums that must come out.

use serde::Serialize;
use std::fmt;

/// Money in = money out: what balances have above the opening ones and what was captured came by charges and settings.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// Minor units paid for orders.
    pub captured: i128,
    /// Minor units charged.
    pub charged: i128,
    /// Minor units by which administrators changed balances.
    pub set: i128,
    /// Minor units that touched balances hold above the opening balance.
    pub balances: i128,
    /// Whether `balances + captured = charged + set`.
    pub balanced: bool,
}

/// Units of all options.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// Units ever put in stock, less those taken away.
    pub listed: u128,
    /// Units in stock, reserved ones included.
    pub stock: u128,
    /// Units sold.
    pub sold: u128,
    /// Units promised to open orders.
    pub reserved: u128,
    /// Whether each option's `stock + sold = listed`, with `sold` what paid orders hold and `reserved` what open ones do.
    pub balanced: bool,
}

/// Orders by status.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orders {
    /// All.
    pub placed: u64,
    /// Paid.
    pub paid: u64,
    /// Not paid in time.
    pub expired: u64,
    /// May still be paid.
    pub open: u64,
}

/// What other systems were told.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Payments that were made, in topic `payment`.
    pub captured: u64,
    /// Payments that were refused, there.
    pub declined: u64,
    /// Orders that the external platform is to be told of.
    pub requested: u64,
    /// Orders that it took.
    pub delivered: u64,
    /// Orders that it did not take and that nobody tries any more.
    pub failed: u64,
    /// Facts that the outbox holds and no topic does yet.
    pub waiting: u64,
    /// Facts that neither a topic nor the outbox holds.
    pub missing: u64,
    /// Facts that a topic holds once more than it should.
    pub twice: u64,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { captured, charged, set, balances, balanced } = self;
        let sign = if *balanced { "=" } else { "IS NOT" };
        write!(f, "money: {balances} in balances + {captured} captured {sign} {charged} charged + {set} set")
    }
}

impl fmt::Display for Stock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listed, stock, sold, reserved, balanced } = self;
        let sign = if *balanced { "=" } else { "IS NOT" };
        write!(f, "stock: {stock} in stock + {sold} sold {sign} {listed} listed, {reserved} reserved")
    }
}

impl fmt::Display for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { placed, paid, expired, open } = self;
        write!(f, "orders: {placed} placed, {paid} paid, {expired} expired, {open} open")
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { captured, declined, requested, delivered, failed, waiting, missing, twice } = self;
        write!(
            f,
            "facts: {captured} captured, {declined} declined, {requested} requested, {delivered} delivered, \
             {failed} failed, {waiting} waiting, {missing} missing, {twice} twice"
        )
    }
}
