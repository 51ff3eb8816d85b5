//! Credits are due by a change that says so: nobody makes the list up.

fn due(cause: bailiwick::credit::Cause, terms: bailiwick::credit::GrantTerms) {
    let _ = bailiwick::credit::DueGrant { cause, terms };
    let _ = bailiwick::credit::DueRevocation { account: 7.into(), grant: "grant/transfer/1".into() };
}

fn main() {}
