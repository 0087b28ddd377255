//! The values that labels can take.
//!
//! Owns one enum per label. Promises a closed set: the number of time series that a scrape
//! returns is known at compile time. Never holds names from outside (users, series, tokens).

use crate::catalog::Resource;
use crate::dead_letters::LetterSource;

/// A label with a closed set of values.
pub trait LabelValue: Copy + 'static {
    /// Every value, in the order of [`LabelValue::index`].
    const ALL: &'static [Self];
    /// The value in a scrape.
    fn label(self) -> &'static str;
    /// Position in [`LabelValue::ALL`].
    fn index(self) -> usize;
}

macro_rules! label_values {
    ($($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $value:ident = $text:literal,)* })*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum $name { $($(#[$meaning])* $value,)* }

            impl LabelValue for $name {
                const ALL: &'static [Self] = &[$($name::$value,)*];

                fn label(self) -> &'static str {
                    match self { $($name::$value => $text,)* }
                }

                fn index(self) -> usize {
                    self as usize
                }
            }
        )*
    };
}

label_values! {
    /// What became of a row.
    Verdict {
        /// CDF has it.
        Accepted = "accepted",
        /// It can never succeed.
        Rejected = "rejected",
        /// It was not sent, or surely not accepted, and will not be sent again.
        Failed = "failed",
        /// It was sent, and nobody knows whether CDF has it.
        Unknown = "unknown",
    }

    /// Why a request is sent again.
    RetryCause {
        /// No connection to CDF.
        Connect = "connect",
        /// No answer in time, or the connection broke before one.
        Timeout = "timeout",
        /// 429.
        Throttled = "throttled",
        /// 5xx.
        ServerError = "server_error",
        /// CDF does not see yet what an earlier write made.
        Missing = "missing",
        /// Any other answer that CDF marks as safe to repeat.
        AutoRetryable = "auto_retryable",
    }

    /// What a 429 was for.
    ThrottleKind {
        /// Too fast, or CDF did not say.
        Rate = "rate",
        /// Too many requests at once.
        Concurrency = "concurrency",
        /// Two requests changed one object at once.
        Conflict = "conflict",
    }

    /// How CDF answered one attempt of a request.
    RequestAnswer {
        /// 2xx.
        Success = "success",
        /// 429.
        Throttled = "throttled",
        /// Any other 4xx.
        ClientError = "client_error",
        /// 5xx.
        ServerError = "server_error",
        /// No answer: no connection, time-out, broken connection.
        None = "none",
    }

    /// What an engine is doing.
    EngineState {
        /// It cannot be asked yet.
        Starting = "starting",
        /// It is nobody's yet.
        Spare = "spare",
        /// It runs a statement or a transaction.
        Leased = "leased",
        /// It waits for the next statement of its user.
        Idle = "idle",
    }

    /// Why an engine ended.
    EngineEnd {
        /// It did not start.
        NotStarted = "not_started",
        /// Nobody used it for a while.
        Rested = "rested",
        /// Another user needed the place.
        Displaced = "displaced",
        /// Its statement was broken off: cancelled, out of time, its client gone or not reading.
        Interrupted = "interrupted",
        /// It took more memory than it may.
        Memory = "memory",
        /// It ended by itself, or could not be cleaned up.
        Broken = "broken",
    }

    /// Where the answer to a question about the catalog came from.
    CatalogAnswer {
        /// It was kept.
        Kept = "kept",
        /// An engine was asked, and the answer may be kept.
        Asked = "asked",
    }

    /// Why a connection ended.
    ConnectionEnd {
        /// The client said goodbye.
        Terminated = "terminated",
        /// The client closed or broke the connection without a word.
        Vanished = "vanished",
        /// The client broke the protocol.
        ProtocolError = "protocol_error",
        /// The client did not sign in.
        SignInFailed = "sign_in_failed",
        /// Sign-in or the next statement took too long.
        TimedOut = "timed_out",
        /// There were too many connections already.
        Refused = "refused",
        /// The gateway stopped.
        Shutdown = "shutdown",
        /// The user was deleted or changed, or CDF withdrew the user's access.
        Departed = "departed",
        /// The token that the client signed in with expired.
        TokenExpired = "token_expired",
        /// A fault of the gateway.
        Fault = "fault",
    }

    /// Why a sign-in failed.
    SignInFailure {
        UnknownUser = "unknown_user",
        WrongPassword = "wrong_password",
        /// The user's credentials for CDF were taken away.
        Barred = "barred",
        /// TLS is required and the client did not use it.
        TlsRequired = "tls_required",
        /// The TLS handshake failed.
        TlsHandshake = "tls_handshake",
        /// The client went or was silent before the end of sign-in.
        Abandoned = "abandoned",
        /// Startup packet or SASL messages that make no sense.
        ProtocolError = "protocol_error",
        /// A rule says so, or there is none for the client.
        Rejected = "rejected",
        /// The client shows no certificate, or one of another name.
        ClientCertificate = "client_certificate",
        /// A token that is not good, or not for the user that it was shown for.
        BadToken = "bad_token",
        ExpiredToken = "expired_token",
        /// A good token of somebody whom no rule maps to a principal of CDF.
        NoPrincipal = "no_principal",
        /// The keys of a token's issuer cannot be fetched.
        KeysUnavailable = "keys_unavailable",
        /// Too many sign-ins of the user or from the address failed before.
        Throttled = "throttled",
        /// Ended for others: too many connections had not signed in yet.
        CrowdedOut = "crowded_out",
    }

    /// What a statement asks for.
    StatementKind {
        Copy = "copy",
        Insert = "insert",
        Update = "update",
        Delete = "delete",
        /// BEGIN, COMMIT, ROLLBACK, savepoints.
        Transaction = "transaction",
        /// SET, SHOW, DISCARD and the like, and questions that the session answers.
        Session = "session",
        /// Anything else.
        Other = "other",
    }

    /// How a statement ended.
    StatementOutcome {
        Succeeded = "succeeded",
        Failed = "failed",
        /// By the client's cancel request, or because the client went away.
        Cancelled = "cancelled",
    }

    /// How the fetch of an access token ended.
    TokenOutcome {
        Succeeded = "succeeded",
        Failed = "failed",
    }

    /// What came of a look at an identity's access to CDF.
    AccessOutcome {
        /// It has what it needs.
        Kept = "kept",
        /// CDF or the identity provider said no.
        Lost = "lost",
        /// Nobody could be asked.
        Unknown = "unknown",
    }

    /// Why a row became a dead letter: PostgreSQL's name of the SQLSTATE.
    LetterCondition {
        /// 22001.
        StringDataRightTruncation = "string_data_right_truncation",
        /// 22003.
        NumericValueOutOfRange = "numeric_value_out_of_range",
        /// 22007.
        InvalidDatetimeFormat = "invalid_datetime_format",
        /// 22008.
        DatetimeFieldOverflow = "datetime_field_overflow",
        /// 22023.
        InvalidParameterValue = "invalid_parameter_value",
        /// 22P02.
        InvalidTextRepresentation = "invalid_text_representation",
        /// 23502.
        NotNullViolation = "not_null_violation",
        /// 23503.
        ForeignKeyViolation = "foreign_key_violation",
        /// 23505.
        UniqueViolation = "unique_violation",
        /// 28000.
        InvalidAuthorizationSpecification = "invalid_authorization_specification",
        /// 40003.
        StatementCompletionUnknown = "statement_completion_unknown",
        /// 42501.
        InsufficientPrivilege = "insufficient_privilege",
        /// 42804.
        DatatypeMismatch = "datatype_mismatch",
        /// 54000.
        ProgramLimitExceeded = "program_limit_exceeded",
        /// Any other.
        Other = "other",
    }

    /// A kind of threads that is watched.
    WatchedThread {
        /// Accepts connections.
        Listener = "listener",
        /// Serves connections.
        Connections = "connections",
        /// Runs the batchers.
        Batchers = "batchers",
        /// Runs writers.
        Writers = "writers",
    }

    /// Why dead letters were deleted.
    PurgeCause {
        /// They were older than keep_days.
        Age = "age",
        /// The store had come to bytes_max.
        Size = "size",
        /// Somebody said so.
        Operator = "operator",
    }

    /// How the replay of a dead letter ended.
    ReplayOutcome {
        /// CDF has the row.
        Accepted = "accepted",
        /// CDF, or a rule of the table, refused it again.
        Refused = "refused",
        /// Nobody knows whether CDF has it.
        Unknown = "unknown",
    }

    /// Which actor.
    Actor {
        Batcher = "batcher",
        Writer = "writer",
    }
}

