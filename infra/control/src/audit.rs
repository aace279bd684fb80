//! Every change that somebody asked for, as it stands in `control.audit`: an operation, with before and after.

use crate::{Holder, Scope};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use uuid::Uuid;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A hold was placed.
    Pause,
    /// A hold was taken back.
    Resume,
    /// A hold got another end.
    Extend,
    /// A hold's time had passed.
    Expire,
    /// Settings were changed.
    Tune,
    /// An offset is passed over.
    Skip,
    /// Another server counts.
    Cutover,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name.
    pub id: Uuid,
    /// What.
    pub kind: Kind,
    /// When, by the clock of the process that took the request.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// For which holder.
    #[serde(default)]
    pub holder: Option<Holder>,
    /// What it concerns.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// Offset of its last record in `control`: whoever obeys everything up to here obeys it.
    pub epoch: u64,
    /// As it was before.
    pub before: serde_json::Value,
    /// As it is from now on.
    pub after: serde_json::Value,
}

/// The newest operations.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    known: VecDeque<Operation>,
    next: u64,
}

impl Operations {
    /// One record more; what is no operation is passed over.
    pub fn apply(&mut self, offset: u64, value: Option<&[u8]>) {
        self.reached(offset + 1);
        let read = |value| serde_json::from_slice::<Operation>(value).ok();
        // Whoever reads the topic anew meets those again that it knows.
        let is_new = |operation: &Operation| self.find(operation.id).is_none();
        let Some(operation) = value.and_then(read).filter(is_new) else { return };
        self.known.push_back(operation);
        if self.known.len() > crate::limits::MAX_OPERATIONS {
            self.known.pop_front();
        }
    }

    /// Offset of the next record.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Everything before `next` was read, or is gone.
    pub fn reached(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// One of them.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<&Operation> {
        self.known.iter().rev().find(|operation| operation.id == id)
    }

    /// The newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Operation> {
        self.known.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_read_twice_is_listed_once() {
        let mut operations = Operations::default();
        let of = |id: u128| {
            let operation = Operation {
                id: Uuid::from_u128(id),
                kind: Kind::Pause,
                at_ms: 1,
                actor: "a".to_owned(),
                reason: String::new(),
                holder: None,
                scopes: Vec::new(),
                epoch: 0,
                before: json!(null),
                after: json!(null),
            };
            serde_json::to_vec(&operation).unwrap()
        };
        for (offset, id) in [(0, 1), (1, 2), (0, 1), (3, 3), (1, 2)] {
            operations.apply(offset, Some(&of(id)));
        }
        operations.apply(4, Some(b"{}"));
        operations.apply(5, None);
        assert_eq!(operations.next(), 6);
        let newest: Vec<u128> = operations.newest().map(|operation| operation.id.as_u128()).collect();
        assert_eq!(newest, [3, 2, 1]);
    }
}
