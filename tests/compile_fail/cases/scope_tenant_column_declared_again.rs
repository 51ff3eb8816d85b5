//! A column that is a tenant column by another spelling would be a way to set it.

bailiwick::table! {
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        column NAME = "name" String;
    }
}

bailiwick::table! {
    pub struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column OWNER = "Account_ID" i64;
    }
}

fn main() {}
