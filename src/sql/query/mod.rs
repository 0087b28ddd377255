//! Queries that the session answers itself: constants, functions about the session, SHOW,
//! probes of a table, and the catalog questions of drivers.
//!
//! Owns deciding which queries these are, their columns and their rows. Promises never to
//! answer wrongly: a query that is not understood whole is left to the cold road, and rows of
//! the gateway's tables are never made up. Never talks to CDF.

mod calls;
mod expression;
mod from;
mod function;
mod naming;
mod operators;
mod plan;
mod planner;
mod scope;
mod select_list;
mod show;
mod system;
mod type_tree;
mod typed;
mod value;

#[cfg(test)]
mod tests;

pub use function::time_cell;

use super::answer::{Answer, ResultColumn};
use super::bindings::Bindings;
use super::classify::{cold, cold_or};
use super::cold::ColdStatement;
use super::depth::is_deep;
use super::lexer::{Lexer, Token};
use super::settings::Settings;
use super::statement::Statement;
use super::syntax::syntax_error;
use crate::catalog::Namespace;
use crate::diagnostic::{Diagnostic, SqlState};
use expression::Evaluation;
use jiff::Timestamp;
use plan::Plan;
use planner::Planner;
use scope::Unplanned;
use show::Show;
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::sync::OnceLock;

/// Lexemes of a query, at most. A parsed chain of operators is as deep as it is long, and
/// walking it takes stack.
const LEXEMES_MAX: usize = 4000;

/// System relations by which drivers load types, and those that are about tables.
const OF_TYPES: [&str; 3] = ["pg_type", "pg_range", "pg_enum"];
const OF_RELATIONS: [&str; 3] = ["pg_class", "pg_attribute", "pg_namespace"];

/// The sessions that live now, as far as a query may do something to one.
pub trait Sessions: std::fmt::Debug {
    /// Breaks off what runs in the session of that process id, for `user`.
    fn cancel_for(&self, process_id: i32, user: &str) -> CancelOutcome;
}

/// What became of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    Sent,
    NoSuchSession,
    /// The session is another user's.
    Denied,
}

/// Channels, and what pg_notify says there.
pub type Said = Vec<(String, String)>;

/// What an answer may depend on.
#[derive(Debug)]
pub struct QueryContext<'a> {
    /// Changed by set_config.
    pub settings: &'a mut Settings,
    /// What names of tables mean, and which there are.
    pub namespace: &'a Namespace,
    pub user: &'a str,
    pub database: &'a str,
    pub backend_pid: i32,
    /// Ports of the connection, where the system tells them: the gateway's and the client's.
    pub ports: (Option<u16>, Option<u16>),
    pub sessions: &'a dyn Sessions,
    /// When the transaction began: what now() says.
    pub transaction_started: Timestamp,
    /// Whether set_config(…, true) has a transaction to be local to.
    pub in_transaction: bool,
    pub said: &'a mut Said,
}

/// A query that the session answers itself.
#[derive(Debug)]
pub struct Query {
    text: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Show(Show),
    Select(Box<Select>),
    /// A driver's question for types and their parts.
    TypeTree,
}

/// A query with a plan.
#[derive(Debug)]
struct Select {
    parsed: Box<ast::Query>,
    namespace: Namespace,
    /// With the types that the query itself tells of its parameters.
    plain: Planned,
    /// With the types that Parse declared.
    declared: OnceLock<Planned>,
}

impl Select {
    /// The plan in use.
    fn planned(&self) -> &Planned {
        self.declared.get().unwrap_or(&self.plain)
    }
}

/// A plan and the types of its parameters.
#[derive(Debug)]
struct Planned {
    plan: Plan,
    parameter_types: Vec<u32>,
    databases: Vec<String>,
}

