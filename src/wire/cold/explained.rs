//! EXPLAIN of statements that read tables of CDF.
//!
//! Owns what the gateway adds to PostgreSQL's answer: what is asked of CDF for each table, and with
//! ANALYZE what that came to. Promises PostgreSQL's own lines unchanged, and before the others.
//! Never reads rows for an EXPLAIN that only plans.

use super::load::{Loaded, Reads};
use super::owning::Work;
use super::run::{Ran, Run};
use super::{Kept, Wanted};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{EngineFault, EngineLink, Frame, Possessions, Question};
use crate::scan::{Scan, ScanFigures};
use crate::sql::{Explanation, ExplanationFormat, Manner, Planned};
use crate::wire::relay::{Relay, Relayed};
use crate::wire::session::{Failure, Session};
use bytes::{BufMut, BytesMut};
use serde_json::{Value, json};

/// No plan is longer.
const PLAN_BYTES_MAX: usize = 16 << 20;

/// How PostgreSQL's JSON ends: that of the statement, and of the list of statements.
const JSON_END: &[u8] = b"\n  }\n]";

/// The savepoint around a plan.
const FORESIGHT: &str = "\"penstock foresight\"";

/// What is asked of CDF for one table.
struct Explained {
    scan: Scan,
    /// What it came to, if it was done.
    figures: Option<ScanFigures>,
}

impl Session {
    /// Runs an EXPLAIN and adds what is asked of CDF.
    ///
    /// # Errors
    /// As for any other statement.
    pub(super) async fn explain_cold(
        &mut self,
        explanation: &Explanation,
        question: &Question<'_>,
        manner: Manner,
        wanted: Wanted<'_>,
    ) -> Result<Option<Kept>, Failure> {
        let run = Run {
            question: *question,
            planned: match explanation.runs {
                true => Planned::Text(explanation.statement.clone()),
                // It reads no rows: it may name every table.
                false => Planned::NoRows,
            },
            manner: Manner {
                makes: false,
                ..manner
            },
            wanted,
            part: None,
        };
        if self.owned.is_none() {
            return self
                .with_lent(async move |session, link| {
                    link.run("BEGIN").await?;
                    session.apply_settings_for_transaction(link).await?;
                    let has = Possessions::default();
                    let (kept, _) = session.explain(link, &has, explanation, &run).await?;
                    Ok(kept)
                })
                .await;
        }
        let savepoints = self.transaction.savepoints();
        let explaining = self.with_owned(Work::OfClient, async |session, engine| {
            engine.begin(&savepoints).await?;
            engine.begin_statement().await?;
            session.close_gone_portals(engine).await?;
            session.apply_settings(engine).await?;
            let (link, has) = engine.link_and_possessions()?;
            let (kept, loaded) = session.explain(link, has, explanation, &run).await?;
            Ok(Ran {
                relayed: Relayed {
                    kept,
                    ..Relayed::default()
                },
                loaded,
                rights: String::new(),
            })
        });
        let ran = explaining.await;
        Ok(self.end_owned(&run, ran).await?.kept)
    }

    /// Asks for the plan, and answers with what is added to it.
    async fn explain(
        &mut self,
        link: &mut EngineLink,
        has: &Possessions,
        explanation: &Explanation,
        run: &Run<'_>,
    ) -> Result<(Option<Kept>, Loaded), EngineFault> {
        let mut loaded = self.load(link, run, has).await?;
        let sql = self.becoming_user(link.powers(), &loaded, true);
        link.run(&sql).await?;
        run.question.ask(link, run.wanted.describes)?;
        link.send().await?;
        let mut frames = whole_answer(link).await?;
        let explained: Vec<Explained> = match explanation.runs {
            true => std::mem::take(&mut loaded.scans)
                .into_iter()
                .map(|(scan, figures)| Explained {
                    scan,
                    figures: Some(figures),
                })
                .collect(),
            // Only now: errors of the statement are those of its own text.
            false => self
                .foreseen_scans(link, has, &run.question, &explanation.statement)
                .await?
                .into_iter()
                .map(|scan| Explained {
                    scan,
                    figures: None,
                })
                .collect(),
        };
        if !explained.is_empty() {
            add(&mut frames, &explained, explanation.format);
        }
        let replayed = Relay::new(self, run.wanted).replay(frames.into_iter());
        Ok((replayed.map_err(EngineFault::Refused)?, loaded))
    }

    /// What would be asked of CDF for a statement; nothing, if PostgreSQL cannot plan it in the form
    /// that it has here.
    async fn foreseen_scans(
        &mut self,
        link: &mut EngineLink,
        has: &Possessions,
        question: &Question<'_>,
        planned: &str,
    ) -> Result<Vec<Scan>, EngineFault> {
        link.run(&format!("SAVEPOINT {FORESIGHT}")).await?;
        let relations = match question.relations(link, planned).await {
            Ok(relations) => relations,
            Err(EngineFault::Refused(_)) => {
                link.run(&format!("ROLLBACK TO SAVEPOINT {FORESIGHT}"))
                    .await?;
                return Ok(Vec::new());
            }
            Err(fault) => return Err(fault),
        };
        let reads = Reads::of(self, link, question, planned).await?;
        self.scans_of(link, &relations, &reads, has).await
    }
}

