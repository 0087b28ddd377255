//! Planning of function calls.
//!
//! Owns matching a call with a function's signature. Promises that a call with a clause or an
//! argument type that is not understood sends the query down the cold road. Never calls.

use super::expression::Expression;
use super::function;
use super::planner::{Planner, folded, name_parts};
use super::scope::{Scope, Unplanned};
use super::typed::{self, TEXT, Typed, reconcile};
use sqlparser::ast;

impl Planner<'_> {
    /// A call as it is parsed.
    pub fn function(
        &mut self,
        function: &ast::Function,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Typed, Unplanned> {
        let ast::Function {
            name,
            uses_odbc_syntax: false,
            parameters: ast::FunctionArguments::None,
            args,
            within_group,
            filter: None,
            null_treatment: None,
            over: None,
        } = function
        else {
            return Err(Unplanned::Cold);
        };
        if !within_group.is_empty() {
            return Err(Unplanned::Cold);
        }
        let mut arguments = Vec::new();
        if let ast::FunctionArguments::List(list) = args {
            if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                return Err(Unplanned::Cold);
            }
            for argument in &list.args {
                match argument {
                    ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expression)) => {
                        arguments.push(self.expression(expression, scope, around)?);
                    }
                    _ => return Err(Unplanned::Cold),
                }
            }
        } else if matches!(args, ast::FunctionArguments::Subquery(_)) {
            return Err(Unplanned::Cold);
        }
        self.call(&name_parts(name)?, arguments)
    }

    /// A call of a function by its dotted name.
    pub fn call(&mut self, parts: &[String], arguments: Vec<Typed>) -> Result<Typed, Unplanned> {
        let name = match parts {
            [name] => name,
            [schema, name] if schema == "pg_catalog" => name,
            _ => return Err(Unplanned::Cold),
        };
        match (name.as_str(), arguments.len()) {
            ("coalesce", 1..) => {
                let (type_oid, items) = self.brought_together(arguments)?;
                return Ok(Typed::new(Expression::Coalesce(items), type_oid));
            }
            ("nullif", 2) => {
                let mut arguments = arguments.into_iter();
                let (Some(left), Some(right)) = (arguments.next(), arguments.next()) else {
                    return Err(Unplanned::Cold);
                };
                let (left, right) = reconcile(left, right, &mut self.known)?;
                let type_oid = left.type_oid;
                return Ok(Typed::new(
                    Expression::NullIf(Box::new(left.expression), Box::new(right.expression)),
                    type_oid,
                ));
            }
            _ => {}
        }
        let signature = function::find(name).ok_or(Unplanned::Cold)?;
        let least = signature.arguments.len() - signature.optional;
        if arguments.len() < least || arguments.len() > signature.arguments.len() {
            return Err(Unplanned::Cold);
        }
        let mut planned = Vec::with_capacity(arguments.len());
        for (argument, type_oid) in arguments.into_iter().zip(signature.arguments) {
            let argument = argument.settle(*type_oid, &mut self.known)?;
            if !passes_for(argument.type_oid, *type_oid) {
                return Err(Unplanned::Cold);
            }
            planned.push(argument.expression);
        }
        Ok(Typed::new(
            Expression::Call(signature.function, planned),
            signature.result,
        ))
    }
}

/// Whether PostgreSQL casts an argument of that type by itself.
fn passes_for(given: u32, wanted: u32) -> bool {
    given == wanted
        || (wanted == TEXT && matches!(given, 19 | 1043 | 1042))
        || (wanted == 26 && matches!(given, 20 | 21 | 23 | 24 | 2205 | 2206))
        || (wanted == typed::INT4 && given == 21)
}

/// Words that call a function without parentheses, unless they name a column.
pub(super) fn bare_function(name: &ast::Ident, scope: &Scope) -> Option<&'static str> {
    if name.quote_style.is_some() {
        return None;
    }
    let name = folded(name);
    if scope.columns.iter().any(|column| column.name == name) {
        return None;
    }
    [
        "current_catalog",
        "current_schema",
        "current_user",
        "session_user",
        "user",
        "current_role",
        "current_timestamp",
    ]
    .into_iter()
    .find(|known| *known == name)
}
