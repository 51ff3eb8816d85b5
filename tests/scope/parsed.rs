//! A second opinion on the rendered text, by a parser that the crate does not know: every table
//! that a statement names has its tenant in the predicate that rules it, joined tables in their ON.

use std::ops::ControlFlow;

use bailiwick::scope::{Dialect, Statement};
use sqlparser::ast::{
    self, Expr, FromTable, InTarget, JoinOperator, OnConflictAction, OnInsert, Select, SetExpr,
    TableFactor, TableObject, TableWithJoins, Visit, Visitor,
};
use sqlparser::dialect::{PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

use crate::model::Reach;
use crate::tables::facts;

/// How many tables were found, each with its tenant. Panics on one that has none.
pub fn tenant_of_every_table(statement: &Statement, dialect: Dialect, reach: &Reach) -> usize {
    let sql = statement.sql();
    let parsed = match dialect {
        Dialect::Sqlite => Parser::parse_sql(&SQLiteDialect {}, sql),
        Dialect::Postgres => Parser::parse_sql(&PostgreSqlDialect {}, sql),
    };
    let parsed = parsed.unwrap_or_else(|error| panic!("{error}: {sql}"));
    assert_eq!(parsed.len(), 1, "one statement: {sql}");
    let mut tables = Tables {
        sql,
        reach,
        found: 0,
        named: 0,
    };
    tables.top(&parsed[0]);
    let _ = parsed[0].visit(&mut tables);
    assert_eq!(
        tables.found, tables.named,
        "every table that is named was looked at: {sql}"
    );
    tables.found
}

struct Tables<'a> {
    sql: &'a str,
    reach: &'a Reach,
    /// Tables whose tenant was found.
    found: usize,
    /// Tables that the text names at all, wherever.
    named: usize,
}

impl Visitor for Tables<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, _: &ast::ObjectName) -> ControlFlow<()> {
        self.named += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for from in &select.from {
            self.from(from, select.selection.as_ref());
        }
        ControlFlow::Continue(())
    }
}

impl Tables<'_> {
    fn top(&mut self, statement: &ast::Statement) {
        match statement {
            ast::Statement::Query(_) => {}
            ast::Statement::Update(update) => self.from(&update.table, update.selection.as_ref()),
            ast::Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) =
                    &delete.from;
                from.iter()
                    .for_each(|from| self.from(from, delete.selection.as_ref()));
            }
            ast::Statement::Insert(insert) => self.insert(insert),
            other => panic!("no such statement is made: {other}"),
        }
    }

    /// The row of an insert is stamped: its first columns are the tenant's, and its values are
    /// placeholders.
    fn insert(&mut self, insert: &ast::Insert) {
        let TableObject::TableName(name) = &insert.table else {
            panic!("{}", self.sql)
        };
        let table = name.to_string().replace('"', "");
        let tenant = facts(&table).names.split(", ").take(facts(&table).tenant);
        let columns: Vec<_> = insert
            .columns
            .iter()
            .map(|column| column.to_string().replace('"', ""))
            .collect();
        assert!(
            columns
                .iter()
                .map(String::as_str)
                .take(facts(&table).tenant)
                .eq(tenant),
            "{}",
            self.sql
        );
        assert_eq!(
            columns.len(),
            columns
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len(),
            "{}",
            self.sql
        );
        match insert.source.as_deref().map(|query| query.body.as_ref()) {
            Some(SetExpr::Select(_)) => {}
            other => panic!("an insert selects its rows: {other:?}"),
        }
        // An update on conflict is ruled by the tenant; the target begins with its columns.
        match &insert.on {
            None => {}
            Some(OnInsert::OnConflict(conflict)) => {
                let Some(ast::ConflictTarget::Columns { columns, .. }) = &conflict.conflict_target
                else {
                    panic!("{}", self.sql)
                };
                let target: Vec<_> = columns.iter().map(|column| column.value.as_str()).collect();
                assert!(
                    target.starts_with(
                        &facts(&table)
                            .names
                            .split(", ")
                            .take(facts(&table).tenant)
                            .collect::<Vec<_>>()
                    )
                );
                if let OnConflictAction::DoUpdate(update) = &conflict.action {
                    self.ruled(&table, &table, update.selection.as_ref());
                }
            }
            other => panic!("{other:?}"),
        }
        self.found += 1;
    }

    fn from(&mut self, from: &TableWithJoins, selection: Option<&Expr>) {
        self.factor(&from.relation, selection);
        for join in &from.joins {
            let on = match &join.join_operator {
                JoinOperator::Inner(ast::JoinConstraint::On(on))
                | JoinOperator::Join(ast::JoinConstraint::On(on))
                | JoinOperator::Left(ast::JoinConstraint::On(on))
                | JoinOperator::LeftOuter(ast::JoinConstraint::On(on)) => on,
                other => panic!("no such join is made: {other:?}"),
            };
            self.factor(&join.relation, Some(on));
        }
    }

    fn factor(&mut self, factor: &TableFactor, predicate: Option<&Expr>) {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let table = name.to_string().replace('"', "");
                let called = alias
                    .as_ref()
                    .map_or(table.clone(), |alias| alias.name.value.clone());
                self.ruled(&table, &called, predicate);
                self.found += 1;
            }
            // The values of an insert of many; what they select from is visited on its own.
            TableFactor::Derived { .. } => {}
            other => panic!("no such table is named: {other}"),
        }
    }

    /// Among the conjuncts is `called.column = placeholder` for each tenant column that the scope
    /// knows; for several sites, `IN (placeholders)`, or FALSE for none.
    fn ruled(&self, table: &str, called: &str, predicate: Option<&Expr>) {
        let mut conjuncts = Vec::new();
        flatten(
            predicate.unwrap_or_else(|| panic!("{called} has no predicate: {}", self.sql)),
            &mut conjuncts,
        );
        let known =
            1 + usize::from(self.reach.sites.is_some()) + usize::from(self.reach.sector.is_some());
        for column in facts(table)
            .names
            .split(", ")
            .take(facts(table).tenant.min(known))
        {
            let is_it = |expr: &Expr| {
                matches!(expr, Expr::CompoundIdentifier(parts)
                if parts.iter().map(|part| part.value.as_str()).eq([called, column]))
            };
            let is_placeholder = |expr: &Expr| matches!(expr, Expr::Value(value) if matches!(value.value, ast::Value::Placeholder(_)));
            let several = column == "site_id"
                && self
                    .reach
                    .sites
                    .as_ref()
                    .is_some_and(|sites| sites.len() != 1);
            let found = conjuncts.iter().any(|conjunct| match conjunct {
                Expr::BinaryOp {
                    left,
                    op: ast::BinaryOperator::Eq,
                    right,
                } => is_it(left) && is_placeholder(right),
                Expr::In {
                    expr,
                    target: InTarget::List(list),
                    negated: false,
                    ..
                } => several && is_it(expr) && list.iter().all(is_placeholder),
                Expr::Value(value) => several && value.value == ast::Value::Boolean(false),
                _ => false,
            });
            assert!(found, "{called}.{column} is not the scope's: {}", self.sql);
        }
    }
}

fn flatten<'a>(expr: &'a Expr, conjuncts: &mut Vec<&'a Expr>) {
    match expr {
        Expr::BinaryOp {
            left,
            op: ast::BinaryOperator::And,
            right,
        } => {
            flatten(left, conjuncts);
            flatten(right, conjuncts);
        }
        Expr::Nested(inner) => flatten(inner, conjuncts),
        other => conjuncts.push(other),
    }
}
