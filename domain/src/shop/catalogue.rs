//! What is sold: products and their options, with dense ids.

use crate::slot::{Scope, Slot};
use schemas::{OptionId, ProductId};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A product's row; nothing of it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Shown to people.
    pub name: Arc<str>,
    /// For lists.
    pub category: Arc<str>,
    /// Shown to people.
    pub description: Arc<str>,
    /// Minor units.
    pub price: u64,
    /// Whether it may be ordered.
    pub available: bool,
    /// Log clock, in ms since the epoch.
    pub listed_at_ms: i64,
}

/// An option's row. Always `stock + sold == listed` and `reserved <= stock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopOption {
    /// Of which product.
    pub product_id: ProductId,
    /// Shown to people.
    pub color: Arc<str>,
    /// Shown to people.
    pub size: Arc<str>,
    /// Units ever put in stock, less those taken away by an administrator.
    pub listed: u64,
    /// Units in stock, reserved ones included.
    pub stock: u64,
    /// Units promised to open orders.
    pub reserved: u64,
    /// Units sold.
    pub sold: u64,
}

impl ShopOption {
    /// Units that may still be ordered.
    #[must_use]
    pub const fn available(&self) -> u64 {
        self.stock.saturating_sub(self.reserved)
    }
}

/// All products and options, or those that were loaded.
#[derive(Debug)]
pub struct Catalogue {
    scope: Scope,
    products: HashMap<ProductId, Arc<Product>>,
    options: HashMap<OptionId, ShopOption>,
    /// Options that are known not to be there (partial state only).
    absent: HashSet<OptionId>,
    /// Each product's first option; the others follow it (full state only).
    first_options: HashMap<ProductId, u64>,
    /// Products and options so far; `None` in a partial state that was not told.
    end: Option<(u64, u64)>,
}

impl Catalogue {
    pub(super) fn new(scope: Scope) -> Self {
        let end = (scope == Scope::Full).then_some((0, 0));
        Self {
            scope,
            products: HashMap::new(),
            options: HashMap::new(),
            absent: HashSet::new(),
            first_options: HashMap::new(),
            end,
        }
    }

    /// A product.
    #[must_use]
    pub fn product(&self, id: ProductId) -> Slot<&Arc<Product>> {
        self.products.get(&id).map_or_else(|| self.scope.unknown(), Slot::Loaded)
    }

    /// An option.
    #[must_use]
    pub fn option(&self, id: OptionId) -> Slot<&ShopOption> {
        match self.options.get(&id) {
            Some(option) => Slot::Loaded(option),
            None if self.absent.contains(&id) => Slot::Absent,
            None => self.scope.unknown(),
        }
    }

    /// The options of a product, by id (full state only).
    pub fn options_of(&self, id: ProductId) -> impl Iterator<Item = (OptionId, &ShopOption)> {
        let first = self.first_options.get(&id).copied();
        let ids = first.into_iter().flat_map(|first| (first..).map_while(OptionId::new));
        let options = ids.map_while(|option_id| Some((option_id, self.option(option_id).loaded()?)));
        options.take_while(move |(_, option)| option.product_id == id)
    }

    /// How many products and options there are; `None` where a partial state was not told.
    #[must_use]
    pub const fn end(&self) -> Option<(u64, u64)> {
        self.end
    }

    /// How many there are by the table; what is known already is newer.
    pub(super) fn load_end(&mut self, products: u64, options: u64) {
        self.end.get_or_insert((products, options));
    }

    /// A stored option and its product; what is known already is newer than any table.
    pub(super) fn load_option(&mut self, id: OptionId, row: Option<(ShopOption, Arc<Product>)>) {
        match row {
            Some((option, product)) => {
                self.products.entry(option.product_id).or_insert(product);
                self.options.entry(id).or_insert(option);
            }
            None => {
                self.absent.insert(id);
            }
        }
    }

    /// Forgets which options were not there: anybody may name any number.
    pub(super) fn settle(&mut self) {
        self.absent.clear();
    }

    pub(super) fn list(&mut self, id: ProductId, product: Arc<Product>, options: &[(OptionId, ShopOption)]) {
        self.products.insert(id, product);
        for (option_id, option) in options {
            self.options.insert(*option_id, option.clone());
        }
        if let (Scope::Full, Some((first, _))) = (self.scope, options.first()) {
            self.first_options.insert(id, first.get());
        }
        let last = options.last().map(|(option_id, _)| option_id.get());
        self.end = self.end.map(|(_, before)| (id.get(), last.unwrap_or(before)));
    }

    pub(super) fn change(&mut self, id: OptionId, change: impl FnOnce(&mut ShopOption)) {
        if let Some(option) = self.options.get_mut(&id) {
            change(option);
        }
    }
}
