//! A statement of a client with its parameters, as an engine is asked it.
//!
//! Owns the messages of the extended protocol that ask an engine. Promises that the text and the
//! parameters reach it unchanged, whatever protocol the client speaks. Never reads the answer's
//! rows.

use super::fault::EngineFault;
use super::frame::Frame;
use super::link::EngineLink;
use super::relations::Relations;
use crate::rows::WireFormat;
use crate::sql::{Bindings, ResultColumn};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend::{self, BindError};

/// What comes before a statement whose plan is asked for.
const EXPLAIN: &str = "EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) ";

/// A statement, its parameters, and the forms of the columns that it answers with.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub text: &'a str,
    pub bindings: &'a Bindings,
    /// As in a Bind: none (all text), one for all, or one a column.
    pub result_formats: &'a [i16],
}

/// What a statement takes and gives.
#[derive(Clone, Debug)]
pub struct Description {
    /// OIDs of its parameters.
    pub parameter_types: Vec<u32>,
    /// `None`: it answers with no rows.
    pub columns: Option<Vec<ResultColumn>>,
}

impl Question<'_> {
    /// Which tables `planned` will read: the statement itself, or the one within it.
    ///
    /// # Errors
    /// `Refused` for what cannot be planned, with a position in `planned`.
    pub async fn relations(
        &self,
        link: &mut EngineLink,
        planned: &str,
    ) -> Result<Relations, EngineFault> {
        let explained = Question {
            text: &format!("{EXPLAIN}{planned}"),
            result_formats: &[],
            ..*self
        };
        explained.ask(link, false)?;
        link.send().await?;
        let mut relations = None;
        let answered = link.until_ready(|frame| {
            if frame.kind == b'D' {
                let values = frame.values()?;
                let plan = values.first().and_then(Option::as_deref);
                relations = plan.and_then(Relations::of_plan);
            }
            Ok(())
        });
        match answered.await {
            Ok(()) => {
                relations.ok_or_else(|| EngineFault::Broken("its plan makes no sense".to_owned()))
            }
            Err(EngineFault::Refused(mut diagnostic)) => {
                let before = u32::try_from(EXPLAIN.len()).unwrap_or(0);
                diagnostic.position = diagnostic
                    .position
                    .map(|position| position.saturating_sub(before).max(1));
                Err(EngineFault::Refused(diagnostic))
            }
            Err(fault) => Err(fault),
        }
    }

    /// The parameters in text form, as the session's settings read them: PostgreSQL converts them.
    ///
    /// # Errors
    /// `Refused` for values that are none of their types.
    pub async fn parameter_texts(
        &self,
        link: &mut EngineLink,
    ) -> Result<Vec<Option<String>>, EngineFault> {
        if self.bindings.is_empty() {
            return Ok(Vec::new());
        }
        // JSON has one form for a time, whatever DateStyle says.
        let columns: Vec<String> = (1..=self.bindings.len())
            .map(|number| format!("to_json(${number}) #>> '{{}}'"))
            .collect();
        let asked = Question {
            text: &format!("SELECT {}", columns.join(", ")),
            result_formats: &[],
            ..*self
        };
        asked.ask(link, false)?;
        link.send().await?;
        let mut texts = Vec::new();
        link.until_ready(|frame| {
            if frame.kind == b'D' {
                texts = frame.values()?;
            }
            Ok(())
        })
        .await?;
        Ok(texts)
    }

    /// Puts the statement's messages in the link's output. What comes back ends with
    /// ReadyForQuery.
    ///
    /// # Errors
    /// `Broken` for what no message can hold.
    pub fn ask(&self, link: &mut EngineLink, describes: bool) -> Result<(), EngineFault> {
        self.ask_in_portal(link, describes, "", Some(0))
    }

    /// The same, in a portal of that name, and for so many rows; 0: all. `None`: it is not executed.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ask_in_portal(
        &self,
        link: &mut EngineLink,
        describes: bool,
        portal: &str,
        rows_max: Option<i32>,
    ) -> Result<(), EngineFault> {
        let output = link.output();
        frontend::parse("", self.text, self.bindings.types().iter().copied(), output)?;
        let count = self.bindings.len();
        let given = (0..count).filter_map(|index| self.bindings.get(index));
        let formats = given.clone().map(|(format, _)| match format {
            WireFormat::Binary(_) => 1i16,
            _ => 0,
        });
        let values = given.map(|(_, value)| value);
        let bound = frontend::bind(
            portal,
            "",
            formats,
            values,
            |value, buffer| match value {
                Some(bytes) => {
                    buffer.extend_from_slice(bytes);
                    Ok(IsNull::No)
                }
                None => Ok(IsNull::Yes),
            },
            self.result_formats.iter().copied(),
            output,
        );
        bound.map_err(|error| match error {
            BindError::Conversion(error) => EngineFault::Broken(error.to_string()),
            BindError::Serialization(error) => error.into(),
        })?;
        if describes {
            frontend::describe(b'P', portal, output)?;
        }
        if let Some(rows_max) = rows_max {
            frontend::execute(portal, rows_max, output)?;
        }
        frontend::sync(output);
        Ok(())
    }
}

/// Asks what a statement takes and gives. `declared` are the types that the client gave for
/// parameters, 0 for none.
///
/// # Errors
/// `Refused` for what is no statement.
pub async fn describe(
    link: &mut EngineLink,
    text: &str,
    declared: &[u32],
) -> Result<Description, EngineFault> {
    let output = link.output();
    frontend::parse("", text, declared.iter().copied(), output)?;
    frontend::describe(b'S', "", output)?;
    frontend::sync(output);
    link.send().await?;
    let mut description = Description {
        parameter_types: Vec::new(),
        columns: None,
    };
    link.until_ready(|frame| {
        match frame.kind {
            b't' => description.parameter_types = parameter_types(frame)?,
            b'T' => description.columns = Some(columns(frame)?),
            _ => {}
        }
        Ok(())
    })
    .await?;
    Ok(description)
}

fn senseless() -> EngineFault {
    EngineFault::Broken("it described a statement in a way that makes no sense".to_owned())
}

fn parameter_types(frame: &Frame) -> Result<Vec<u32>, EngineFault> {
    match Message::parse(&mut BytesMut::from(&frame.bytes[..])) {
        Ok(Some(Message::ParameterDescription(body))) => {
            body.parameters().collect().map_err(|_| senseless())
        }
        _ => Err(senseless()),
    }
}

fn columns(frame: &Frame) -> Result<Vec<ResultColumn>, EngineFault> {
    let parsed = Message::parse(&mut BytesMut::from(&frame.bytes[..]));
    let Ok(Some(Message::RowDescription(body))) = parsed else {
        return Err(senseless());
    };
    body.fields()
        .map(|field| {
            Ok(ResultColumn {
                name: field.name().to_owned(),
                type_oid: field.type_oid(),
                type_modifier: field.type_modifier(),
                type_size: field.type_size(),
                table_oid: field.table_oid(),
                attribute_number: field.column_id(),
            })
        })
        .collect()
        .map_err(|_| senseless())
}
