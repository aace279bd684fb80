//! The shop: catalogue, stock, orders, payments, balances. One partition, so a payment is decided against its order,
//! the stock and the balance at once: nobody pays for what is not there, and nothing has to be given back later.
//!
//! Money, stock and quantities are integers below 2^53; arithmetic is checked and an overflow is a refusal.

mod catalogue;
mod decide;
mod judge_catalogue;
mod judge_order;
mod orders;
mod outcome_digest;
mod sales;
mod state;
mod sweep;

pub use catalogue::{Catalogue, Product, ShopOption};
pub use orders::{FoundOrder, MAX_OPEN_KEPT, Orders};
pub use sales::{DAY_MS, MAX_SALES_DAYS, Sales};
pub use state::Shop;

use schemas::{OptionId, OrderId, ProductId, UserId, ids::ID_LIMIT};
use std::sync::Arc;

/// Longest product name, in characters.
pub const MAX_PRODUCT_NAME_CHARS: usize = 255;
/// Longest category, color and size, in characters.
pub const MAX_LABEL_CHARS: usize = 64;
/// Longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 2_000;
/// Options of one product.
pub const MAX_OPTIONS: usize = 100;
/// Lines of one order, before equal ones are summed.
pub const MAX_ITEMS: usize = 100;
/// Balances, prices, totals and stocks stay at or below this, so that they are exact as JSON numbers.
pub const MAX_AMOUNT: u64 = ID_LIMIT - 1;
/// Due orders that one record works off; the rest waits for the next records and counts as expired all the same.
pub const MAX_EXPIRIES: usize = 1_000;

/// What came of a record of `order`: first the orders that fell due, then the record itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopOutcome {
    /// Orders that expired before the record was judged, by id.
    pub expired: Vec<Arc<Order>>,
    /// When the next open order may fall due, once these are worked off.
    pub(crate) next_due_ms: Option<i64>,
    /// What came of the record.
    pub result: ShopResult,
}

/// What came of the record itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopResult {
    /// A product is in the catalogue.
    Listed(Arc<Listing>),
    /// A stock was changed.
    StockAdjusted(StockLevel),
    /// A stock that cannot be lowered that far (P002), or raised that far.
    StockRefused(Refusal),
    /// A balance was set by an administrator, or charged by its owner.
    BalanceChanged(BalanceChange),
    /// A balance that would leave its bounds.
    BalanceRefused,
    /// Units are reserved until the order is paid or expires.
    Placed(Arc<Order>),
    /// No order.
    OrderRefused(Refusal),
    /// Paid, and the reserved units are sold.
    Paid(Arc<Payment>),
    /// Not paid.
    PaymentRefused(Arc<Decline>),
    /// Time passed.
    Ticked,
}

/// Why not; in the order in which they are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// P004: no such option.
    OptionNotFound,
    /// P005: not for sale.
    NotForSale,
    /// O001: a quantity below 1, or an amount beyond every bound.
    WrongQuantity,
    /// P002: fewer units than wanted.
    OutOfStock,
    /// O002: no such order.
    OrderNotFound,
    /// U002: somebody else's.
    NotYours,
    /// O004: paid before.
    AlreadyPaid,
    /// O003: its time is over.
    OrderExpired,
    /// C002: no coupon of this user.
    CouponInvalid,
    /// C003: the coupon's time is over.
    CouponExpired,
    /// C004: redeemed before.
    CouponUsed,
    /// PAY001: the balance is too low.
    InsufficientBalance,
}

impl Refusal {
    /// The contract's code, which also stands in the facts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::OptionNotFound => "P004",
            Self::NotForSale => "P005",
            Self::WrongQuantity => "O001",
            Self::OutOfStock => "P002",
            Self::OrderNotFound => "O002",
            Self::NotYours => "U002",
            Self::AlreadyPaid => "O004",
            Self::OrderExpired => "O003",
            Self::CouponInvalid => "C002",
            Self::CouponExpired => "C003",
            Self::CouponUsed => "C004",
            Self::InsufficientBalance => "PAY001",
        }
    }
}

/// A product with the options that it was listed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its id.
    pub product_id: ProductId,
    /// Its row.
    pub product: Arc<Product>,
    /// Its options' rows, with ids without a gap.
    pub options: Vec<(OptionId, ShopOption)>,
}

/// A stock after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockLevel {
    /// Which option.
    pub option_id: OptionId,
    /// Units added or taken away.
    pub delta: i64,
    /// Units in stock, reserved ones included.
    pub stock: u64,
    /// Units promised to open orders.
    pub reserved: u64,
}

/// What changed a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceCause {
    /// An administrator set it.
    Set,
    /// It was charged.
    Charge,
    /// An order was paid.
    Payment(OrderId),
}

