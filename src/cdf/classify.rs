//! The failure table: what an answer means for the rows of its request.
//!
//! Owns the mapping from CDF's answers to classes and SQLSTATEs; `docs/errors.md` lists it for
//! readers. Promises that every answer falls into a class. Never does I/O.

use super::answer::{Answer, ErrorBody, Named};
use super::{AttemptFailure, Operation, Reference, Repeat};
use crate::diagnostic::{Diagnostic, SqlState};

/// Openings of the messages for datapoints of the wrong kind, as Cognite's extractors know
/// them.
const TYPE_MISMATCHES: [&str; 2] = ["Expected string value", "Expected numeric value"];

/// Openings of the messages for things that a row points at and that do not exist, with the
/// column that points.
const MISSING_TARGETS: [(&str, &str); 4] = [
    ("Data set ids not found", "data_set_id"),
    ("Datasets ids not found", "data_set_id"),
    ("Invalid dataSetIds", "data_set_id"),
    ("Asset ids not found", "asset_id"),
];

/// Judges an answer that [`Operation::is_done`] does not take for success.
pub fn classify(operation: Operation, repeat: Repeat, answer: &Answer) -> AttemptFailure {
    let error = answer.error();
    let case = Case {
        operation,
        answer,
        error: &error,
    };
    if answer.auto_retryable || error.auto_retryable {
        return case.retry(true, case.busy_reason());
    }
    match answer.status {
        200..=299 => case.unexpected_success(),
        300..=399 => case.redirected(),
        400 | 422 => case.spoiled(),
        401 => case.not_signed_in(),
        403 => case.not_allowed(),
        404 => case.not_found(),
        409 => case.conflict(repeat),
        413 => case.split(Vec::new(), Vec::new(), case.too_large()),
        // Told to come back: nothing was done.
        429 => case.retry(true, case.busy_reason()),
        // Given up on the way: what lies behind may still be at work.
        408 | 502 | 504 => case.retry_unless_doubled(false, repeat),
        // Refused, or failed and over. 500 is a fault of CDF's that a repeat may pass.
        500..=599 => case.retry_unless_doubled(true, repeat),
        _ => AttemptFailure::Reject {
            reason: case.reason(
                SqlState::FDW_ERROR,
                format!("CDF did not take {}", operation.in_words()),
                "This answer is not one that CDF documents: check that base_url leads to CDF.",
            ),
        },
    }
}

struct Case<'a> {
    operation: Operation,
    answer: &'a Answer,
    error: &'a ErrorBody,
}

