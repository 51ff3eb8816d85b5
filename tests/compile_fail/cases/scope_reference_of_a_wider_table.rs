//! A row of an account does not refer to a row of one of its sites, nor to a table without a key of
//! its own.

use bailiwick::{Account, Scope};
use bailiwick::scope::state::Write;

bailiwick::table! {
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        column NAME = "name" String;
    }
}
bailiwick::table! {
    pub struct Member: Account in "members" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        column NAME = "name" String;
    }
}
bailiwick::table! {
    pub struct Page: Site in "pages" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key PATH = "path" String supplied;
        column OPEN = "open" bool;
        column TITLE = "title" String;
        column SCORE = "score" i64;
        reference AUTHOR = "author_id" to Member;
        unique BY_TITLE = ("title" String);
    }
}

bailiwick::table! {
    pub struct Menu: Account in "menus" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        reference START = "start" to Option<Page>;
    }
}
bailiwick::table! {
    pub struct Wallets: Account in "wallets" {
        tenant "account_id" Int;
        key tenant;
    }
}
bailiwick::table! {
    pub struct Payment: Account in "payments" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        reference WALLET = "wallet" to Wallets;
    }
}

fn f(account: &Scope<Account, Write>) {
    let _ = account.select::<Menu>();
}

fn main() {}
