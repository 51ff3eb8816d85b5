//! A key that is supplied is supplied once, at insert.

use bailiwick::{Account, Scope};
use bailiwick::scope::Dialect;
use bailiwick::scope::state::Write;

bailiwick::table! {
    pub struct Setting: Account in "settings" {
        tenant "account_id" Int;
        key NAME = "name" String supplied;
        column VALUE = "value" String;
    }
}

fn f(account: &Scope<Account, Write>) {
    let _ = account.insert::<Setting>().set(Setting::VALUE, "x").build(Dialect::Sqlite);
    let _ = account.insert::<Setting>().key("a").key("b");
    let _ = account.update::<Setting>().set(Setting::NAME, "b");
}

fn main() {}
