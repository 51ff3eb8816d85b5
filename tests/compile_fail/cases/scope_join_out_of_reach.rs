//! A reference does not lead a site out of its reach.

use bailiwick::{Account, Scope};
use bailiwick::scope::state::Write;
use bailiwick::tenant::Site;

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

fn f(site: &Scope<Site, Write>, account: &Scope<Account, Write>) {
    let _ = account.select::<Page>().filter(Page::AUTHOR.then(Member::NAME).equals("x"));
    let _ = site.select::<Page>().filter(Page::AUTHOR.then(Member::NAME).equals("x"));
    let _ = site.select::<Page>().order_by(Page::AUTHOR.then(Member::NAME).ascending());
    let _ = site.select::<Page>().column(Page::AUTHOR.then(Member::NAME));
    let _ = site.select::<Page>().join(Page::AUTHOR);
    let _ = site.aggregate::<Page>().by(Page::AUTHOR.then(Member::NAME));
    let _ = site.delete::<Page>().filter(Page::TITLE.among(Member::NAME.values()));
}

fn main() {}