impl LetterCondition {
    /// The condition of a SQLSTATE.
    pub fn of(sqlstate: &str) -> Self {
        match sqlstate {
            "22001" => Self::StringDataRightTruncation,
            "22003" => Self::NumericValueOutOfRange,
            "22007" => Self::InvalidDatetimeFormat,
            "22008" => Self::DatetimeFieldOverflow,
            "22023" => Self::InvalidParameterValue,
            "22P02" => Self::InvalidTextRepresentation,
            "23502" => Self::NotNullViolation,
            "23503" => Self::ForeignKeyViolation,
            "23505" => Self::UniqueViolation,
            "28000" => Self::InvalidAuthorizationSpecification,
            "40003" => Self::StatementCompletionUnknown,
            "42501" => Self::InsufficientPrivilege,
            "42804" => Self::DatatypeMismatch,
            "54000" => Self::ProgramLimitExceeded,
            _ => Self::Other,
        }
    }
}

impl LabelValue for LetterSource {
    const ALL: &'static [Self] = &[
        LetterSource::Journaled,
        LetterSource::CopyIgnored,
        LetterSource::UnknownOutcome,
    ];

    fn label(self) -> &'static str {
        self.name()
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl LabelValue for Resource {
    const ALL: &'static [Self] = &Resource::ALL;

    fn label(self) -> &'static str {
        self.name()
    }

    fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn is_sound<L: LabelValue>() {
        let texts: BTreeSet<&str> = L::ALL.iter().map(|value| value.label()).collect();
        assert_eq!(texts.len(), L::ALL.len(), "two values share a text");
        for (position, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), position);
            assert!(
                value
                    .label()
                    .bytes()
                    .all(|byte| byte == b'_' || byte.is_ascii_lowercase())
            );
        }
    }

    #[test]
    fn every_label_value_has_its_own_text_and_its_position() {
        is_sound::<Verdict>();
        is_sound::<RetryCause>();
        is_sound::<ThrottleKind>();
        is_sound::<RequestAnswer>();
        is_sound::<ConnectionEnd>();
        is_sound::<SignInFailure>();
        is_sound::<StatementKind>();
        is_sound::<StatementOutcome>();
        is_sound::<TokenOutcome>();
        is_sound::<AccessOutcome>();
        is_sound::<Actor>();
        is_sound::<LetterSource>();
        is_sound::<LetterCondition>();
        is_sound::<PurgeCause>();
        is_sound::<ReplayOutcome>();
        is_sound::<Resource>();
    }
}
