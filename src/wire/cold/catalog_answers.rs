//! Questions about the catalog that were asked before.
//!
//! Owns what makes two questions of sessions the same. Promises that everything that an answer
//! depends on is part of the question, and that a session that sees more than its dressing shows is
//! never answered from what was kept. Never judges what a statement does: the engine's plan does.

use super::Wanted;
use super::settings::SETTINGS;
use crate::engine::{
    Answer, Asked, Description, EngineFault, EngineLink, Question, QuestionKey, Recording,
    Relations, means_the_present,
};
use crate::rows::WireFormat;
use crate::sql::ColdStatement;
use crate::wire::session::Session;
use std::sync::Arc;

impl Session {
    /// A statement as a question that may have been asked before; `None` where that can not be.
    pub(super) fn question_key(
        &mut self,
        cold: &ColdStatement,
        question: &Question<'_>,
        wanted: &Wanted<'_>,
    ) -> Option<QuestionKey> {
        if !matches!(cold.kind, "SELECT" | "WITH" | "TABLE") {
            return None;
        }
        let mut key = self.key_of_session(Asked::Rows)?;
        key.put(question.text.as_bytes());
        let bindings = question.bindings;
        key.put_number(i64::try_from(bindings.len()).ok()?);
        for (index, type_oid) in bindings.types().iter().enumerate() {
            let (format, value) = bindings.get(index)?;
            let is_binary = matches!(format, WireFormat::Binary(_));
            if let (false, Some(value)) = (is_binary, value)
                && means_the_present(&String::from_utf8_lossy(value))
            {
                return None;
            }
            key.put_number(i64::from(*type_oid));
            key.put_number(i64::from(is_binary));
            key.put_option(value);
        }
        for format in question.result_formats {
            key.put_number(i64::from(*format));
        }
        key.put(&[u8::from(wanted.describes)]);
        Some(key)
    }

    /// The answer that was kept.
    pub(super) fn kept_answer(&self, key: Option<&QuestionKey>) -> Option<Answer> {
        self.gateway.engines.answers().answer(key?)
    }

    /// Takes the answer down, if it will be the same the next time.
    pub(super) async fn record_answer(
        &self,
        key: Option<QuestionKey>,
        link: &mut EngineLink,
        text: &str,
        relations: &Relations,
    ) -> Result<Option<Recording>, EngineFault> {
        let engines = &self.gateway.engines;
        let Some(key) = key.filter(|_| relations.are_of_the_catalog()) else {
            return Ok(None);
        };
        let lets_keep = engines.fickle(link).await?.lets_keep(text, relations);
        Ok(lets_keep.then(|| engines.answers().record(key)))
    }

    /// The question what a statement takes and gives.
    pub(super) fn description_key(
        &mut self,
        cold: &ColdStatement,
        declared: &[u32],
    ) -> Option<QuestionKey> {
        let mut key = self.key_of_session(Asked::Description)?;
        key.put(cold.text.as_bytes());
        for type_oid in declared {
            key.put_number(i64::from(*type_oid));
        }
        Some(key)
    }

    /// The description that was kept.
    pub(super) fn kept_description(&self, key: Option<&QuestionKey>) -> Option<Arc<Description>> {
        self.gateway.engines.answers().description(key?)
    }

    /// What all questions of this session have in common.
    fn key_of_session(&mut self, asked: Asked) -> Option<QuestionKey> {
        if self.owned.is_some() || !self.gateway.engines.answers().are_kept() {
            return None;
        }
        let mut key = QuestionKey::new(asked, &self.dressing());
        for name in SETTINGS {
            let value = self.settings.get(name).ok();
            key.put_option(value.map(str::as_bytes));
        }
        Some(key)
    }
}
