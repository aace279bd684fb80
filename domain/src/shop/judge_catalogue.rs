//! Listing products, changing stocks and balances.

use super::{
    BalanceCause, BalanceChange, Listing, MAX_AMOUNT, MAX_DESCRIPTION_CHARS, MAX_LABEL_CHARS, MAX_OPTIONS,
    MAX_PRODUCT_NAME_CHARS, Product, Refusal, Shop, ShopKey, ShopOption, ShopResult, StockLevel,
    sweep::Sweep,
};
use crate::{fold::Context, slot::Slot};
use schemas::{
    OptionId, ProductId, UserId,
    records::{BalanceCharged, BalanceSet, ProductListed, ProductOption, StockAdjusted},
};
use std::sync::Arc;

/// `None`: a value that no request of ours can have.
pub(super) type Found = Result<Option<ShopResult>, Vec<ShopKey>>;

impl Shop {
    pub(super) fn judge_listing(&self, context: Context<'_>, record: &ProductListed) -> Found {
        let fits = |text: &str, max| !text.is_empty() && text.chars().count() <= max;
        let sensible = fits(&record.name, MAX_PRODUCT_NAME_CHARS)
            && fits(&record.category, MAX_LABEL_CHARS)
            && record.description.chars().count() <= MAX_DESCRIPTION_CHARS
            && (1..=MAX_OPTIONS).contains(&record.options.len())
            && record
                .options
                .iter()
                .all(|o| fits(&o.color, MAX_LABEL_CHARS) && fits(&o.size, MAX_LABEL_CHARS));
        let (true, Some(price)) = (sensible, amount(record.price)) else { return Ok(None) };
        let Some((products, options)) = self.catalogue().end() else {
            return Err(vec![ShopKey::CatalogueEnd]);
        };
        let Some(product_id) = ProductId::new(products + 1) else { return Ok(None) };
        let row = |(at, option): (u64, &ProductOption)| {
            let stock = amount(option.stock)?;
            let row = ShopOption {
                product_id,
                color: option.color.as_str().into(),
                size: option.size.as_str().into(),
                listed: stock,
                stock,
                reserved: 0,
                sold: 0,
            };
            Some((OptionId::new(options + at)?, row))
        };
        let Some(options) = (1..).zip(&record.options).map(row).collect() else { return Ok(None) };
        let product = Product {
            name: record.name.as_str().into(),
            category: record.category.as_str().into(),
            description: record.description.as_str().into(),
            price,
            available: record.available,
            listed_at_ms: context.now_ms,
        };
        Ok(Some(ShopResult::Listed(Arc::new(Listing { product_id, product: Arc::new(product), options }))))
    }

    pub(super) fn judge_stock(&self, sweep: &Sweep, record: &StockAdjusted) -> Found {
        let delta = record.delta;
        if delta == 0 || delta.unsigned_abs() > MAX_AMOUNT {
            return Ok(None);
        }
        let Some(option_id) = OptionId::from_wire(record.product_option_id) else {
            return Ok(Some(ShopResult::StockRefused(Refusal::OptionNotFound)));
        };
        let option = match self.option(option_id) {
            Slot::NotLoaded => return Err(vec![ShopKey::Option(option_id)]),
            Slot::Absent => return Ok(Some(ShopResult::StockRefused(Refusal::OptionNotFound))),
            Slot::Loaded(option) => option,
        };
        let returned = sweep.returned(option_id);
        let stock = option.stock.checked_add_signed(delta).filter(|stock| *stock <= MAX_AMOUNT);
        let listed = option.listed.checked_add_signed(delta).filter(|listed| *listed <= MAX_AMOUNT);
        // Where rows say that less is reserved than falls due, `contradiction` says so.
        let reserved = option.reserved.saturating_sub(returned);
        Ok(Some(match (stock, listed) {
            (Some(stock), Some(_)) if stock >= reserved => {
                ShopResult::StockAdjusted(StockLevel { option_id, delta, stock, reserved })
            }
            _ if delta < 0 => ShopResult::StockRefused(Refusal::OutOfStock),
            _ => ShopResult::StockRefused(Refusal::WrongQuantity),
        }))
    }

    pub(super) fn judge_balance_set(&self, context: Context<'_>, record: &BalanceSet) -> Found {
        let (Some(user_id), Some(balance)) = (UserId::from_wire(record.user_id), amount(record.balance))
        else {
            return Ok(None);
        };
        let before = self.balance_of(context, user_id)?;
        let amount = balance as i64 - before as i64;
        let change = BalanceChange { user_id, cause: BalanceCause::Set, amount, balance };
        Ok(Some(ShopResult::BalanceChanged(change)))
    }

    pub(super) fn judge_charge(&self, context: Context<'_>, record: &BalanceCharged) -> Found {
        let (Some(user_id), Some(more @ 1..)) = (UserId::from_wire(record.user_id), amount(record.amount))
        else {
            return Ok(None);
        };
        let balance = self.balance_of(context, user_id)? + more;
        if balance > MAX_AMOUNT {
            return Ok(Some(ShopResult::BalanceRefused));
        }
        let change = BalanceChange { user_id, cause: BalanceCause::Charge, amount: more as i64, balance };
        Ok(Some(ShopResult::BalanceChanged(change)))
    }

    /// A balance: the opening one until it is touched.
    pub(super) fn balance_of(&self, context: Context<'_>, user: UserId) -> Result<u64, Vec<ShopKey>> {
        match self.balance(user) {
            Slot::Loaded(balance) => Ok(balance),
            // Rules may name any opening balance; a balance stays in its bounds.
            Slot::Absent => Ok(context.rules.opening_balance.unsigned_abs().min(MAX_AMOUNT)),
            Slot::NotLoaded => Err(vec![ShopKey::Balance(user)]),
        }
    }
}

/// Money or units as they stand in a record; `None` where out of bounds.
pub(super) fn amount(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value <= MAX_AMOUNT)
}