impl Query {
    /// The type of each parameter: as declared in Parse, or, where that says 0 or nothing, as
    /// the query tells. To be asked before [`Self::columns`], which the types may change.
    ///
    /// # Errors
    /// 42P18 where none can be told, 42883 for types that no operator takes.
    pub fn parameter_types(&self, declared: &[u32]) -> Result<Vec<u32>, Box<Diagnostic>> {
        let select = match &self.kind {
            Kind::Show(_) => return Ok(declared.to_vec()),
            Kind::TypeTree => return Ok(type_tree::parameter_types()),
            Kind::Select(select) => select,
        };
        let planned = if declared.iter().all(|oid| *oid == 0) {
            &select.plain
        } else {
            match plan(&self.text, &select.parsed, declared, &select.namespace) {
                Ok(planned) => select.declared.get_or_init(|| planned),
                Err(Unplanned::Wrong(diagnostic)) => return Err(diagnostic),
                Err(Unplanned::Cold) => return Err(refusal(&self.text)),
            }
        };
        // What nothing told is text, as PostgreSQL has it since version 10.
        Ok(planned
            .parameter_types
            .iter()
            .map(|oid| if *oid == 0 { typed::TEXT } else { *oid })
            .collect())
    }

    /// The same query, to be run by an engine.
    pub fn as_cold(&self) -> ColdStatement {
        ColdStatement {
            kind: match self.kind {
                Kind::Show(_) => "SHOW",
                Kind::Select(_) | Kind::TypeTree => "SELECT",
            },
            text: self.text.clone(),
            is_on_temporary: false,
            otherwise: None,
        }
    }

    /// Whether this is SHOW, which no engine plans.
    pub fn is_show(&self) -> bool {
        matches!(self.kind, Kind::Show(_))
    }

    /// Whether PostgreSQL's own catalog has more to say than the session's: its pg_class has indexes
    /// and the catalog's own relations, too. Questions about types are answered whole.
    pub fn leaves_out_relations(&self) -> bool {
        match &self.kind {
            Kind::Select(select) => {
                let mut names = Vec::new();
                select
                    .planned()
                    .plan
                    .source
                    .name_system_relations(&mut names);
                let is_of_types = names.iter().any(|name| OF_TYPES.contains(name));
                let is_of_relations = names.iter().any(|name| OF_RELATIONS.contains(name));
                is_of_relations && !is_of_types
            }
            Kind::Show(_) | Kind::TypeTree => false,
        }
    }

    /// Whether it tells which table has a number (OID), or which number a table has.
    pub fn tells_numbers(&self) -> bool {
        super::mentions(&self.text, &["regclass", "to_regclass"])
    }

    /// The columns of the answer.
    ///
    /// # Errors
    /// None today: a query whose columns are not known is no query of the session's.
    pub fn columns(&self) -> Result<Vec<ResultColumn>, Box<Diagnostic>> {
        Ok(match &self.kind {
            Kind::Show(show) => show.columns(),
            Kind::Select(select) => columns(select.planned()),
            Kind::TypeTree => type_tree::columns(),
        })
    }

    /// The answer.
    ///
    /// # Errors
    /// 0A000 for rows of the gateway's tables; those of functions and casts.
    pub fn answer(
        &self,
        context: &mut QueryContext<'_>,
        bindings: &Bindings,
    ) -> Result<Answer, Box<Diagnostic>> {
        match &self.kind {
            Kind::Show(show) => show.answer(context.settings),
            Kind::TypeTree => type_tree::answer(bindings),
            Kind::Select(select) => {
                let planned = select.planned();
                let mut evaluation = Evaluation { context, bindings };
                Ok(Answer {
                    columns: columns(planned),
                    rows: planned.plan.rows(&mut evaluation, &[])?,
                    tag: "SELECT",
                })
            }
        }
    }

    /// # Errors
    /// 0A000 when the query names a table of another database.
    pub fn check_database(&self, database: &str) -> Result<(), Box<Diagnostic>> {
        if let Kind::Select(select) = &self.kind
            && let Some(other) = select
                .plain
                .databases
                .iter()
                .find(|named| *named != database)
        {
            return Err(from::other_database(other));
        }
        Ok(())
    }
}

fn columns(planned: &Planned) -> Vec<ResultColumn> {
    planned
        .plan
        .outputs
        .iter()
        .map(|output| {
            let (table_oid, attribute_number) = output.origin.unwrap_or((0, 0));
            ResultColumn {
                type_modifier: output.type_modifier,
                table_oid,
                attribute_number,
                ..ResultColumn::of_type(output.name.clone(), output.type_oid)
            }
        })
        .collect()
}

