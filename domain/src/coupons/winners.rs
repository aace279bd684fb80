//! The winners of one coupon: user by number, and number by user, in about 20 bytes each.

use hashbrown::{HashTable, hash_table::Entry};
use schemas::UserId;
use xxhash_rust::xxh3::xxh3_64;

/// Growth of the list in parts of its length: doubling would waste up to 8 bytes a winner.
const GROWTH_DIVISOR: usize = 8;
/// Smallest growth, in winners.
const MIN_GROWTH: usize = 64;

/// Winner numbers 1 .. N without a gap.
#[derive(Clone, Debug, Default)]
pub struct Winners {
    users: Vec<u64>,
    /// Winner numbers less one, found by the hash of the user id that stands there.
    index: HashTable<u32>,
}

fn hash_of(user: u64) -> u64 {
    xxh3_64(&user.to_le_bytes())
}

impl Winners {
    /// The winner number of a user.
    #[must_use]
    pub fn number_of(&self, user_id: UserId) -> Option<u32> {
        let user = user_id.get();
        let found = self.index.find(hash_of(user), |&at| self.users[at as usize] == user)?;
        Some(found + 1)
    }

    /// Adds the next winner; a user who is there already stays as they are.
    pub fn push(&mut self, user_id: UserId) {
        let user = user_id.get();
        let users = &self.users;
        if let Entry::Vacant(slot) = self.index.entry(
            hash_of(user),
            |&at| users[at as usize] == user,
            |&at| hash_of(users[at as usize]),
        ) {
            slot.insert(self.users.len() as u32);
            if self.users.len() == self.users.capacity() {
                self.users.reserve_exact((self.users.len() / GROWTH_DIVISOR).max(MIN_GROWTH));
            }
            self.users.push(user);
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// User ids by winner number, from 1 on.
    #[must_use]
    pub fn users(&self) -> &[u64] {
        &self.users
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.users.capacity() * size_of::<u64>() + self.index.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promised: at most 24 bytes a winner. The worst moment is just after the index has doubled.
    #[test]
    fn a_winner_takes_at_most_24_bytes() {
        let mut winners = Winners::default();
        let mut worst = 0.0_f64;
        for user in 1..=3_000_000_u64 {
            winners.push(UserId::new(user * 977).expect("in bounds"));
            if user >= 1_000_000 && user % 1_000 == 0 {
                worst = worst.max(winners.memory_bytes() as f64 / user as f64);
            }
        }
        assert!(worst <= 24.0, "{worst} bytes a winner");
        assert_eq!(winners.number_of(UserId::new(977 * 7).expect("in bounds")), Some(7));
        assert_eq!(winners.number_of(UserId::new(1).expect("in bounds")), None);
    }
}
