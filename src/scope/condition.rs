//! Conditions: from a filter to what stands in WHERE, after the tenant predicate.

use sea_query::{BinOper, Expr, ExprTrait, Func, Query};

use super::dialect::Dialect;
use super::error::BuildError;
use super::filter::{Inner, Node, Relation};
use super::frame::{Frame, equal, select_one, shared};
use super::operand::Term;
use super::path::Place;
use super::render::{Renderer, conjoin, constant, nothing};

impl Renderer {
    /// The tenant predicate of a table, and what a filter leaves of its rows.
    pub(super) fn predicate(
        &mut self,
        frame: &mut Frame,
        filter: Option<Node>,
    ) -> Result<Option<Expr>, BuildError> {
        self.narrow(None, frame, filter)
    }

    fn narrow(
        &mut self,
        predicate: Option<Expr>,
        frame: &mut Frame,
        filter: Option<Node>,
    ) -> Result<Option<Expr>, BuildError> {
        let tenant = self.tenant(predicate, &frame.name, frame.schema)?;
        match filter {
            Some(filter) => Ok(Some(conjoin(tenant, self.condition(frame, filter)?))),
            None => Ok(tenant),
        }
    }

    /// Renders a condition. This recurses, so whatever needs room on the stack is in `leaf`.
    fn condition(&mut self, frame: &mut Frame, node: Node) -> Result<Expr, BuildError> {
        match node {
            Node::And(left, right) => self.pair(frame, *left, BinOper::And, *right),
            Node::Or(left, right) => self.pair(frame, *left, BinOper::Or, *right),
            Node::Not(inner) => self.condition(frame, *inner).map(Expr::not),
            leaf => self.leaf(frame, leaf),
        }
    }

    fn pair(
        &mut self,
        frame: &mut Frame,
        left: Node,
        operator: BinOper,
        right: Node,
    ) -> Result<Expr, BuildError> {
        let left = self.condition(frame, left)?;
        let right = self.condition(frame, right)?;
        Ok(left.binary(operator, right))
    }

    #[inline(never)]
    fn leaf(&mut self, frame: &mut Frame, node: Node) -> Result<Expr, BuildError> {
        Ok(match node {
            Node::Compare(place, relation, value) => self
                .column(frame, &place)?
                .binary(operator(relation), self.term(value)?),

            Node::Between(place, bounds) => {
                let (low, high) = *bounds;
                self.column(frame, &place)?
                    .between(self.term(low)?, self.term(high)?)
            }

            // `IN ()` is no SQL on PostgreSQL.
            Node::OneOf(_, values) if values.is_empty() => nothing(),
            Node::OneOf(place, values) => {
                let slots = values
                    .into_iter()
                    .map(|value| self.term(value))
                    .collect::<Result<Vec<_>, _>>()?;
                self.column(frame, &place)?.is_in(slots)
            }

            Node::IsNull(place) => self.column(frame, &place)?.is_null(),
            Node::IsNotNull(place) => self.column(frame, &place)?.is_not_null(),

            Node::Contains(place, text) => self.position(frame, &place, text)?.gt(constant(0)),
            Node::StartsWith(place, text) => match self.dialect {
                Dialect::Sqlite => self.position(frame, &place, text)?.eq(constant(1)),
                Dialect::Postgres => {
                    let column = self.column(frame, &place)?;
                    Func::cust("starts_with")
                        .args([column, self.term(text)?])
                        .into()
                }
            },
            Node::EndsWith(place, text) => self.ends_with(frame, &place, text)?,

            Node::Among(place, inner) => self.among(frame, &place, *inner)?,
            Node::Exists(inner) => self.referred(frame, *inner)?,
            Node::Nothing => nothing(),

            // `condition` has these.
            Node::And(..) | Node::Or(..) | Node::Not(_) => return Err(BuildError::Rendering),
        })
    }

