//! The sample shop: products, orders, balances. Data, and what it comes to.

use schemas::{
    Record, Uuid,
    records::{BalanceSet, OrderItem, OrderPlaced, PaymentRequested, ProductListed, ProductOption},
};

/// Units of options 1 to 20 once the sample orders are paid.
const STOCK: i64 = 100_000;
/// Balances of users 1 to 5 once they have paid, in minor units.
pub(super) const BALANCES: [i64; 5] = [100_000, 50_000, 200_000, 0, 500_000];

/// A product, in the order of the ids.
pub(super) struct Good {
    pub(super) name: &'static str,
    category: &'static str,
    description: &'static str,
    /// Minor units.
    price: i64,
    pub(super) available: bool,
    /// Color and size.
    pub(super) options: &'static [(&'static str, &'static str)],
}

const fn good(
    name: &'static str,
    category: &'static str,
    price: i64,
    options: &'static [(&'static str, &'static str)],
) -> Good {
    Good { name, category, description: "Sample product", price, available: true, options }
}

/// Products 1 to 10 have two options each. Option 21 must stand behind theirs and be on sale, so it has a product of its
/// own: 11.
pub(super) const GOODS: [Good; 11] = [
    good("Runner", "SHOES", 89_000, &[("Black", "260"), ("White", "270")]),
    good("Trail Runner", "SHOES", 119_000, &[("Olive", "260"), ("Grey", "270")]),
    good("Canvas Sneaker", "SHOES", 49_000, &[("Navy", "250"), ("Red", "260")]),
    good("Leather Loafer", "SHOES", 139_000, &[("Brown", "265"), ("Black", "275")]),
    good("Oxford Shirt", "CLOTHING", 39_000, &[("White", "M"), ("Blue", "L")]),
    good("Wool Coat", "CLOTHING", 199_000, &[("Charcoal", "M"), ("Camel", "L")]),
    good("Denim Jeans", "CLOTHING", 59_000, &[("Indigo", "30"), ("Black", "32")]),
    good("Wireless Earbuds", "ELECTRONICS", 129_000, &[("White", "One size"), ("Black", "One size")]),
    good("Mechanical Keyboard", "ELECTRONICS", 99_000, &[("Grey", "87 keys"), ("White", "104 keys")]),
    Good {
        available: false,
        ..good("Smart Watch", "ELECTRONICS", 249_000, &[("Silver", "40 mm"), ("Black", "44 mm")])
    },
    good("Limited Sneaker", "SHOES", 179_000, &[("Gold", "270")]),
];

/// The option of which nothing is left.
const SOLD_OUT_OPTION: i64 = 21;

/// An order: whose, and its lines as option and quantity.
pub(super) struct Deal {
    pub(super) user_id: i64,
    pub(super) lines: &'static [(i64, i64)],
}

/// Orders 1 to 10.
pub(super) const DEALS: [Deal; 10] = [
    Deal { user_id: 1, lines: &[(1, 3), (9, 1)] },
    Deal { user_id: 2, lines: &[(15, 2)] },
    Deal { user_id: 3, lines: &[(1, 2), (17, 1)] },
    Deal { user_id: 4, lines: &[(5, 4)] },
    Deal { user_id: 5, lines: &[(11, 1), (13, 2)] },
    Deal { user_id: 1, lines: &[(16, 1)] },
    Deal { user_id: 2, lines: &[(3, 1), (6, 2)] },
    Deal { user_id: 3, lines: &[(2, 1)] },
    Deal { user_id: 4, lines: &[(18, 1), (10, 3)] },
    Deal { user_id: 5, lines: &[(7, 1)] },
];

/// The first option of a product that is known by its place from 0.
pub(super) fn first_option(place: usize) -> i64 {
    1 + GOODS[..place].iter().map(|good| good.options.len() as i64).sum::<i64>()
}

fn price_of(option: i64) -> i64 {
    let good = (0..GOODS.len()).rfind(|place| first_option(*place) <= option);
    good.map_or(0, |place| GOODS[place].price)
}

/// Units of an option in all sample orders.
fn sold(option: i64) -> i64 {
    let lines = DEALS.iter().flat_map(|deal| deal.lines);
    lines.filter(|(of, _)| *of == option).map(|(_, quantity)| quantity).sum()
}

/// What a user pays for all sample orders, in minor units.
fn spent(user_id: i64) -> i64 {
    let lines = DEALS.iter().filter(|deal| deal.user_id == user_id).flat_map(|deal| deal.lines);
    lines.map(|(option, quantity)| price_of(*option) * quantity).sum()
}

/// Lists the product at a place from 0, with what the sample orders will take from it.
pub(super) fn listing(place: usize) -> Record {
    let good = &GOODS[place];
    let stock = |option| if option == SOLD_OUT_OPTION { 0 } else { STOCK + sold(option) };
    let options = (first_option(place)..).zip(good.options).map(|(option, (color, size))| ProductOption {
        color: (*color).to_owned(),
        size: (*size).to_owned(),
        stock: stock(option),
    });
    ProductListed {
        event_id: Uuid::new_v4(),
        fingerprint: None,
        name: good.name.to_owned(),
        category: good.category.to_owned(),
        description: good.description.to_owned(),
        price: good.price,
        available: good.available,
        options: options.collect(),
    }
    .into()
}

/// Gives a user what the sample orders will take, and the contract's balance beside it.
pub(super) fn funds(user_id: i64) -> Record {
    let own = BALANCES.get(user_id as usize - 1).copied().unwrap_or(0);
    let balance = own + spent(user_id);
    BalanceSet { event_id: Uuid::new_v4(), fingerprint: None, user_id, balance }.into()
}

/// Places an order.
pub(super) fn order(deal: &Deal) -> Record {
    let items = deal.lines.iter();
    let items = items.map(|&(product_option_id, quantity)| OrderItem { product_option_id, quantity });
    let (event_id, user_id) = (Uuid::new_v4(), deal.user_id);
    OrderPlaced { event_id, fingerprint: None, user_id, items: items.collect() }.into()
}

/// Pays an order.
pub(super) fn payment(order_id: i64, deal: &Deal) -> Record {
    let (event_id, user_id) = (Uuid::new_v4(), deal.user_id);
    PaymentRequested { event_id, fingerprint: None, order_id, user_id, coupon_id: None, proof: None }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_shop_is_the_contracts() {
        assert_eq!(first_option(GOODS.len()), 22, "options 1 to 21");
        assert_eq!(first_option(10), SOLD_OUT_OPTION);
        assert!(GOODS[..10].iter().all(|good| good.options.len() == 2));
        let not_for_sale: Vec<_> =
            (1..).zip(&GOODS).filter(|(_, good)| !good.available).map(|(id, _)| id).collect();
        assert_eq!(not_for_sale, [10]);
        for deal in &DEALS {
            assert!((1..=5).contains(&deal.user_id));
            assert!(deal.lines.iter().all(|(option, quantity)| *option < 19 && *quantity > 0));
        }
        assert_eq!(
            (price_of(1), price_of(18), price_of(19), price_of(21)),
            (89_000, 99_000, 249_000, 179_000)
        );
        assert_eq!((sold(1), sold(21)), (5, 0));
        assert_eq!(spent(4), 4 * 49_000 + 99_000 + 3 * 39_000);
    }
}
