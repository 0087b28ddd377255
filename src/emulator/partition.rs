//! Parts of a list, to read it in parallel.
//!
//! Owns the text form `m/n` and which object is in which part. Never knows a list.

use super::answer::Refusal;

/// The m-th of n disjoint parts of a list.
#[derive(Debug, Clone, Copy)]
pub struct Partition {
    number: i64,
    count: i64,
}

impl Partition {
    /// Reads `m/n`; more than `count_max` parts are refused.
    pub fn parse(text: &str, count_max: Option<i64>) -> Result<Self, Refusal> {
        let partition = text
            .split_once('/')
            .and_then(|(number, count)| {
                Some(Self {
                    number: number.parse().ok()?,
                    count: count.parse().ok()?,
                })
            })
            .filter(|partition| (1..=partition.count).contains(&partition.number))
            .ok_or_else(|| {
                Refusal::invalid(format!("partition: '{text}' is not of the form m/n"))
            })?;
        match count_max {
            Some(most) if partition.count > most => Err(Refusal::invalid(format!(
                "partition: at most {most} parts are allowed, got {}",
                partition.count
            ))),
            _ => Ok(partition),
        }
    }

    /// Whether the object with this id is in the part.
    pub fn holds(&self, id: i64) -> bool {
        id % self.count == self.number - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_in_exactly_one_part() {
        for id in 1..50 {
            let parts = (1..=7).filter(|number| {
                Partition::parse(&format!("{number}/7"), None).is_ok_and(|part| part.holds(id))
            });
            assert_eq!(parts.count(), 1, "{id}");
        }
    }

    #[test]
    fn a_part_that_is_none_is_refused() {
        for text in ["0/2", "3/2", "1", "a/b", "1/0"] {
            assert!(Partition::parse(text, None).is_err(), "{text}");
        }
        assert!(Partition::parse("1/11", Some(10)).is_err());
    }
}
