//! Messages of a client during its COPY … FROM STDIN that carry no data.
//!
//! Owns what each of them means for the copy, wherever its data go. Promises that a copy ends by what
//! the client says and by nothing else. Never reads data.

use super::ending::Ending;
use super::message::{FrontendMessage, unfit};
use super::session::{Failure, Session};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::ConnectionEnd;

impl Session {
    /// Whether the client has sent all of its data. `kind` is the byte that the message begins with.
    ///
    /// # Errors
    /// 57014 when the client gives the copy up; 08P01 for what has no place in one; the end of the
    /// connection.
    pub(super) fn ends_copy(&self, kind: u8, message: FrontendMessage) -> Result<bool, Failure> {
        match message {
            FrontendMessage::CopyDone => Ok(true),
            FrontendMessage::CopyFail(reason) => {
                let reason = self.encoding.decode(&reason)?.into_owned();
                Err(Box::new(Diagnostic::error(
                    SqlState::QUERY_CANCELED,
                    format!("COPY from stdin failed: {reason}"),
                ))
                .into())
            }
            // Clients send these behind an Execute, before they know that it is a COPY.
            FrontendMessage::Sync | FrontendMessage::Flush => Ok(false),
            FrontendMessage::Terminate => Err(Ending::silent(ConnectionEnd::Terminated).into()),
            _ => Err(unfit(format!(
                "unexpected message type 0x{kind:02X} during COPY from stdin"
            ))
            .into()),
        }
    }
}
