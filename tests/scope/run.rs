//! Runs one generated statement on a real database and on the oracle, and compares what they say.

use bailiwick::scope::state::{SeveralSites, Write};
use bailiwick::scope::{BuildError, Cursor, Dialect, Fixed, Statement};
use bailiwick::tenant::Site;
use bailiwick::{Principal, Scope, SiteId, Tenant, WriteAccess, validate_account_and_plan};
use chrono::{DateTime, Utc};

use crate::database::{Database, all_kinds, into_row};
use crate::generate::{Draft, Operation, SITES, narrow};
use crate::model::{Cell, Col, Condition, Output, Reach, Row, World};
use crate::tables::*;
use crate::{set_article, with_article_column};

fn access(account: i64) -> WriteAccess {
    let sites = SITES
        .iter()
        .filter(|(owner, ..)| *owner == account)
        .map(|(_, site, _)| SiteId::from(*site));
    let tenant = Tenant {
        sites: sites.collect(),
        ..crate::support::tenant(account)
    };
    let principal = Principal::session(1.into()).of_account(account.into());
    validate_account_and_plan(&principal, Some(&tenant), crate::support::at(0))
        .unwrap()
        .into_write()
        .unwrap()
}

fn several(reach: &Reach) -> Scope<SeveralSites, Write> {
    access(reach.account)
        .write()
        .sites(reach.sites.clone().unwrap().into_iter().map(SiteId::from))
        .unwrap()
}

fn site(reach: &Reach) -> Option<Scope<Site, Write>> {
    match reach.sites.as_deref() {
        Some([site]) => Some(access(reach.account).write().site((*site).into()).unwrap()),
        _ => None,
    }
}

/// The same expression over a scope of the reach's level, but for sectors.
macro_rules! at {
    ($reach:expr, $scope:ident => $body:expr) => {
        match (&$reach.sites, site($reach)) {
            (None, _) => {
                let $scope = access($reach.account).write().account().unwrap();
                $body
            }
            (_, Some($scope)) => $body,
            _ => {
                let $scope = several($reach);
                $body
            }
        }
    };
}

/// What has run, and how many tables the other parser found the tenant of.
#[derive(Debug, Default)]
pub struct Tally {
    pub statements: usize,
    pub rows: usize,
    pub refused: usize,
    pub tables: usize,
}

pub struct Run<'a> {
    pub database: &'a mut Database,
    pub world: World,
    pub reach: Reach,
    pub tally: &'a mut Tally,
}

