//! Pages of a list.
//!
//! Owns limits and cursors. Promises that a cursor goes on behind the last name that was shown,
//! whatever was made or deleted in between. Never reads the store.

use super::fault::ApiFault;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Names behind this one, in the order of names.
    pub after: Option<String>,
    pub limit: usize,
}

impl Page {
    /// Takes the limit, `limit_max` if there is none, and the cursor of the page before.
    ///
    /// # Errors
    /// The limit is out of range, or the cursor is none of ours.
    pub fn new(
        limit: Option<i64>,
        cursor: Option<&str>,
        limit_max: usize,
    ) -> Result<Self, ApiFault> {
        let limit = match limit {
            None => limit_max,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=limit_max).contains(limit))
                .ok_or_else(|| {
                    ApiFault::invalid(format!("limit is {limit}: it must be 1 to {limit_max}"))
                })?,
        };
        let after = cursor
            .map(|cursor| {
                URL_SAFE_NO_PAD
                    .decode(cursor)
                    .ok()
                    .and_then(|name| String::from_utf8(name).ok())
                    .ok_or_else(|| ApiFault::bad("the cursor is not one that this list gave out"))
            })
            .transpose()?;
        Ok(Page { after, limit })
    }

    /// Cuts `names_and_more`, which was read one longer than the limit where there was more, and
    /// gives the cursor of the next page.
    pub fn cut<T>(&self, rows: &mut Vec<T>, name_of: impl Fn(&T) -> &str) -> Option<String> {
        if rows.len() <= self.limit {
            return None;
        }
        rows.truncate(self.limit);
        rows.last()
            .map(|last| URL_SAFE_NO_PAD.encode(name_of(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_on_behind_the_last_name_that_was_shown() {
        let page = Page::new(Some(2), None, 100).expect("a page");
        let mut names = vec!["a b", "c@d", "e"];
        let cursor = page.cut(&mut names, |name| name).expect("there is more");
        assert_eq!(names, ["a b", "c@d"]);
        let next = Page::new(Some(2), Some(&cursor), 100).expect("the next page");
        assert_eq!(next.after.as_deref(), Some("c@d"));
        assert_eq!(next.cut(&mut vec!["e"], |name| name), None);
    }

    #[test]
    fn limits_out_of_range_and_foreign_cursors_are_refused() {
        for limit in [0, -1, 101, i64::MAX] {
            assert!(Page::new(Some(limit), None, 100).is_err());
        }
        for cursor in ["*", "w_8", "not base64"] {
            assert!(Page::new(None, Some(cursor), 100).is_err());
        }
    }
}
