//! The part of a policy that governs wallets.

use serde::Serialize;

use super::choice::{LateSettle, Overage};

/// The part of a policy that governs wallets.
///
/// A host writes it in [`PolicySettings::credit`](super::PolicySettings::credit). The gate puts it
/// into every [`Access`](crate::Access), where [`Wallet::hold`](crate::Wallet::hold) reads it, so a
/// hold is made under the gate's policy. [`Wallet::refund`](crate::Wallet::refund) reads it from
/// the policy that it is given.
///
/// ```
/// use bailiwick::policy::{CreditPolicy, Overage};
///
/// let credit = CreditPolicy { overage: Overage::Cap, ..CreditPolicy::default() };
/// assert_eq!(credit.max_open_holds, 256);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct CreditPolicy {
    /// The most holds that one wallet may have open: 1 to 4096. By default 256.
    pub max_open_holds: u16,
    /// The rule for a settlement above its hold. By default it is refused.
    pub overage: Overage,
    /// The rule for a settlement after its hold has expired. By default it is refused.
    pub late_settle: LateSettle,
    /// The time after a hold's end within which a settlement may come late, in seconds. By default
    /// an hour.
    pub late_settle_seconds: u32,
    /// The shortest time for which refunded credits live, in seconds. By default 30 days.
    pub refund_life_seconds: u32,
}

impl CreditPolicy {
    pub(super) const STRICTEST: Self = Self {
        max_open_holds: 256,
        overage: Overage::Reject,
        late_settle: LateSettle::Refuse,
        late_settle_seconds: 3_600,
        refund_life_seconds: 30 * 86_400,
    };
}

impl Default for CreditPolicy {
    fn default() -> Self {
        Self::STRICTEST
    }
}