impl Run<'_> {
    /// Reads the text again, and runs it. `None` if PostgreSQL cannot hold one of its values.
    fn fetch(
        &mut self,
        built: Result<Statement, BuildError>,
        kinds: &[Kind],
    ) -> Option<Vec<Vec<Cell>>> {
        let statement = self.checked(built)?;
        let rows = self.database.fetch(statement, kinds);
        self.tally.rows += rows.len();
        Some(rows)
    }

    fn execute(&mut self, built: Result<Statement, BuildError>) -> Option<usize> {
        let statement = self.checked(built)?;
        Some(self.database.execute(statement))
    }

    fn checked(&mut self, built: Result<Statement, BuildError>) -> Option<Statement> {
        let statement = match built {
            Err(BuildError::NulInText) if self.database.dialect() == Dialect::Postgres => {
                self.tally.refused += 1;
                return None;
            }
            built => built.unwrap(),
        };
        self.tally.statements += 1;
        self.tally.tables +=
            crate::parsed::tenant_of_every_table(&statement, self.database.dialect(), &self.reach);
        Some(statement)
    }

    fn rows(&self, table: &'static str, rows: Vec<Vec<Cell>>) -> Vec<Row> {
        let rows: Vec<_> = rows
            .into_iter()
            .map(|cells| into_row(facts(table), cells))
            .collect();
        assert!(
            rows.iter().all(|row| self.reach.has(row)),
            "a foreign row of {table}: {rows:?}"
        );
        rows
    }

    /// The same statement on both; the answers, and the rows that it touched, are the same.
    pub fn one(&mut self, operation: &Operation) {
        let dialect = self.database.dialect();
        let reach = &self.reach.clone();
        let fit = |condition: &Option<Condition>, table| {
            condition
                .as_ref()
                .map(|condition| narrow(condition, table, reach))
        };
        // The scope of a sector reaches its notes alone.
        let of_sector = matches!(
            operation,
            Operation::Notes(_) | Operation::UpdateNotes(..) | Operation::InsertNote { .. }
        );
        if reach.sector.is_some() != of_sector
            && (reach.sector.is_some() || matches!(operation, Operation::InsertNote { .. }))
        {
            return;
        }
        match operation {
            Operation::Select {
                condition,
                order,
                columns,
                limit,
                inner,
            } => {
                let condition = fit(condition, "articles");
                let statement = at!(reach, scope => {
                    let mut select = scope.select::<Article>();
                    if let Some(condition) = &condition {
                        select = match condition {
                            // A conjunction can as well be said in two calls.
                            Condition::And(left, right) => select.filter(article(left)).filter(article(right)),
                            condition => select.filter(article(condition)),
                        };
                    }
                    for col in columns {
                        select = with_article_column!(col, column => select.column(column));
                    }
                    for (col, descending) in order {
                        select = with_article_column!(col, column => select.order_by(
                            if *descending { column.descending() } else { column.ascending() }
                        ));
                    }
                    select = select.order_by(Article::ID.ascending());
                    if *inner {
                        select = select.join(Article::FOLDER);
                    }
                    if let Some(limit) = limit {
                        select = select.limit(*limit);
                    }
                    select.build(dialect)
                });
                let kinds = match columns.as_slice() {
                    [] => all_kinds(facts("articles")),
                    columns => columns.iter().map(|col| kind("articles", col)).collect(),
                };
                let Some(rows) = self.fetch(statement, &kinds) else {
                    return;
                };
                let mut expected = self
                    .world
                    .select(reach, "articles", condition.as_ref(), order);
                let folder = Col {
                    path: vec![FOLDER],
                    cell: None,
                };
                expected.retain(|row| {
                    !inner || self.world.value(reach, "articles", row, &folder) != Cell::Null
                });
                expected.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
                if columns.is_empty() {
                    assert_eq!(self.rows("articles", rows), expected);
                } else {
                    let value = |row: &Row, col| self.world.value(reach, "articles", row, col);
                    let expected: Vec<Vec<_>> = expected
                        .iter()
                        .map(|row| columns.iter().map(|col| value(row, col)).collect())
                        .collect();
                    assert_eq!(rows, expected);
                }
            }
            Operation::Pages {
                condition,
                order,
                rows,
            } => {
                let condition = fit(condition, "articles");
                // A column that the list is ordered by twice orders it once; so does its key, which
                // is last.
                let mut order = order.clone();
                let mut seen = Vec::new();
                order.retain(|(col, _)| {
                    col.cell.is_some() && !seen.contains(col) && {
                        seen.push(col.clone());
                        true
                    }
                });
                let mut cursor: Option<Cursor<Article>> = None;
                let mut expected = self
                    .world
                    .select(reach, "articles", condition.as_ref(), &order);
                loop {
                    let statement = at!(reach, scope => {
                        let mut select = scope.select::<Article>();
                        if let Some(condition) = &condition {
                            select = select.filter(article(condition));
                        }
                        for (col, descending) in &order {
                            select = with_article_column!(col, column => select.order_by(
                                if *descending { column.descending() } else { column.ascending() }
                            ));
                        }
                        select.after(cursor.clone()).limit(*rows).build(dialect)
                    });
                    let Some(page) = self.fetch(statement, &all_kinds(facts("articles"))) else {
                        return;
                    };
                    let page = self.rows("articles", page);
                    let ahead: Vec<_> = expected.iter().take(*rows as usize).cloned().collect();
                    assert_eq!(page, ahead);
                    let Some(last) = page.last() else { break };
                    expected = self.world.after(reach, "articles", expected, &order, last);
                    let next = order.iter().fold(Cursor::new(), |cursor, (col, _)| {
                        at_column(cursor, col, last)
                    });
                    let next = next.at(Article::ID, i64::from_cell(&last.key)).unwrap();
                    // Through its text, as a client holds it.
                    cursor = Some(next.to_string().parse().unwrap());
                }
            }
            Operation::Get(id) => {
                let statement = at!(reach, scope => scope.get::<Article>(*id).build(dialect));
                let rows = self
                    .fetch(statement, &all_kinds(facts("articles")))
                    .unwrap();
                let rows = self.rows("articles", rows);
                let expected = self
                    .world
                    .rows("articles")
                    .iter()
                    .filter(|row| reach.has(row) && row.key == Cell::Int(*id));
                assert!(rows.iter().eq(expected));
            }
            Operation::Count(condition) => {
                let condition = fit(condition, "articles");
                let statement = at!(reach, scope => match &condition {
                    Some(condition) => scope.count::<Article>().filter(article(condition)),
                    None => scope.count::<Article>(),
                }.build(dialect));
                let Some(rows) = self.fetch(statement, &[Kind::Int]) else {
                    return;
                };
                let expected = self
                    .world
                    .select(reach, "articles", condition.as_ref(), &[])
                    .len();
                assert_eq!(rows, [[Cell::Int(expected as i64)]]);
            }
            Operation::Exists(condition) => {
                let condition = fit(condition, "articles");
                let statement = at!(reach, scope => match &condition {
                    Some(condition) => scope.exists::<Article>().filter(article(condition)),
                    None => scope.exists::<Article>(),
                }.build(dialect));
                let Some(rows) = self.fetch(statement, &[Kind::Bool]) else {
                    return;
                };
                let expected = !self
                    .world
                    .select(reach, "articles", condition.as_ref(), &[])
                    .is_empty();
                assert_eq!(rows, [[Cell::Bool(expected)]]);
            }
            Operation::Aggregate {
                condition,
                by,
                outputs,
            } => self.aggregate(fit(condition, "articles"), by, outputs),
            Operation::Update(condition, draft) => self.update(fit(condition, "articles"), draft),
            Operation::Delete(condition) => {
                let condition = narrow(condition, "articles", reach);
                let statement = at!(reach, scope => scope.delete::<Article>().filter(article(&condition)).build(dialect));
                let Some(deleted) = self.execute(statement) else {
                    return;
                };
                assert_eq!(
                    deleted,
                    self.world.delete(reach, "articles", Some(&condition))
                );
            }
            Operation::Insert(draft) => self.insert(draft),
            Operation::InsertMany(rows) => self.insert_many(rows),
            Operation::Upsert { slug, set, if_new } => self.upsert(slug, set, if_new),
            Operation::Folders(condition) => {
                let condition = fit(condition, "folders");
                let statement = at!(reach, scope => {
                    let select = scope.select::<Folder>().order_by(Folder::ID.ascending());
                    match &condition {
                        Some(condition) => select.filter(folder(condition)),
                        None => select,
                    }.build(dialect)
                });
                let Some(rows) = self.fetch(statement, &all_kinds(facts("folders"))) else {
                    return;
                };
                assert_eq!(
                    self.rows("folders", rows),
                    self.world.select(reach, "folders", condition.as_ref(), &[])
                );
            }
            Operation::MoveFolder { folder, parent } => {
                let Some(scope) = site(reach) else { return };
                let update = scope
                    .update::<Folder>()
                    .set(Folder::PARENT, *parent)
                    .filter(Folder::ID.equals(*folder));
                let moved = self.execute(update.build(dialect)).unwrap();
                let id = Col {
                    path: vec![],
                    cell: None,
                };
                let condition = Condition::On(
                    id,
                    crate::model::Leaf::Is(crate::model::Relation::Equal, Cell::Int(*folder)),
                );
                let draft = [(1, parent.map_or(Cell::Null, Cell::Int))];
                assert_eq!(
                    moved,
                    self.world
                        .update(reach, "folders", Some(&condition), &draft)
                        .len()
                );
            }
            Operation::Notes(condition) => {
                let condition = fit(condition, "notes");
                macro_rules! notes {
                    ($scope:expr, $note:expr) => {{
                        let select = $scope.select::<Note>().order_by(Note::ID.ascending());
                        match &condition {
                            Some(condition) => select.filter($note(condition)),
                            None => select,
                        }
                        .build(dialect)
                    }};
                }
                let statement = match reach.sector {
                    Some(sector) => notes!(site(reach).unwrap().sector(sector.into()), own_note),
                    None => at!(reach, scope => notes!(scope, note)),
                };
                let Some(rows) = self.fetch(statement, &all_kinds(facts("notes"))) else {
                    return;
                };
                assert_eq!(
                    self.rows("notes", rows),
                    self.world.select(reach, "notes", condition.as_ref(), &[])
                );
            }
            Operation::UpdateNotes(condition, text) => {
                let condition = fit(condition, "notes");
                macro_rules! notes {
                    ($scope:expr, $note:expr) => {{
                        let update = $scope.update::<Note>().set(Note::TEXT, text);
                        match &condition {
                            Some(condition) => update.filter($note(condition)),
                            None => update.all_in_scope(),
                        }
                        .build(dialect)
                    }};
                }
                let statement = match reach.sector {
                    Some(sector) => notes!(site(reach).unwrap().sector(sector.into()), own_note),
                    None => at!(reach, scope => notes!(scope, note)),
                };
                let Some(updated) = self.execute(statement) else {
                    return;
                };
                let draft = [(0, Cell::Text(text.clone()))];
                assert_eq!(
                    updated,
                    self.world
                        .update(reach, "notes", condition.as_ref(), &draft)
                        .len()
                );
            }
            Operation::InsertNote { text, article } => {
                let sector = reach.sector.unwrap();
                let scope = site(reach).unwrap().sector(sector.into());
                let insert = scope
                    .insert::<Note>()
                    .set(Note::TEXT, text)
                    .set(Note::ARTICLE, *article)
                    .returning_row();
                let Some(rows) = self.fetch(insert.build(dialect), &all_kinds(facts("notes")))
                else {
                    return;
                };
                let draft = vec![
                    (0, Cell::Text(text.clone())),
                    (1, article.map_or(Cell::Null, Cell::Int)),
                ];
                let tenant = vec![reach.account, reach.sites.as_ref().unwrap()[0], sector];
                self.inserted("notes", rows, vec![(tenant, vec![Cell::Null; 2], draft)]);
            }
            Operation::Settings {
                name,
                value,
                insert,
            } => self.setting(name, value, *insert),
            Operation::Profile(motto) => {
                let Some(scope) = site(reach) else { return };
                let upsert = scope.upsert_own::<Profile>().set(Profile::MOTTO, motto);
                let Some(done) = self.execute(upsert.build(dialect)) else {
                    return;
                };
                let tenant = vec![reach.account, reach.sites.as_ref().unwrap()[0]];
                let there = self.has_ancestors(&tenant);
                assert_eq!(done, usize::from(there));
                if there {
                    let profiles = self.world.tables.get_mut("profiles").unwrap();
                    profiles.retain(|row| row.tenant != tenant);
                    profiles.push(Row {
                        tenant,
                        key: Cell::Null,
                        cells: vec![Cell::Text(motto.clone())],
                    });
                }
            }
            Operation::ToggleSite => {
                let (account, id) = (
                    reach.account,
                    Cell::Int(
                        reach
                            .sites
                            .as_ref()
                            .map_or(11, |sites| *sites.first().unwrap_or(&12)),
                    ),
                );
                let sites = self.world.tables.get_mut("sites").unwrap();
                let before = sites.len();
                sites.retain(|row| row.tenant != [account] || row.key != id);
                let owned = SITES
                    .iter()
                    .any(|(owner, site, _)| *owner == account && Cell::Int(*site) == id);
                if sites.len() == before && owned {
                    sites.push(Row {
                        tenant: vec![account],
                        key: id,
                        cells: vec![Cell::Text("s".into())],
                    });
                }
                self.database.load(&self.world);
            }
        }
    }

    fn aggregate(&mut self, condition: Option<Condition>, by: &[Col], outputs: &[Output]) {
        if by.is_empty() && outputs.is_empty() {
            return;
        }
        let (dialect, reach) = (self.database.dialect(), &self.reach.clone());
        let statement = at!(reach, scope => {
            let aggregate = scope.aggregate::<Article>();
            let aggregate = match &condition {
                Some(condition) => aggregate.filter(article(condition)),
                None => aggregate,
            };
            // What is asked for first makes it ready; `count` does no harm, and is asked for again
            // below.
            let mut ready = match by {
                [first, ..] => with_article_column!(first, column => aggregate.by(column)),
                [] => aggregate.count(),
            };
            for col in by.iter().skip(1) {
                ready = with_article_column!(col, column => ready.by(column));
            }
            for output in outputs {
                ready = match output {
                    Output::Count => ready.count(),
                    Output::Sum(2) => ready.sum(Article::SCORE),
                    Output::Sum(_) => ready.sum(Article::PRICE),
                    Output::Average(_) => ready.average(Article::SCORE),
                    Output::Least(0) => ready.least(Article::TITLE),
                    Output::Least(1) => ready.least(Article::NOTE),
                    Output::Least(2) => ready.least(Article::SCORE),
                    Output::Least(4) => ready.least(Article::SEEN),
                    Output::Least(_) => ready.least(Article::PRICE),
                    Output::Greatest(0) => ready.greatest(Article::TITLE),
                    Output::Greatest(1) => ready.greatest(Article::NOTE),
                    Output::Greatest(2) => ready.greatest(Article::SCORE),
                    Output::Greatest(4) => ready.greatest(Article::SEEN),
                    Output::Greatest(_) => ready.greatest(Article::PRICE),
                };
            }
            ready.build(dialect)
        });
        let extra = by.is_empty().then_some(Output::Count);
        let outputs: Vec<_> = extra.into_iter().chain(outputs.iter().copied()).collect();
        let cell = |cell: usize| {
            kind(
                "articles",
                &Col {
                    path: vec![],
                    cell: Some(cell),
                },
            )
        };
        let kinds = outputs.iter().map(|output| match output {
            Output::Count => Kind::Int,
            Output::Average(_) => Kind::Real,
            Output::Sum(column) | Output::Least(column) | Output::Greatest(column) => cell(*column),
        });
        let kinds: Vec<_> = by
            .iter()
            .map(|col| kind("articles", col))
            .chain(kinds)
            .collect();
        let Some(rows) = self.fetch(statement, &kinds) else {
            return;
        };
        let expected = self
            .world
            .aggregate(reach, "articles", condition.as_ref(), by, &outputs);
        assert_eq!(rows.len(), expected.len());
        for (cell, expected) in rows.iter().flatten().zip(expected.iter().flatten()) {
            match (cell, expected) {
                // A double has 15 digits.
                (Cell::Real(a), Cell::Real(b)) => {
                    assert!((a - b).abs() <= b.abs() * 1e-12, "{a} is not {b}")
                }
                (cell, expected) => assert_eq!(cell, expected),
            }
        }
    }

    fn update(&mut self, condition: Option<Condition>, draft: &Draft) {
        let (dialect, reach) = (self.database.dialect(), &self.reach.clone());
        let own: Draft = draft
            .iter()
            .filter(|(cell, _)| !matches!(*cell, FOLDER | AUTHOR))
            .cloned()
            .collect();
        macro_rules! narrowed {
            ($update:expr) => {{
                let update = $update;
                match &condition {
                    Some(condition) => update.filter(article(condition)),
                    None => update.all_in_scope(),
                }
                .returning_row()
                .build(dialect)
            }};
        }
        // References are set through a scope of the table's own level only.
        let (statement, draft) = match (site(reach), &reach.sites) {
            (Some(scope), _) => (
                narrowed!(set_article!(scope.update::<Article>(), draft, references)),
                draft,
            ),
            (None, None) => {
                let scope = access(reach.account).write().account().unwrap();
                (
                    narrowed!(set_article!(scope.update::<Article>(), &own)),
                    &own,
                )
            }
            (None, Some(_)) => (
                narrowed!(set_article!(several(reach).update::<Article>(), &own)),
                &own,
            ),
        };
        if draft.is_empty() {
            assert_eq!(statement, Err(BuildError::NothingToSet));
            return;
        }
        let Some(rows) = self.fetch(statement, &all_kinds(facts("articles"))) else {
            return;
        };
        let mut rows = self.rows("articles", rows);
        let mut expected = self
            .world
            .update(reach, "articles", condition.as_ref(), draft);
        rows.sort_by_key(|row| i64::from_cell(&row.key));
        expected.sort_by_key(|row| i64::from_cell(&row.key));
        assert_eq!(rows, expected);
    }

    /// What every article must have, though the draft may not.
    fn blank() -> Vec<Cell> {
        let mut cells = vec![Cell::Null; ARTICLE.len()];
        cells[0] = Cell::Text(String::new());
        cells[2] = Cell::Int(0);
        cells[3] = Cell::Bool(false);
        cells[5] = Cell::Bytes(Vec::new());
        cells
    }

    fn with_blanks(draft: &[(usize, Cell)], slug: Option<&str>) -> Draft {
        let blank = Self::blank()
            .into_iter()
            .enumerate()
            .filter(|(_, cell)| *cell != Cell::Null);
        let slug = slug.map(|slug| (SLUG, Cell::Text(slug.to_owned())));
        blank
            .filter(|(cell, _)| draft.iter().all(|(other, _)| other != cell))
            .chain(slug)
            .chain(draft.iter().cloned())
            .collect()
    }

    /// A slug that no article has.
    fn new_slug(&self, number: usize) -> String {
        let known = |slug: &str| {
            self.world
                .rows("articles")
                .iter()
                .any(|row| row.cells[SLUG] == Cell::Text(slug.to_owned()))
        };
        (0..)
            .map(|n| format!("new {number} {n}"))
            .find(|slug| !known(slug))
            .unwrap()
    }

    fn insert(&mut self, draft: &Draft) {
        let (dialect, reach) = (self.database.dialect(), &self.reach.clone());
        let Some(scope) = site(reach) else { return };
        let draft = Self::with_blanks(draft, Some(&self.new_slug(0)));
        let insert = set_article!(scope.insert::<Article>(), &draft, references).returning_row();
        let Some(rows) = self.fetch(insert.build(dialect), &all_kinds(facts("articles"))) else {
            return;
        };
        let tenant = vec![reach.account, reach.sites.as_ref().unwrap()[0]];
        self.inserted("articles", rows, vec![(tenant, Self::blank(), draft)]);
    }

    fn insert_many(&mut self, rows: &[[Cell; 4]]) {
        let (dialect, reach) = (self.database.dialect(), &self.reach.clone());
        let Some(scope) = site(reach) else { return };
        let columns = (
            Article::TITLE,
            Article::NOTE,
            Article::SLUG,
            Article::FOLDER,
            Article::SCORE,
            Article::OPEN,
            Article::DIGEST,
        );
        let mut many = scope.insert_many(columns).returning_row();
        let mut drafts = Vec::new();
        for (number, [title, note, _, folder]) in rows.iter().enumerate() {
            let slug = self.new_slug(number);
            let (text, note_text) = (String::from_cell(title), Option::<String>::from_cell(note));
            many = many.row((
                text,
                note_text,
                slug.clone(),
                Option::<i64>::from_cell(folder),
                0,
                false,
                [],
            ));
            let draft = [
                (0, title.clone()),
                (1, note.clone()),
                (FOLDER, folder.clone()),
            ];
            let tenant = vec![reach.account, reach.sites.as_ref().unwrap()[0]];
            drafts.push((
                tenant,
                Self::blank(),
                Self::with_blanks(&draft, Some(&slug)),
            ));
        }
        let statement = many.build(dialect);
        if rows.is_empty() {
            assert_eq!(statement, Err(BuildError::NothingToSet));
            return;
        }
        let Some(rows) = self.fetch(statement, &all_kinds(facts("articles"))) else {
            return;
        };
        self.inserted("articles", rows, drafts);
    }

    /// All of the rows are there now, or none, as their sites and all that they refer to are there.
    fn inserted(
        &mut self,
        table: &'static str,
        rows: Vec<Vec<Cell>>,
        drafts: Vec<(Vec<i64>, Vec<Cell>, Draft)>,
    ) {
        let rows = self.rows(table, rows);
        let fit = drafts.iter().all(|(tenant, _, draft)| {
            self.has_ancestors(tenant) && self.world.leads(&self.reach, table, tenant, draft)
        });
        assert_eq!(rows.len(), if fit { drafts.len() } else { 0 }, "{drafts:?}");
        for (row, (tenant, mut cells, draft)) in rows.into_iter().zip(drafts) {
            draft
                .into_iter()
                .for_each(|(cell, value)| cells[cell] = value);
            assert_eq!((&row.tenant, &row.cells), (&tenant, &cells));
            assert!(
                self.world
                    .rows(table)
                    .iter()
                    .all(|other| other.key != row.key),
                "a key given twice"
            );
            self.world.tables.get_mut(table).unwrap().push(row);
        }
    }

    /// Whether the site is there, and the sector.
    fn has_ancestors(&self, tenant: &[i64]) -> bool {
        let has = |table, tenant: &[i64], id| {
            self.world
                .rows(table)
                .iter()
                .any(|row| row.tenant == tenant && row.key == Cell::Int(id))
        };
        has("sites", &tenant[..1], tenant[1])
            && tenant
                .get(2)
                .is_none_or(|sector| has("sectors", &tenant[..2], *sector))
    }

    fn upsert(&mut self, slug: &str, set: &Draft, if_new: &Draft) {
        let (dialect, reach) = (self.database.dialect(), &self.reach.clone());
        let Some(scope) = site(reach) else { return };
        let if_new: Draft = Self::with_blanks(if_new, None);
        let if_new: Draft = if_new
            .into_iter()
            .filter(|(cell, _)| set.iter().all(|(other, _)| other != cell))
            .collect();
        // What is set in both cases, and then what only a new row has.
        let upsert = set_article!(scope.upsert(Article::BY_SLUG, (slug,)), set, references);
        let mut upsert = upsert;
        for (cell, value) in &if_new {
            upsert = match cell {
                0 => upsert.set_if_new(Article::TITLE, String::from_cell(value)),
                1 => upsert.set_if_new(Article::NOTE, Option::<String>::from_cell(value)),
                2 => upsert.set_if_new(Article::SCORE, i64::from_cell(value)),
                3 => upsert.set_if_new(Article::OPEN, bool::from_cell(value)),
                4 => upsert.set_if_new(Article::SEEN, Option::<DateTime<Utc>>::from_cell(value)),
                5 => upsert.set_if_new(Article::DIGEST, Vec::<u8>::from_cell(value)),
                6 => upsert.set_if_new(Article::PRICE, Option::<Fixed<2>>::from_cell(value)),
                7 => upsert.set_if_new(Article::TOKEN, Option::<uuid::Uuid>::from_cell(value)),
                8 => {
                    upsert.set_if_new(Article::META, Option::<serde_json::Value>::from_cell(value))
                }
                10 => upsert.set_if_new(Article::FOLDER, Option::<i64>::from_cell(value)),
                _ => upsert.set_if_new(Article::AUTHOR, Option::<i64>::from_cell(value)),
            };
        }
        let Some(rows) = self.fetch(
            upsert.returning_row().build(dialect),
            &all_kinds(facts("articles")),
        ) else {
            return;
        };
        let rows = self.rows("articles", rows);
        let tenant = vec![reach.account, reach.sites.as_ref().unwrap()[0]];
        let draft: Draft = set.iter().chain(&if_new).cloned().collect();
        if !self.has_ancestors(&tenant) || !self.world.leads(reach, "articles", &tenant, &draft) {
            assert!(rows.is_empty());
            return;
        }
        let articles = self.world.tables.get_mut("articles").unwrap();
        let there = articles
            .iter_mut()
            .find(|row| row.tenant == tenant && row.cells[SLUG] == Cell::Text(slug.to_owned()));
        match there {
            Some(row) => {
                set.iter()
                    .for_each(|(cell, value)| row.cells[*cell] = value.clone());
                let expected: Vec<_> = if set.is_empty() {
                    vec![]
                } else {
                    vec![row.clone()]
                };
                assert_eq!(rows, expected);
            }
            None => {
                let mut cells = Self::blank();
                cells[SLUG] = Cell::Text(slug.to_owned());
                draft
                    .into_iter()
                    .for_each(|(cell, value)| cells[cell] = value);
                assert_eq!(rows.len(), 1);
                assert_eq!((&rows[0].tenant, &rows[0].cells), (&tenant, &cells));
                articles.extend(rows);
            }
        }
    }

    fn setting(&mut self, name: &str, value: &str, insert: bool) {
        let dialect = self.database.dialect();
        if self.reach.sites.is_some() {
            return;
        }
        let scope = access(self.reach.account).write().account().unwrap();
        let tenant = vec![self.reach.account];
        let settings = self.world.rows("settings");
        let there = settings
            .iter()
            .any(|row| row.tenant == tenant && row.key == Cell::Text(name.to_owned()));
        let statement = if insert && !there {
            scope
                .insert::<Setting>()
                .key(name)
                .set(Setting::VALUE, value)
                .build(dialect)
        } else {
            scope
                .upsert_key::<Setting>(name)
                .set(Setting::VALUE, value)
                .build(dialect)
        };
        let Some(done) = self.execute(statement) else {
            return;
        };
        assert_eq!(done, 1);
        let settings = self.world.tables.get_mut("settings").unwrap();
        settings.retain(|row| row.tenant != tenant || row.key != Cell::Text(name.to_owned()));
        settings.push(Row {
            tenant,
            key: Cell::Text(name.to_owned()),
            cells: vec![Cell::Text(value.to_owned())],
        });
    }
}