/// A balance after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceChange {
    /// Whose.
    pub user_id: UserId,
    /// Why.
    pub cause: BalanceCause,
    /// Minor units more, or less where negative.
    pub amount: i64,
    /// Minor units afterwards.
    pub balance: u64,
}

/// One line of an order: an option stands in one line only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// Which option.
    pub option_id: OptionId,
    /// Its product.
    pub product_id: ProductId,
    /// The product's name.
    pub product_name: Arc<str>,
    /// Minor units each.
    pub price: u64,
    /// Units.
    pub quantity: u64,
}

/// An order as it was placed; nothing of it changes later but what [`OrderStatus`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id, dense from 1.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// In the order in which the options were first named.
    pub lines: Vec<OrderLine>,
    /// Minor units before a discount.
    pub total: u64,
    /// Log clock, in ms since the epoch.
    pub placed_at_ms: i64,
    /// From here on it cannot be paid, in ms since the epoch.
    pub expires_at_ms: i64,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderStatus {
    /// Placed, units reserved.
    Pending,
    /// Paid, units sold.
    Paid,
    /// Not paid in time, units free again.
    Expired,
}

impl OrderStatus {
    /// As it stands in the table and, in two bits, in the fold. 3 is kept for orders that are cancelled.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Paid => 1,
            Self::Expired => 2,
        }
    }

    /// The status of a number; `None` for one that is not in use.
    #[must_use]
    pub const fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Pending),
            1 => Some(Self::Paid),
            2 => Some(Self::Expired),
            _ => None,
        }
    }

    /// As the contract writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Paid => "PAID",
            Self::Expired => "EXPIRED",
        }
    }
}

/// An order that was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// What was paid for.
    pub order: Arc<Order>,
    /// Taken off the total, in minor units.
    pub discount: u64,
    /// Taken from the balance, in minor units.
    pub paid: u64,
    /// The coupon, as `coupon id * 2^32 + winner number`.
    pub user_coupon_id: Option<u64>,
    /// The balance afterwards, in minor units.
    pub balance: u64,
    /// Log clock, in ms since the epoch.
    pub paid_at_ms: i64,
}

/// An order that was not paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decline {
    /// Why.
    pub refusal: Refusal,
    /// Which order; `None` where no order can have that id.
    pub order_id: Option<OrderId>,
    /// Who asked.
    pub user_id: UserId,
    /// Total of the order where it was still open, in minor units; else 0.
    pub total: u64,
    /// The coupon that the log vouched for.
    pub user_coupon_id: Option<u64>,
}

impl Decline {
    /// Whether other systems hear of it. An order that is not there, or somebody else's, is nobody's business; of one
    /// that is paid they have heard, and whether another payment of it is appended at all is chance: whoever folded the
    /// first one answers the second without a record.
    #[must_use]
    pub const fn is_fact(&self) -> bool {
        !matches!(self.refusal, Refusal::OrderNotFound | Refusal::NotYours | Refusal::AlreadyPaid)
    }
}

/// Names rows of this fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ShopKey {
    /// How many products and options there are.
    CatalogueEnd,
    /// An option and its product.
    Option(OptionId),
    /// A user's balance.
    Balance(UserId),
    /// An order with its lines.
    Order(OrderId),
    /// Whether a coupon was redeemed.
    Redemption(u64),
    /// The open orders that fall due first, after the given place: at least [`MAX_EXPIRIES`] + 1 of them, or all.
    OpenOrdersAfter(Due),
}

/// An open order's place in the order in which they fall due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Due {
    /// Ms since the epoch.
    pub expires_at_ms: i64,
    /// The order; 0 stands before all of them.
    pub order_id: u64,
}

/// A change of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopChange {
    /// A new product with its options.
    Listed {
        /// What.
        listing: Arc<Listing>,
        /// Log clock, in ms since the epoch.
        at_ms: i64,
    },
    /// An option's row as it is now.
    Option(OptionId, ShopOption),
    /// A balance as it is now, and why.
    Balance {
        /// The change; its log entry's id is `offset * 128`.
        change: BalanceChange,
        /// Offset of the record.
        offset: u64,
        /// Log clock, in ms since the epoch.
        at_ms: i64,
    },
    /// A new order.
    Placed(Arc<Order>),
    /// An order that expired.
    Expired {
        /// Which.
        order_id: OrderId,
        /// Log clock, in ms since the epoch.
        at_ms: i64,
    },
    /// An order that was paid; the coupon in it is redeemed, and other systems must hear of it.
    Paid {
        /// The payment.
        payment: Arc<Payment>,
        /// Offset of the record.
        offset: u64,
        /// Log clock, in ms since the epoch.
        at_ms: i64,
    },
    /// A payment that was refused and of which other systems must hear.
    Declined {
        /// What was refused.
        decline: Arc<Decline>,
        /// Offset of the record.
        offset: u64,
        /// Log clock, in ms since the epoch.
        at_ms: i64,
    },
}
