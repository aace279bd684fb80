//! Carts: one hash a user, option id to quantity. A flush of Redis loses them, and nothing else notices.

use super::{Access, Job, Store, StoreError};
use crate::limits;
use redis::cmd;
use schemas::{OptionId, UserId};
use std::collections::HashMap;

const READ: Job = Job { name: "cart", access: Access::Read };
const WRITE: Job = Job { name: "cart", access: Access::Write };

/// Puts an item in unless the cart is full; atomically, because two tabs of one browser are two requests.
const PUT: &str = "if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 \
    and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end \
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) redis.call('EXPIRE', KEYS[1], ARGV[4]) return 1";

/// What came of putting an item in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is in, with this quantity.
    In,
    /// The cart holds [`limits::MAX_CART_ITEMS`] others.
    Full,
}

/// One line of a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CartItem {
    /// What.
    pub option_id: OptionId,
    /// Units.
    pub quantity: u64,
}

impl Store {
    fn cart_key(&self, user: UserId) -> String {
        format!("{}cart:{}", self.prefix, user.get())
    }

    /// Puts an item in, or gives it another quantity; the cart lives for [`limits::CART_LIFE`] from now.
    ///
    /// # Errors
    /// See [`StoreError`]; the item may be in all the same.
    pub async fn put_in_cart(&self, user: UserId, item: CartItem) -> Result<Put, StoreError> {
        let mut put = cmd("EVAL");
        put.arg(PUT).arg(1).arg(self.cart_key(user)).arg(item.option_id.get()).arg(item.quantity);
        put.arg(limits::MAX_CART_ITEMS).arg(limits::CART_LIFE.as_secs());
        let is_in: bool = self.ask(WRITE, &put).await?;
        Ok(if is_in { Put::In } else { Put::Full })
    }

    /// What is in the cart, by option id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn cart(&self, user: UserId) -> Result<Vec<CartItem>, StoreError> {
        let mut all = cmd("HGETALL");
        let found: HashMap<u64, u64> = self.ask(READ, all.arg(self.cart_key(user))).await?;
        let item = |(id, quantity)| Some(CartItem { option_id: OptionId::new(id)?, quantity });
        let mut items: Vec<CartItem> = found.into_iter().filter_map(item).collect();
        items.sort_unstable_by_key(|item| item.option_id);
        Ok(items)
    }

    /// Takes one item out; whether it was in.
    ///
    /// # Errors
    /// See [`StoreError`]; the item may be out all the same.
    pub async fn take_from_cart(&self, user: UserId, option: OptionId) -> Result<bool, StoreError> {
        let mut take = cmd("HDEL");
        self.ask(WRITE, take.arg(self.cart_key(user)).arg(option.get())).await
    }

    /// Takes everything out.
    ///
    /// # Errors
    /// See [`StoreError`]; the cart may be empty all the same.
    pub async fn empty_cart(&self, user: UserId) -> Result<(), StoreError> {
        let mut empty = cmd("DEL");
        self.ask(WRITE, empty.arg(self.cart_key(user))).await
    }
}
