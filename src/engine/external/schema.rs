//! SQL that makes the tables of a user's database by an owner without other rights.
//!
//! Owns the order of that SQL. Promises types, keys and comments as every engine has them. Never gives
//! a table a number: those of the server's own counter stay, see the template.

use crate::catalog::{PUBLIC, Table};
use crate::engine::dressing::{Dressing, create, grant_names, identifier, literal, schemas};
use std::fmt::Write;

/// All of it, as one transaction of the owner of the database. `user` is the role of statements.
pub(super) fn schema(dressing: &Dressing, user: &str) -> String {
    let user = identifier(user);
    let mut sql = String::from("BEGIN;\n");
    let _ = writeln!(
        sql,
        "SET LOCAL client_min_messages = warning;\n\
         REVOKE ALL ON SCHEMA {PUBLIC} FROM PUBLIC;\n\
         {}",
        schemas(&user)
    );
    let tables: Vec<&Table> = dressing.tables().collect();
    for table in &tables {
        create(&mut sql, table);
        let name = format!("{}.{}", identifier(table.schema), identifier(table.name));
        for (index, column) in table.columns.iter().enumerate() {
            let (column, comment) = (identifier(column.name), table.column_comment(index));
            let _ = writeln!(
                sql,
                "COMMENT ON COLUMN {name}.{column} IS {};",
                literal(&comment)
            );
        }
    }
    grant_names(&mut sql, &tables, &user);
    sql.push_str("COMMIT;\n");
    sql
}