/// Parses SELECT, VALUES, WITH or SHOW.
///
/// # Errors
/// 42601, 42P01, 42703, 42883.
pub(crate) fn parse(text: &str, namespace: &Namespace) -> Result<Statement, Box<Diagnostic>> {
    if first_word_is(text, "show")? {
        return Ok(Statement::Query(Query {
            text: text.to_owned(),
            kind: Kind::Show(show::parse(text)?),
        }));
    }
    if count_lexemes(text)? > LEXEMES_MAX || is_deep(text) {
        return Ok(cold("SELECT", text));
    }
    let parsed = match Parser::parse_sql(&PostgreSqlDialect {}, text) {
        Ok(mut statements) => match (statements.pop(), statements.is_empty()) {
            (Some(ast::Statement::Query(query)), true) => query,
            _ => return Ok(cold("SELECT", text)),
        },
        // The parser knows less than PostgreSQL: what it cannot read may still be SQL. Only
        // what ends too early is surely none.
        Err(_) => {
            return match dangling(text)? {
                Some(error) => Err(error),
                None => Ok(cold("SELECT", text)),
            };
        }
    };
    if type_tree::is_type_tree(&parsed) {
        return Ok(Statement::Query(Query {
            text: text.to_owned(),
            kind: Kind::TypeTree,
        }));
    }
    match plan(text, &parsed, &[], namespace) {
        Ok(plain) => Ok(Statement::Query(Query {
            text: text.to_owned(),
            kind: Kind::Select(Box::new(Select {
                parsed,
                namespace: namespace.clone(),
                plain,
                declared: OnceLock::new(),
            })),
        })),
        Err(Unplanned::Cold) => Ok(cold("SELECT", text)),
        Err(Unplanned::Wrong(diagnostic)) if diagnostic.sqlstate == SqlState::UNDEFINED_TABLE => {
            Err(diagnostic)
        }
        // PostgreSQL knows more operators and casts, and the place of whatever is wrong.
        Err(Unplanned::Wrong(diagnostic)) => Ok(cold_or("SELECT", text, diagnostic)),
    }
}

fn plan(
    text: &str,
    parsed: &ast::Query,
    declared: &[u32],
    namespace: &Namespace,
) -> Result<Planned, Unplanned> {
    let mut planner = Planner::new(text, declared, namespace);
    let plan = planner.query(parsed, None)?;
    Ok(Planned {
        plan,
        parameter_types: planner.known.parameters,
        databases: planner.databases,
    })
}

fn refusal(text: &str) -> Box<Diagnostic> {
    match cold("SELECT", text) {
        Statement::Cold(cold) => cold.refusal(),
        // `cold` makes nothing else.
        _ => syntax_error(text, &(0..0)),
    }
}

fn first_word_is(text: &str, keyword: &str) -> Result<bool, Box<Diagnostic>> {
    let first = Lexer::starting_at(text, 0).next()?;
    Ok(matches!(first.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword)))
}

/// Counts lexemes, up to one more than the bound.
fn count_lexemes(text: &str) -> Result<usize, Box<Diagnostic>> {
    let mut lexer = Lexer::starting_at(text, 0);
    let mut count = 0;
    while count <= LEXEMES_MAX && lexer.next()?.token != Token::End {
        count += 1;
    }
    Ok(count)
}

/// 42601 for a text that ends with an operator, a comma or an open parenthesis.
fn dangling(text: &str) -> Result<Option<Box<Diagnostic>>, Box<Diagnostic>> {
    let mut lexer = Lexer::starting_at(text, 0);
    let mut depth = 0_i64;
    let mut last_is_open = false;
    loop {
        let lexeme = lexer.next()?;
        match lexeme.token {
            Token::End => {
                let incomplete = depth > 0 || last_is_open;
                return Ok(incomplete.then(|| syntax_error(text, &lexeme.range)));
            }
            Token::Symbol("(") => depth += 1,
            Token::Symbol(")") => {
                depth -= 1;
                if depth < 0 {
                    return Ok(Some(syntax_error(text, &lexeme.range)));
                }
            }
            _ => {}
        }
        last_is_open = match lexeme.token {
            Token::Symbol("," | "=" | "+" | "-" | "<" | ">" | "||" | "::" | ".") => true,
            Token::Word(word) => ["from", "where", "and", "or", "by", "as", "on", "join"]
                .iter()
                .any(|keyword| word.eq_ignore_ascii_case(keyword)),
            _ => false,
        };
    }
}
