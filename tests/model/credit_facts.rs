//! The crate's balance as the model's.

use bailiwick::Credits;
use bailiwick::credit::Balance;

use super::model::Totals;

/// The balance in whole credits; every amount must be one.
pub fn totals(balance: &Balance) -> Totals {
    let whole = |amount: Credits| {
        assert_eq!(amount.micros() % 1_000_000, 0);
        amount.micros() / 1_000_000
    };
    Totals {
        granted: whole(balance.granted),
        scheduled: whole(balance.scheduled),
        free: whole(balance.free),
        held: whole(balance.held),
        spent: whole(balance.spent),
        expired: whole(balance.expired),
        revoked: whole(balance.revoked),
        debt: whole(balance.debt),
    }
}
