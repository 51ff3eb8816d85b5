//! Statements: where an account's credits went in a period.

use std::fmt;
use std::iter;

use chrono::{DateTime, Utc};

use super::balance::Balance;
use super::ledger::{LedgerEntry, LedgerError, LedgerFault};
use crate::money::Credits;
use crate::period::Period;

/// A statement of an account's credits in a period: the balance at its beginning, every entry, the
/// balance at its end. Each line shows what its entry changed of what is available, so the lines
/// lead from the first balance to the last.
///
/// Displayed, it is a table:
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
    /// Creates the statement of a period, from the last entry that took effect before it (`None` if
    /// there is none) and all the entries that took effect in it, in the order of their numbers.
    ///
    /// An event that time has decided since the last entry, and that no command has recorded yet,
    /// is not in the ledger and so not here: [`Wallet::advance`](crate::credit::Wallet::advance)
    /// records it.
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

            // Without an entry before it, the first line must be the first of all. Nothing follows
            // the last number that there is.
            let follows = last.map_or(sequence == 1, |last| line.sequence > last.sequence);
            if line.sequence != sequence || !follows {
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

    /// Returns the period.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Returns the balance at its beginning.
    pub fn opening(&self) -> Balance {
        self.opening.unwrap_or(Balance::ZERO)
    }

    /// Returns the balance at its end.
    pub fn closing(&self) -> Balance {
        self.lines
            .last()
            .map_or_else(|| self.opening(), |line| line.balance)
    }

    /// Returns every entry with the change that it made to what is available, in micro-credits.
    pub fn lines(&self) -> impl Iterator<Item = (&LedgerEntry, i64)> {
        let befores = iter::once(self.opening()).chain(self.lines.iter().map(|line| line.balance));

        self.lines
            .iter()
            .zip(befores)
            .map(|(line, before)| (line, net(&line.balance).saturating_sub(net(&before))))
    }
}

/// Returns free credits less debt, in micro-credits. Both are within 10^18, so neither this nor the
/// difference of two of these saturates.
fn net(balance: &Balance) -> i64 {
    balance.free.micros().saturating_sub(balance.debt.micros())
}

/// Writes micro-credits as credits, with a minus sign where they are negative.
fn signed(micros: i64) -> String {
    let amount = Credits::from_micros(micros.saturating_abs()).unwrap_or(Credits::ZERO);
    if micros < 0 {
        format!("-{amount}")
    } else {
        amount.to_string()
    }
}

/// A row of the table.
struct Row {
    at: DateTime<Utc>,
    event: String,
    change: String,
    available: String,
}

impl Row {
    /// Creates the first or the last row, which changes nothing.
    fn edge(at: DateTime<Utc>, name: &str, balance: &Balance) -> Self {
        Self {
            at,
            event: name.to_owned(),
            change: String::new(),
            available: signed(net(balance)),
        }
    }

    fn of(line: &LedgerEntry, change: i64) -> Self {
        Self {
            at: line.at,
            event: line.event.to_string(),
            change: match change {
                0 => String::new(),
                1.. => format!("+{}", signed(change)),
                _ => signed(change),
            },
            available: signed(net(&line.balance)),
        }
    }
}

impl fmt::Display for LedgerStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = Row::edge(self.period.start, "opening", &self.opening());
        let last = Row::edge(self.period.end, "closing", &self.closing());
        let rows: Vec<Row> = iter::once(first)
            .chain(self.lines().map(|(line, change)| Row::of(line, change)))
            .chain(iter::once(last))
            .collect();

        // Each column is as wide as its widest cell.
        let width = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).len()).max();
        let event_width = width(|row| &row.event).unwrap_or_default();
        let change_width = width(|row| &row.change).unwrap_or_default();
        let available_width = width(|row| &row.available).unwrap_or_default();

        for Row {
            at,
            event,
            change,
            available,
        } in &rows
        {
            writeln!(
                f,
                "{}  {event:<event_width$}  {change:>change_width$}  {available:>available_width$}",
                at.format("%Y-%m-%d %H:%M:%S")
            )?;
        }

        Ok(())
    }
}
