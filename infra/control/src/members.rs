//! Who the group coordinator lists: whoever is listed may write, so whoever is listed must have confirmed.

use crate::limits;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The instance: the client id without the group's name.
    pub instance: String,
    /// Partitions of the group's topic that it was given.
    pub partitions: Vec<i32>,
}

/// A group as its coordinator knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Everybody.
    pub members: Vec<Member>,
    /// Partitions are being handed around.
    pub is_rebalancing: bool,
}

/// Asks the coordinator; blocking.
pub struct Coordinator {
    consumer: BaseConsumer,
    prefix: String,
}

impl Coordinator {
    /// A client of its own.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(settings: &ClientConfig, prefix: &str) -> Result<Self, KafkaError> {
        Ok(Self { consumer: settings.create()?, prefix: prefix.to_owned() })
    }

    /// The members of a group.
    ///
    /// # Errors
    /// Brokers that do not answer.
    pub fn members(&self, group: &str) -> Result<Members, KafkaError> {
        let name = format!("{}{group}", self.prefix);
        let list = self.consumer.client().fetch_group_list(Some(&name), limits::CALL)?;
        let Some(found) = list.groups().iter().find(|found| found.name() == name) else {
            return Ok(Members::default());
        };
        let member = |member: &rdkafka::groups::GroupMemberInfo| {
            let client = member.client_id();
            let instance = client.strip_suffix(&format!("-{group}")).unwrap_or(client).to_owned();
            Member { instance, partitions: member.assignment().map(partitions).unwrap_or_default() }
        };
        Ok(Members {
            members: found.members().iter().map(member).collect(),
            is_rebalancing: matches!(found.state(), "PreparingRebalance" | "CompletingRebalance"),
        })
    }
}

/// The partitions of an assignment (consumer protocol: version, then each topic with its partitions). A group of ours
/// has one topic, so its name is not looked at.
fn partitions(mut bytes: &[u8]) -> Vec<i32> {
    fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(taken)
    }
    fn int(bytes: &mut &[u8]) -> Option<i32> {
        take(bytes, 4)?.try_into().ok().map(i32::from_be_bytes)
    }
    let mut read = || {
        let mut found = Vec::new();
        take(&mut bytes, 2)?;
        for _ in 0..int(&mut bytes)? {
            let name = take(&mut bytes, 2)?.try_into().ok().map(i16::from_be_bytes)?;
            take(&mut bytes, usize::try_from(name).ok()?)?;
            for _ in 0..int(&mut bytes)? {
                found.push(int(&mut bytes)?);
            }
        }
        Some(found)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::partitions;

    #[test]
    fn an_assignment_is_read_and_nonsense_is_none() {
        let bytes = [&[0, 1, 0, 0, 0, 1, 0, 2][..], b"ab", &[0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 7]].concat();
        assert_eq!(partitions(&bytes), [3, 7]);
        for cut in 0..bytes.len() {
            assert_eq!(partitions(&bytes[..cut]), [0; 0], "{cut}");
        }
        assert_eq!(partitions(&[0, 0, 0xff, 0xff, 0xff, 0xff]), [0; 0]);
    }
}
