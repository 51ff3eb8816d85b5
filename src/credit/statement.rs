//! Statements: where credits went in a period.

use std::fmt;

use chrono::{DateTime, Utc};

use super::balance::Balance;
use super::ledger::{LedgerEntry, LedgerError, LedgerFault};
use crate::money::Credits;
use crate::period::Period;

/// Where an account's credits went in a period: the balance at its beginning, every line, the
/// balance at its end. It adds up: each line's balance is the one before with the line's own
/// change.
///
/// As a text it is a table:
///
/// ```text
/// 2026-01-01 00:00:00  opening                                       100
/// 2026-01-03 10:00:00  held for request-1 (article)         -4        96
/// 2026-01-03 10:00:07  settled request-1: 3.5             +0.5      96.5
/// 2026-02-01 00:00:00  closing                                      96.5
/// ```
///
/// The last column is what is available: free credits less debt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerStatement {
    period: Period,
    opening: Option<Balance>,
    lines: Vec<LedgerEntry>,
}

impl LedgerStatement {
    /// The statement of a period, from the last entry that took effect before it (`None` if there
    /// is none) and all the entries that took effect in it, in the order of their numbers. What
    /// time has decided since the last entry and no command has recorded yet is not in the ledger,
    /// and not here: [`Wallet::advance`](crate::credit::Wallet::advance) records it.
    ///
    /// # Errors
    /// The first entry that is not of the account, out of order, or not of the period.
    pub fn new(
        before: Option<&LedgerEntry>,
        lines: Vec<LedgerEntry>,
        period: Period,
    ) -> Result<Self, LedgerError> {
        let mut last = before;
        for line in &lines {
            let sequence = last.map_or(line.sequence, |last| last.sequence.saturating_add(1));
            let wrong = |fault| Err(LedgerError { sequence, fault });
            if line.sequence != sequence || (last.is_none() && sequence != 1) {
                return wrong(LedgerFault::Sequence);
            }
            if last.is_some_and(|last| last.account != line.account) {
                return wrong(LedgerFault::Account);
            }
            if line.at < period.start || line.at >= period.end {
                return wrong(LedgerFault::Time);
            }
            if !line.balance.adds_up() {
                return wrong(LedgerFault::Balance);
            }
            last = Some(line);
        }
        Ok(Self {
            period,
            opening: before.map(|entry| entry.balance),
            lines,
        })
    }

    /// The period.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The balance at its beginning.
    pub fn opening(&self) -> Balance {
        self.opening.unwrap_or(Balance::ZERO)
    }

    /// The balance at its end.
    pub fn closing(&self) -> Balance {
        self.lines
            .last()
            .map_or_else(|| self.opening(), |line| line.balance)
    }

    /// Every line, each with what it changed of what is available, in micro-credits.
    pub fn lines(&self) -> impl Iterator<Item = (&LedgerEntry, i64)> {
        let befores =
            std::iter::once(self.opening()).chain(self.lines.iter().map(|line| line.balance));
        self.lines
            .iter()
            .zip(befores)
            .map(|(line, before)| (line, net(&line.balance).saturating_sub(net(&before))))
    }
}

/// Free credits less debt, in micro-credits.
fn net(balance: &Balance) -> i64 {
    balance.free.micros().saturating_sub(balance.debt.micros())
}

/// Micro-credits as credits, with their sign.
fn signed(micros: i64) -> String {
    let amount = Credits::from_micros(micros.saturating_abs()).unwrap_or(Credits::ZERO);
    if micros < 0 {
        format!("-{amount}")
    } else {
        amount.to_string()
    }
}

/// A row of the table: when, what, its change, and what is available after it.
type Row = (DateTime<Utc>, String, String, String);

impl fmt::Display for LedgerStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edge = |at, name: &str, balance: &Balance| {
            (at, name.to_owned(), String::new(), signed(net(balance)))
        };
        let lines = self.lines().map(|(line, change)| {
            let plus = if change > 0 { "+" } else { "" };
            let change = if change == 0 {
                String::new()
            } else {
                format!("{plus}{}", signed(change))
            };
            (
                line.at,
                line.event.to_string(),
                change,
                signed(net(&line.balance)),
            )
        });
        let rows: Vec<Row> = std::iter::once(edge(self.period.start, "opening", &self.opening()))
            .chain(lines)
            .chain(std::iter::once(edge(
                self.period.end,
                "closing",
                &self.closing(),
            )))
            .collect();
        let width = |text: fn(&Row) -> &String| {
            rows.iter()
                .map(|row| text(row).len())
                .max()
                .unwrap_or_default()
        };
        let (what, changed, left) = (
            width(|row| &row.1),
            width(|row| &row.2),
            width(|row| &row.3),
        );
        for (at, event, change, net) in &rows {
            writeln!(
                f,
                "{}  {event:<what$}  {change:>changed$}  {net:>left$}",
                at.format("%Y-%m-%d %H:%M:%S")
            )?;
        }
        Ok(())
    }
}
