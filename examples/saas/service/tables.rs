//! The tables that handlers reach. They cannot reach one that is not declared here.

use bailiwick::table;
use chrono::{DateTime, Utc};

table! {
    /// The sites of an account.
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        column NAME = "name" String;
    }
}

table! {
    /// The articles of a site.
    pub struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column REQUEST = "request" String;
        column TITLE = "title" String;
        column BODY = "body" String;
        column CREATED_AT = "created_at" DateTime<Utc>;
    }
}
