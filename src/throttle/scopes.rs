//! Throttle scopes by number, so that a key in process does not carry the name.

use std::sync::OnceLock;

use crate::quota::ThrottleScope;

/// Scopes in one link of the chain. A host declares only a few.
const LINK: usize = 16;

/// The number of a scope, in the order in which a throttle met them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ScopeNumber(u16);

impl ScopeNumber {
    pub(super) fn get(self) -> u16 {
        self.0
    }
}

/// The scopes that a throttle has met. They are added and never removed: they are declared, not
/// chosen by clients.
#[derive(Default)]
pub(super) struct Scopes {
    scopes: [OnceLock<ThrottleScope>; LINK],
    next: OnceLock<Box<Scopes>>,
}

impl Scopes {
    /// Returns the scope's number, which never changes. `None` beyond 65,536 scopes.
    #[inline]
    pub(super) fn number(&self, scope: ThrottleScope) -> Option<ScopeNumber> {
        let mut link = self;
        let mut number = 0_u16;

        loop {
            for known in &link.scopes {
                // Two threads may bring two scopes at once; the one that comes second searches on.
                if *known.get_or_init(|| scope) == scope {
                    return Some(ScopeNumber(number));
                }
                number = number.checked_add(1)?;
            }
            link = link.next.get_or_init(Box::default);
        }
    }
}
