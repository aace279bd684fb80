//! Tables `products` and `product_options`.

use crate::server::{assert_refused, in_schema};
use migrations::entity::{Numbered, product_options, products};
use migrations::{Failure, mysql_error_code};

/// The largest amount there may be.
const MAX_AMOUNT: u64 = (1 << 53) - 1;

fn product(id: u64) -> products::Model {
    products::Model {
        id,
        name: format!("Product \u{1f45f} {id} "),
        category: "SHOES".to_owned(),
        description: "\u{c2e0}\u{bc1c}".repeat(id as usize % 500),
        price: MAX_AMOUNT - id,
        available: !id.is_multiple_of(3),
        listed_at_ms: 1_700_000_000_000,
    }
}

fn option(id: u64) -> product_options::Model {
    product_options::Model {
        id,
        product_id: id.div_ceil(2),
        color: "red".to_owned(),
        size: "XL ".to_owned(),
        listed: 100,
        stock: 100,
        reserved: 0,
        sold: 0,
    }
}

#[tokio::test]
async fn products_and_options_come_back_as_they_went_in() {
    in_schema(|db| async move {
        assert_eq!(products::Entity::last_id(&db).await.unwrap(), 0);
        assert_eq!(product_options::Entity::last_id(&db).await.unwrap(), 0);
        // With descriptions of up to 3,000 bytes, so that statements are cut by their size too.
        let listed: Vec<_> = (1..=600).map(product).collect();
        let options: Vec<_> = (1..=1_200).map(option).collect();
        products::insert_many(&db, &listed).await.unwrap();
        product_options::insert_many(&db, &options).await.unwrap();
        assert_eq!(products::Entity::last_id(&db).await.unwrap(), 600);
        assert_eq!(product_options::Entity::last_id(&db).await.unwrap(), 1_200);
        assert_eq!(products::Entity::page(&db, 0, 1_000).await.unwrap(), listed);
        assert_eq!(product_options::Entity::page(&db, 200, 1_000).await.unwrap(), options[200..]);
        let ids = [601, 9, 3, 3];
        assert_eq!(products::Entity::find_by_ids(&db, &ids).await.unwrap(), [product(3), product(9)]);
        assert_eq!(
            product_options::Entity::find_by_ids(&db, &ids).await.unwrap(),
            [option(3), option(9), option(601)]
        );
    })
    .await;
}

#[tokio::test]
async fn levels_are_set_for_many_at_once_and_missing_options_show() {
    in_schema(|db| async move {
        let mut options: Vec<_> = (1..=300).map(option).collect();
        product_options::insert_many(&db, &options).await.unwrap();
        for (row, sold) in options.iter_mut().skip(1).zip((0..50).cycle()) {
            (row.sold, row.stock, row.reserved) = (sold, 200 - sold, sold % 7);
            row.listed = 200;
        }
        let mut levels: Vec<_> = options[1..].iter().map(product_options::Model::levels).rev().collect();
        levels.push(option(7_000).levels());
        assert_eq!(product_options::set_levels(&db, &levels).await.unwrap(), 299);
        assert_eq!(product_options::Entity::page(&db, 0, 1_000).await.unwrap(), options);
        let same = product_options::set_levels(&db, &levels[..1]).await.unwrap();
        assert_eq!(same, 1, "matched, not changed");
    })
    .await;
}

#[tokio::test]
async fn levels_that_contradict_each_other_are_refused() {
    in_schema(|db| async move {
        product_options::insert_many(&db, &[option(1)]).await.unwrap();
        let fits = option(1).levels();
        for wrong in [
            product_options::Levels { reserved: 101, ..fits },
            product_options::Levels { sold: 1, ..fits },
            product_options::Levels { stock: 99, ..fits },
            product_options::Levels { listed: MAX_AMOUNT + 1, stock: MAX_AMOUNT + 1, ..fits },
        ] {
            assert_refused(product_options::set_levels(&db, &[wrong]).await, 3819);
            let product_options::Levels { listed, stock, reserved, sold, .. } = wrong;
            let row = product_options::Model { listed, stock, reserved, sold, ..option(2) };
            assert_refused(product_options::insert_many(&db, &[row]).await, 3819);
        }
        assert_refused(product_options::insert_many(&db, &[option(1)]).await, 1062);
        assert_eq!(product_options::Entity::page(&db, 0, 9).await.unwrap(), [option(1)]);
    })
    .await;
}

#[tokio::test]
async fn the_longest_texts_fit_and_longer_ones_are_not_cut() {
    in_schema(|db| async move {
        let letter = "\u{1f45f}";
        let longest = products::Model {
            name: letter.repeat(products::NAME_MAX_CHARS),
            category: letter.repeat(products::CATEGORY_MAX_CHARS),
            description: letter.repeat(products::DESCRIPTION_MAX_CHARS),
            ..product(1)
        };
        products::insert_many(&db, std::slice::from_ref(&longest)).await.unwrap();
        assert_eq!(products::Entity::page(&db, 0, 9).await.unwrap(), std::slice::from_ref(&longest));
        let long = |text: &str| format!("{text}x");
        for too_long in [
            products::Model { id: 2, name: long(&longest.name), ..longest.clone() },
            products::Model { id: 2, category: long(&longest.category), ..longest.clone() },
            products::Model { id: 2, description: long(&longest.description), ..longest.clone() },
        ] {
            let error = products::insert_many(&db, &[too_long]).await.unwrap_err();
            assert_eq!((mysql_error_code(&error), Failure::of(&error)), (Some(1406), Failure::Contradiction));
        }
        let label = letter.repeat(product_options::LABEL_MAX_CHARS);
        let labels = product_options::Model { color: label.clone(), size: label, ..option(1) };
        product_options::insert_many(&db, std::slice::from_ref(&labels)).await.unwrap();
        assert_eq!(product_options::Entity::page(&db, 0, 9).await.unwrap(), [labels]);
        let dear = products::Model { price: MAX_AMOUNT + 1, ..product(3) };
        assert_refused(products::insert_many(&db, &[dear]).await, 3819);
        assert_refused(products::insert_many(&db, &[longest]).await, 1062);
    })
    .await;
}
