//! What a client is told of an answer: SQLSTATE, message, DETAIL, HINT.
//!
//! Owns the words for CDF's answers. Promises that each says what happened, what CDF said,
//! where to find it again, and what to do. Never decides what happens to the rows.

use super::answer::{Answer, ErrorBody};
use super::{Operation, Reference};
use crate::catalog::Resource;
use crate::diagnostic::{CdfAnswer, Diagnostic, SqlState};

/// References named in a message; the rest is counted.
const REFERENCES_SHOWN: usize = 3;

/// An answer, and what was asked.
pub struct Reasons<'a> {
    pub operation: Operation,
    pub answer: &'a Answer,
    pub error: &'a ErrorBody,
}

impl Reasons<'_> {
    fn reason(
        &self,
        sqlstate: SqlState,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Box<Diagnostic> {
        let who = if self.error.from_cdf { "CDF" } else { "Peer" };
        Box::new(
            Diagnostic::error(sqlstate, message)
                .with_detail(format!(
                    "{who} said: {} ({}).",
                    self.error.message.trim_end_matches('.'),
                    self.answer.in_words()
                ))
                .with_hint(hint)
                .with_answer(CdfAnswer {
                    code: self.answer.status,
                    request_id: self.answer.request_id.clone(),
                }),
        )
    }

    pub fn busy(&self) -> Box<Diagnostic> {
        if self.answer.status == 429 {
            return self.reason(
                SqlState::INSUFFICIENT_RESOURCES,
                "CDF is being asked too often",
                "Lower the budget of this resource in limits.toml, or budget_share if other \
                 applications use the same client id.",
            );
        }
        self.reason(
            SqlState::CONNECTION_FAILURE,
            format!("CDF could not take {} for now", self.operation.in_words()),
            "Try again later; if it goes on, give Cognite's support the x-request-id.",
        )
    }

    pub fn failed_at_work(&self) -> Box<Diagnostic> {
        self.reason(
            SqlState::STATEMENT_COMPLETION_UNKNOWN,
            format!(
                "CDF may or may not have {}: it failed while at work",
                self.operation.in_words()
            ),
            "Look in CDF before you send the rows again. Rows with an external_id are repeated \
             safely by themselves.",
        )
    }

    /// 202, 204, a proxy's page: neither refused nor surely done.
    pub fn unexpected_success(&self) -> Box<Diagnostic> {
        self.reason(
            SqlState::STATEMENT_COMPLETION_UNKNOWN,
            format!(
                "CDF may or may not have {}: the answer is not one that says so",
                self.operation.in_words()
            ),
            "Check that base_url leads to CDF and not to a proxy's page.",
        )
    }

    pub fn redirected(&self) -> Box<Diagnostic> {
        let target = match &self.answer.location {
            Some(location) => format!(" to {location}"),
            None => String::new(),
        };
        self.reason(
            SqlState::CONNECTION_FAILURE,
            format!("the address in base_url redirects{target}"),
            "Set base_url to the CDF cluster itself, such as https://api.cognitedata.com.",
        )
    }

    pub fn missing(&self, missing: &[Reference]) -> Box<Diagnostic> {
        match self.operation {
            Operation::InsertDatapoints => self.reason(
                SqlState::FOREIGN_KEY_VIOLATION,
                format!("time series do not exist: {}", list(missing)),
                match missing.iter().any(is_instance) {
                    false => {
                        "Insert them into time_series first, or set create_missing_time_series \
                         for this user."
                    }
                    true => {
                        "Make the nodes first, with data in the view cdf_cdm/CogniteTimeSeries/v1, \
                         or set create_missing_time_series for this user."
                    }
                },
            ),
            _ => self.reason(
                SqlState::FOREIGN_KEY_VIOLATION,
                format!("rows name what CDF does not have: {}", list(missing)),
                "Create it first.",
            ),
        }
    }

    pub fn missing_target(&self, column: &'static str, missing: &[Reference]) -> Box<Diagnostic> {
        let message = match missing.is_empty() {
            true => format!("{column} of a row does not exist in CDF"),
            false => format!("rows point at what CDF does not have: {}", list(missing)),
        };
        let reason = self.reason(
            SqlState::FOREIGN_KEY_VIOLATION,
            message,
            "Point at an object that exists and that this identity may read.",
        );
        Box::new(reason.with_column(column))
    }

    pub fn exists(&self, duplicated: &[Reference]) -> Box<Diagnostic> {
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

    pub fn two_names(&self, duplicated: &[Reference]) -> Box<Diagnostic> {
        self.reason(
            SqlState::UNIQUE_VIOLATION,
            format!(
                "a request wrote to a time series under two names: {}",
                list(duplicated)
            ),
            "Name each time series in one way.",
        )
    }

    pub fn wrong_type(&self) -> Box<Diagnostic> {
        self.reason(
            SqlState::DATATYPE_MISMATCH,
            "a datapoint is not of its time series' type",
            "Write numbers to double_datapoints and strings to string_datapoints; the type of a \
             time series never changes.",
        )
    }

    pub fn missing_fields(&self) -> Box<Diagnostic> {
        self.reason(
            SqlState::NOT_NULL_VIOLATION,
            format!(
                "CDF wants a value for {}",
                self.error.missing_fields.join(", ")
            ),
            "Give the column a value in every row.",
        )
    }

    pub fn invalid(&self) -> Box<Diagnostic> {
        self.reason(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("CDF refused {}", self.operation.in_words()),
            "Correct the value that CDF names.",
        )
    }

    pub fn too_large(&self) -> Box<Diagnostic> {
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

    pub fn not_found(&self) -> Box<Diagnostic> {
        self.reason(
            SqlState::INVALID_CATALOG_NAME,
            "CDF does not know the project or the address",
            "Check project and base_url of this user.",
        )
    }

    pub fn not_signed_in(&self) -> Box<Diagnostic> {
        self.reason(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "CDF does not accept the token of this user",
            "Check that scope (or audience) is that of this CDF cluster, that project and \
             base_url are right, and that the token has not expired.",
        )
    }

    pub fn not_allowed(&self) -> Box<Diagnostic> {
        let capability = match self.operation {
            Operation::ReadBack => "timeSeriesAcl (READ) or rawAcl (READ)",
            Operation::LookUp(Resource::RawRows) => "rawAcl (READ)",
            Operation::List(Resource::RawRows | Resource::RawTables) => "rawAcl (LIST and READ)",
            Operation::LookUp(Resource::Instances) => "dataModelInstancesAcl (READ)",
            Operation::List(Resource::Instances) => {
                "dataModelInstancesAcl (READ) or dataModelsAcl (READ)"
            }
            operation => operation.resource().capability(),
        };
        self.reason(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("CDF does not allow {}", self.operation.in_words()),
            format!("A group of this identity in CDF needs the capability {capability}."),
        )
    }

    pub fn undocumented(&self) -> Box<Diagnostic> {
        self.reason(
            SqlState::FDW_ERROR,
            format!("CDF did not take {}", self.operation.in_words()),
            "This answer is not one that CDF documents: check that base_url leads to CDF.",
        )
    }
}

fn is_instance(reference: &Reference) -> bool {
    matches!(reference, Reference::InstanceId(_))
}

/// The first few, and how many more.
fn list(references: &[Reference]) -> String {
    let mut words: Vec<String> = references
        .iter()
        .take(REFERENCES_SHOWN)
        .map(Reference::in_words)
        .collect();
    if references.len() > REFERENCES_SHOWN {
        words.push(format!("and {} more", references.len() - REFERENCES_SHOWN));
    }
    words.join(", ")
}
