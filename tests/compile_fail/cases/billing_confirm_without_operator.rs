//! Only an operator confirms a transfer; who may pay for an account may claim, and no more.

fn confirm(access: &bailiwick::gate::BillingAccess, transfer: &bailiwick::bank_transfer::BankTransfer, facts: bailiwick::bank_transfer::TransferFacts) {
    let _ = bailiwick::Policy::default().confirm_bank_transfer(access, transfer, facts, chrono::DateTime::UNIX_EPOCH);
}

fn main() {}