fn at_column(cursor: Cursor<Article>, col: &Col, row: &Row) -> Cursor<Article> {
    let cell = &row.cells[col.cell.unwrap()];
    let at = match col.cell.unwrap() {
        0 => cursor.at(Article::TITLE, String::from_cell(cell)),
        1 => cursor.at(Article::NOTE, Option::<String>::from_cell(cell)),
        2 => cursor.at(Article::SCORE, i64::from_cell(cell)),
        3 => cursor.at(Article::OPEN, bool::from_cell(cell)),
        4 => cursor.at(Article::SEEN, Option::<DateTime<Utc>>::from_cell(cell)),
        5 => cursor.at(Article::DIGEST, Vec::<u8>::from_cell(cell)),
        6 => cursor.at(Article::PRICE, Option::<Fixed<2>>::from_cell(cell)),
        7 => cursor.at(Article::TOKEN, Option::<uuid::Uuid>::from_cell(cell)),
        9 => cursor.at(Article::SLUG, String::from_cell(cell)),
        10 => cursor.at(Article::FOLDER, Option::<i64>::from_cell(cell)),
        _ => cursor.at(Article::AUTHOR, Option::<i64>::from_cell(cell)),
    };
    at.unwrap()
}

/// All rows, as the database lists them.
pub fn sorted(world: &World) -> std::collections::BTreeMap<&'static str, Vec<Row>> {
    let mut tables = world.tables.clone();
    let order = |row: &Row| {
        (
            row.tenant.clone(),
            format!("{:?}", row.key),
            row.key.clone(),
        )
    };
    for rows in tables.values_mut() {
        rows.sort_by(|a, b| {
            let ((tenant, text, key), (other_tenant, other_text, other_key)) = (order(a), order(b));
            let by_key = match (key, other_key) {
                (Cell::Int(a), Cell::Int(b)) => a.cmp(&b),
                _ => text.cmp(&other_text),
            };
            tenant.cmp(&other_tenant).then(by_key)
        });
    }
    tables
}