/// Everything up to ReadyForQuery.
async fn whole_answer(link: &mut EngineLink) -> Result<Vec<Frame>, EngineFault> {
    let mut frames = Vec::new();
    let mut bytes = 0;
    link.until_ready(|frame| {
        bytes += frame.bytes.len();
        if bytes > PLAN_BYTES_MAX {
            return Err(EngineFault::Stopped(Box::new(Diagnostic::error(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("the plan is longer than {PLAN_BYTES_MAX} bytes"),
            ))));
        }
        if matches!(frame.kind, b'T' | b'D' | b'N' | b'C') {
            frames.push(frame.clone());
        }
        Ok(())
    })
    .await?;
    Ok(frames)
}

/// Adds to the rows of an EXPLAIN.
fn add(frames: &mut Vec<Frame>, explained: &[Explained], format: ExplanationFormat) {
    let Some(end) = frames.iter().position(|frame| frame.kind == b'C') else {
        return;
    };
    match format {
        ExplanationFormat::Text => {
            let text: Vec<String> = explained.iter().map(Explained::text).collect();
            let lines = text.iter().flat_map(|text| text.lines());
            let rows: Vec<Frame> = lines.map(|line| row(line.as_bytes())).collect();
            frames.splice(end..end, rows);
        }
        ExplanationFormat::Json => {
            let before = frames[..end].iter().rposition(|frame| frame.kind == b'D');
            let Some(last) = before else {
                return;
            };
            if let Some(frame) = with_scans(&frames[last], explained) {
                frames[last] = frame;
            }
        }
    }
}

/// A row of one JSON text, with the scans beside the plan.
fn with_scans(frame: &Frame, explained: &[Explained]) -> Option<Frame> {
    // One column, and the length of its value.
    let text = frame.body().get(6..)?;
    let plan = text.strip_suffix(JSON_END)?;
    let scans: Vec<Value> = explained.iter().map(Explained::to_json).collect();
    let scans = serde_json::to_string_pretty(&scans).ok()?;
    let mut value = plan.to_vec();
    value.extend_from_slice(b",\n    \"CDF Scans\": ");
    value.extend_from_slice(scans.replace('\n', "\n    ").as_bytes());
    value.extend_from_slice(JSON_END);
    Some(row(&value))
}

/// A DataRow of one value.
fn row(value: &[u8]) -> Frame {
    let mut bytes = BytesMut::with_capacity(value.len() + 11);
    let length = |more: usize| u32::try_from(value.len() + more).unwrap_or(u32::MAX);
    bytes.put_u8(b'D');
    bytes.put_u32(length(10));
    bytes.put_u16(1);
    bytes.put_u32(length(0));
    bytes.extend_from_slice(value);
    Frame {
        kind: b'D',
        bytes: bytes.freeze(),
    }
}

impl Explained {
    fn text(&self) -> String {
        let plan = self.scan.plan().to_string();
        let Some(figures) = &self.figures else {
            return plan;
        };
        let (first, rest) = plan.split_once('\n').unwrap_or((&plan, ""));
        let mut text = format!(
            "{first} (actual rows={} requests={} bytes={})",
            figures.rows, figures.requests, figures.answer_bytes
        );
        if !rest.is_empty() {
            text.push('\n');
            text.push_str(rest);
        }
        text
    }

    fn to_json(&self) -> Value {
        let mut members = self.scan.plan().to_json();
        if let Some(figures) = &self.figures {
            for (name, number) in [
                ("Actual Rows", figures.rows),
                ("Actual Requests", figures.requests),
                ("Actual Bytes", figures.answer_bytes),
            ] {
                members.insert(name.to_owned(), json!(number));
            }
        }
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TABLES;

    fn assets(figures: Option<ScanFigures>) -> Explained {
        let table = TABLES.iter().find(|table| table.name == "assets");
        Explained {
            scan: Scan::of(table.expect("there is one"), 1000),
            figures,
        }
    }

    #[test]
    fn text_is_added_before_the_end() {
        let mut frames = vec![row(b"Seq Scan on assets"), complete()];
        add(&mut frames, &[assets(None)], ExplanationFormat::Text);
        assert!(frames.len() > 2);
        assert_eq!(frames.last().map(|frame| frame.kind), Some(b'C'));
        let line = String::from_utf8_lossy(&frames[1].body()[6..]);
        assert!(line.starts_with("CDF Scan on assets: POST "), "{line}");
    }

    #[test]
    fn json_stays_json() {
        let plan = b"[\n  {\n    \"Plan\": {\n      \"Node Type\": \"Result\"\n    }\n  }\n]";
        let mut frames = vec![row(plan), complete()];
        let figures = ScanFigures {
            rows: 7,
            requests: 2,
            answer_bytes: 900,
        };
        add(
            &mut frames,
            &[assets(Some(figures))],
            ExplanationFormat::Json,
        );
        let value: Value =
            serde_json::from_slice(&frames[0].body()[6..]).expect("it is still JSON");
        assert_eq!(value[0]["Plan"]["Node Type"], "Result");
        let scan = &value[0]["CDF Scans"][0];
        assert_eq!(scan["Relation Name"], "assets");
        assert_eq!(scan["Actual Rows"], 7);
        assert_eq!(scan["Actual Requests"], 2);
    }

    fn complete() -> Frame {
        Frame {
            kind: b'C',
            bytes: bytes::Bytes::from_static(b"C\0\0\0\x0cEXPLAIN\0"),
        }
    }
}