impl Case<'_> {
    /// Every reason says what happened, what CDF said, where to find it again, what to do.
    fn reason(
        &self,
        sqlstate: SqlState,
        message: impl Into<String>,
        hint: &str,
    ) -> Box<Diagnostic> {
        let who = if self.error.from_cdf { "CDF" } else { "Peer" };
        Box::new(
            Diagnostic::error(sqlstate, message)
                .with_detail(format!(
                    "{who} said: {} ({}).",
                    self.error.message.trim_end_matches('.'),
                    self.answer.in_words()
                ))
                .with_hint(hint),
        )
    }

    fn busy_reason(&self) -> Box<Diagnostic> {
        match self.answer.status {
            429 => self.reason(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                "CDF is being asked too often",
                "Lower the budget of this resource in limits.toml, or budget_share if other \
                 applications use the same client id.",
            ),
            _ => self.reason(
                SqlState::CONNECTION_FAILURE,
                format!("CDF could not take {} for now", self.operation.in_words()),
                "Try again later; if it goes on, give Cognite's support the x-request-id.",
            ),
        }
    }

    fn retry(&self, answered: bool, reason: Box<Diagnostic>) -> AttemptFailure {
        AttemptFailure::Retry {
            retry_after: self.answer.retry_after,
            answered,
            status: Some(self.answer.status),
            reason,
        }
    }

    fn retry_unless_doubled(&self, answered: bool, repeat: Repeat) -> AttemptFailure {
        match repeat {
            Repeat::Harmless | Repeat::Conflicts => self.retry(answered, self.busy_reason()),
            Repeat::Doubles => AttemptFailure::Unknown {
                reason: self.reason(
                    SqlState::STATEMENT_COMPLETION_UNKNOWN,
                    format!(
                        "CDF may or may not have {}: it failed while at work",
                        self.operation.in_words()
                    ),
                    "Look in CDF before you send the rows again. Rows with an external_id are \
                     repeated safely by themselves.",
                ),
            },
        }
    }

    fn split(
        &self,
        missing: Vec<Reference>,
        duplicated: Vec<Reference>,
        reason: Box<Diagnostic>,
    ) -> AttemptFailure {
        AttemptFailure::Split {
            missing,
            duplicated,
            reason,
        }
    }

    /// 400 and 422: something in the body.
    fn spoiled(&self) -> AttemptFailure {
        if let Some((_, column)) = MISSING_TARGETS
            .iter()
            .find(|(opening, _)| self.error.opens_with(opening))
        {
            return self.missing_target(column);
        }
        if !self.error.missing.is_empty() {
            return self.missing();
        }
        if !self.error.duplicated.is_empty() {
            return self.doubled();
        }
        if TYPE_MISMATCHES
            .iter()
            .any(|opening| self.error.opens_with(opening))
        {
            let reason = self.reason(
                SqlState::DATATYPE_MISMATCH,
                "a datapoint is not of its time series' type",
                "Write numbers to double_datapoints and strings to string_datapoints; is_string \
                 of a time series never changes.",
            );
            return self.split(Vec::new(), Vec::new(), reason);
        }
        if !self.error.missing_fields.is_empty() {
            let reason = self.reason(
                SqlState::NOT_NULL_VIOLATION,
                format!(
                    "CDF wants a value for {}",
                    self.error.missing_fields.join(", ")
                ),
                "Give the column a value in every row.",
            );
            return self.split(Vec::new(), Vec::new(), reason);
        }
        let reason = self.reason(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("CDF refused {}", self.operation.in_words()),
            "Correct the value that CDF names.",
        );
        self.split(Vec::new(), Vec::new(), reason)
    }

    /// Rows name something that CDF does not have.
    fn missing(&self) -> AttemptFailure {
        let missing = references(&self.error.missing);
        let reason = match self.operation {
            Operation::InsertDatapoints => self.reason(
                SqlState::FOREIGN_KEY_VIOLATION,
                format!("time series do not exist: {}", list(&missing)),
                "Insert them into time_series first, or set create_missing_time_series for \
                 this user.",
            ),
            _ => self.reason(
                SqlState::FOREIGN_KEY_VIOLATION,
                format!("rows name what CDF does not have: {}", list(&missing)),
                "Create it first.",
            ),
        };
        // A create names nothing of its own that could be missing: what is meant is some
        // object that a row points at, and nobody says by which column.
        let missing = match self.operation {
            Operation::InsertDatapoints | Operation::LookUpTimeSeries | Operation::ReadBack => {
                missing
            }
            Operation::InsertRawRows | Operation::CreateRawTables | Operation::CreateTimeSeries => {
                Vec::new()
            }
        };
        self.split(missing, Vec::new(), reason)
    }

    fn missing_target(&self, column: &'static str) -> AttemptFailure {
        let missing: Vec<Reference> = self
            .error
            .missing
            .iter()
            .filter_map(|named| match named {
                Named::Id(id) => Some(Reference::InColumn { column, id: *id }),
                Named::ExternalId(_) | Named::Name(_) => None,
            })
            .collect();
        let reason = self
            .reason(
                SqlState::FOREIGN_KEY_VIOLATION,
                match missing.is_empty() {
                    true => format!("{column} of a row does not exist in CDF"),
                    false => format!("rows point at what CDF does not have: {}", list(&missing)),
                },
                "Use the numeric id of an object that exists and that this identity may read.",
            )
            .with_column(column);
        self.split(missing, Vec::new(), Box::new(reason))
    }

    /// 422: the request itself names something twice.
    fn doubled(&self) -> AttemptFailure {
        let duplicated = references(&self.error.duplicated);
        if self.operation == Operation::InsertDatapoints {
            // One series under both its names. Neither row is wrong: they only need
            // requests of their own.
            let reason = self.reason(
                SqlState::UNIQUE_VIOLATION,
                format!(
                    "a request wrote to a time series by id and by external_id: {}",
                    list(&duplicated)
                ),
                "Name each time series in one way.",
            );
            return self.split(Vec::new(), Vec::new(), reason);
        }
        self.split(Vec::new(), duplicated.clone(), self.exists(&duplicated))
    }

    fn exists(&self, duplicated: &[Reference]) -> Box<Diagnostic> {
        let message = match duplicated.is_empty() {
            true => format!("some of {} exist already", self.operation.in_words()),
            false => format!("exists already in CDF: {}", list(duplicated)),
        };
        self.reason(
            SqlState::UNIQUE_VIOLATION,
            message,
            "Leave out the rows that exist already.",
        )
    }

    fn conflict(&self, repeat: Repeat) -> AttemptFailure {
        let duplicated = references(&self.error.duplicated);
        if duplicated.is_empty() && repeat == Repeat::Harmless {
            // An overwrite cannot exist already: two writers met at one object.
            return self.retry(true, self.busy_reason());
        }
        self.split(Vec::new(), duplicated.clone(), self.exists(&duplicated))
    }

    fn too_large(&self) -> Box<Diagnostic> {
        self.reason(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!(
                "CDF finds the request with {} too large",
                self.operation.in_words()
            ),
            "Lower bytes_max in [batch] of this resource; a single row this large does not fit \
             into CDF.",
        )
    }

    fn not_found(&self) -> AttemptFailure {
        if !self.error.missing.is_empty() {
            return self.missing();
        }
        AttemptFailure::Stop {
            reason: self.reason(
                SqlState::INVALID_CATALOG_NAME,
                "CDF does not know the project or the address",
                "Check project and base_url of this user.",
            ),
        }
    }

    fn not_signed_in(&self) -> AttemptFailure {
        AttemptFailure::Stop {
            reason: self.reason(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "CDF does not accept the token of this user",
                "Check that scope (or audience) is that of this CDF cluster, that project and \
                 base_url are right, and that the token has not expired.",
            ),
        }
    }

    fn not_allowed(&self) -> AttemptFailure {
        let capability = match self.operation {
            Operation::InsertDatapoints
            | Operation::CreateTimeSeries
            | Operation::LookUpTimeSeries
            | Operation::ReadBack => "timeSeriesAcl (READ and WRITE)",
            Operation::InsertRawRows | Operation::CreateRawTables => "rawAcl (WRITE)",
        };
        AttemptFailure::Stop {
            reason: self.reason(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("CDF does not allow {}", self.operation.in_words()),
                &format!("A group of this identity in CDF needs the capability {capability}."),
            ),
        }
    }

    fn redirected(&self) -> AttemptFailure {
        let target = match &self.answer.location {
            Some(location) => format!(" to {location}"),
            None => String::new(),
        };
        AttemptFailure::Stop {
            reason: self.reason(
                SqlState::CONNECTION_FAILURE,
                format!("the address in base_url redirects{target}"),
                "Set base_url to the CDF cluster itself, such as https://api.cognitedata.com.",
            ),
        }
    }

    /// 202, 204 and the like: neither refused nor surely done.
    fn unexpected_success(&self) -> AttemptFailure {
        let reason = self.reason(
            SqlState::STATEMENT_COMPLETION_UNKNOWN,
            format!(
                "CDF may or may not have {}: the answer is not one that says so",
                self.operation.in_words()
            ),
            "Check that base_url leads to CDF and not to a proxy's page.",
        );
        AttemptFailure::Unknown { reason }
    }
}

fn references(named: &[Named]) -> Vec<Reference> {
    named
        .iter()
        .map(|named| match named {
            Named::Id(id) => Reference::Id(*id),
            Named::ExternalId(external_id) => Reference::ExternalId(external_id.clone()),
            Named::Name(name) => Reference::Name(name.clone()),
        })
        .collect()
}

/// The first few, and how many more.
fn list(references: &[Reference]) -> String {
    const SHOWN: usize = 3;
    let mut words: Vec<String> = references
        .iter()
        .take(SHOWN)
        .map(Reference::in_words)
        .collect();
    if references.len() > SHOWN {
        words.push(format!("and {} more", references.len() - SHOWN));
    }
    words.join(", ")
}
