//! A global table is read only.

use bailiwick::{Account, Scope};
use bailiwick::scope::state::Write;

bailiwick::table! {
    pub struct Plans: Global in "plans" {
        key ID = "id" i64 supplied;
    }
}

fn f(account: &Scope<Account, Write>) {
    let _ = account.insert::<Plans>();
    let _ = account.update::<Plans>();
    let _ = account.delete::<Plans>();
}

fn main() {}