    /// `column IN (SELECT …)`. One null in the list would make a comparison with it unknown, and
    /// its negation never true, so nulls are left out.
    fn among(
        &mut self,
        frame: &mut Frame,
        place: &Place,
        inner: Inner,
    ) -> Result<Expr, BuildError> {
        let Inner {
            schema,
            column,
            filter,
        } = inner;

        let mut values = self.again(schema);
        let value = self.column(&mut values, &column)?;
        let predicate = self.predicate(&mut values, filter)?;

        let mut select = Query::select();
        select
            .expr(value.clone())
            .from_as(schema.name, values.name.clone());
        values.join(&mut select, &[]);
        select.and_where(conjoin(predicate, value.is_not_null()));

        Ok(self.column(frame, place)?.in_subquery(select.take()))
    }

    /// `EXISTS (SELECT …)` of the rows that refer to the frame's row, and are of the same tenant.
    fn referred(&mut self, frame: &Frame, inner: Inner) -> Result<Expr, BuildError> {
        let Inner {
            schema,
            column,
            filter,
        } = inner;

        let mut referring = self.again(schema);
        let key = frame.schema.own_key()?;
        let refers = equal(&referring.name, column.name, &frame.name, key.name);
        let same_tenant = shared(
            refers,
            &referring.name,
            schema.tenant,
            &frame.name,
            frame.schema.tenant,
        );

        let predicate = self.narrow(Some(same_tenant), &mut referring, filter)?;
        Ok(Expr::exists(select_one(referring, predicate)))
    }

    /// The position at which a text first has another, counted from 1; 0 if it has not. Neither
    /// function knows wildcards, unlike LIKE, which on SQLite ignores case as well and stops at a
    /// NUL.
    fn position(
        &mut self,
        frame: &mut Frame,
        place: &Place,
        text: Term,
    ) -> Result<Expr, BuildError> {
        let function = match self.dialect {
            Dialect::Sqlite => "instr",
            Dialect::Postgres => "strpos",
        };

        let column = self.column(frame, place)?;
        Ok(Func::cust(function).args([column, self.term(text)?]).into())
    }

    /// The condition that the end of a text, as long as the other text, equals the other. SQLite's
    /// `length` of a text stops at a NUL, that of its bytes does not; in UTF-8 the end of the text
    /// and the end of the bytes are the same.
    fn ends_with(
        &mut self,
        frame: &mut Frame,
        place: &Place,
        text: Term,
    ) -> Result<Expr, BuildError> {
        let length = self.term(text.clone())?;
        let other = self.term(text)?;
        let column = self.column(frame, place)?;

        Ok(match self.dialect {
            Dialect::Postgres => {
                let length = Func::cust("length").arg(length.cast_as("text"));
                Expr::from(Func::cust("right").args([column, length.into()])).eq(other)
            }

            Dialect::Sqlite => {
                let bytes = |text: Expr| text.cast_as("blob");
                let length_of = |text: Expr| Expr::from(Func::cust("length").arg(bytes(text)));

                // Named anew each time: it may be a sub-select with values of its own.
                let whole = self.column(frame, place)?;
                let measured = self.column(frame, place)?;

                let start = length_of(measured).sub(length_of(length)).add(constant(1));
                let end = Func::cust("substr").args([bytes(column), start]).into();
                // `substr` gives null, if there are no bytes at all.
                Expr::from(Func::coalesce([end, bytes(whole)])).eq(bytes(other))
            }
        })
    }
}

fn operator(relation: Relation) -> BinOper {
    match relation {
        Relation::Equal => BinOper::Equal,
        Relation::NotEqual => BinOper::NotEqual,
        Relation::Less => BinOper::SmallerThan,
        Relation::AtMost => BinOper::SmallerThanOrEqual,
        Relation::Greater => BinOper::GreaterThan,
        Relation::AtLeast => BinOper::GreaterThanOrEqual,
    }
}
