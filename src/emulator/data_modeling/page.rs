//! Pages of spaces, containers, views and data models.
//!
//! Owns their query parameters and the paging, which follows the identifiers: a cursor is
//! the last one of its page.

use crate::emulator::answer::Refusal;
use crate::emulator::cursor;
use crate::emulator::query::Query;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What a list gives when nothing is asked for.
const LIMIT_DEFAULT: i64 = 10;
/// As documented, a page has no more than these whatever is asked for.
const LIMIT_MAX: i64 = 1_000;

/// What a list call asks for in its query string.
#[derive(Debug)]
pub struct PageRequest<'a> {
    limit: usize,
    cursor: Option<&'a str>,
    /// Only what is in this space.
    pub space: Option<&'a str>,
    /// Also what belongs to the system.
    pub include_global: bool,
    /// All versions, not the newest only.
    pub all_versions: bool,
}

impl<'a> PageRequest<'a> {
    /// Reads the parameters.
    pub fn read(query: &'a Query) -> Result<Self, Refusal> {
        let limit = query.number("limit")?.unwrap_or(LIMIT_DEFAULT);
        if limit < 1 {
            return Err(Refusal::invalid(format!(
                "limit: must be at least 1, got {limit}"
            )));
        }
        Ok(Self {
            limit: usize::try_from(limit.min(LIMIT_MAX)).unwrap_or(1),
            cursor: query.get("cursor").filter(|text| !text.is_empty()),
            space: query.get("space").filter(|text| !text.is_empty()),
            include_global: query.flag("includeGlobal", false)?,
            all_versions: query.flag("allVersions", false)?,
        })
    }

    /// Whether something in `space`, of the system or not, is asked for.
    pub fn wants(&self, space: &str, is_global: bool) -> bool {
        self.space.is_none_or(|wanted| wanted == space) && (self.include_global || !is_global)
    }

    /// The entries of a page of `list` that `keep` lets through, and the cursor of the
    /// next page.
    pub fn cut<'m, K, V>(
        &self,
        list: &str,
        entries: &'m BTreeMap<K, V>,
        keep: impl Fn(&K, &V) -> bool,
    ) -> Result<(Vec<&'m V>, Option<String>), Refusal>
    where
        K: Ord + Clone + Serialize + DeserializeOwned,
    {
        let after = match self.cursor {
            Some(text) => Bound::Excluded(cursor::decode::<K>(list, text)?),
            None => Bound::Unbounded,
        };
        let mut rest = entries
            .range((after, Bound::Unbounded))
            .filter(|(id, entry)| keep(id, entry));
        let mut page = Vec::new();
        let mut last = None;
        for (id, entry) in rest.by_ref().take(self.limit) {
            page.push(entry);
            last = Some(id);
        }
        let next = rest.next().and(last).map(|last| cursor::encode(list, last));
        Ok((page, next))
    }
}
