//! The sites that a proof opens.

use std::sync::Arc;

use crate::id::SiteId;

/// The sites that an access reaches: those of the account, narrowed to those that its principal is
/// bound to, if it is bound. An empty list means none.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    sites: Arc<[SiteId]>,
    bound: Option<Arc<[SiteId]>>,
}

impl Reach {
    pub(super) fn new(sites: Arc<[SiteId]>, bound: Option<Arc<[SiteId]>>) -> Self {
        Self { sites, bound }
    }

    /// Reaches the whole of an account that has these sites.
    #[cfg(feature = "sql")]
    pub(crate) fn whole(sites: Arc<[SiteId]>) -> Self {
        Self::new(sites, None)
    }

    pub(crate) fn contains(&self, site: &SiteId) -> bool {
        self.sites.contains(site) && self.bound.as_ref().is_none_or(|bound| bound.contains(site))
    }

    #[cfg(feature = "sql")]
    pub(crate) fn sites(&self) -> impl Iterator<Item = &SiteId> {
        self.sites
            .iter()
            .filter(|site| self.bound.as_ref().is_none_or(|bound| bound.contains(site)))
    }

    /// Returns the sites of the account that a bound principal reaches; `None` if it is not bound.
    pub(super) fn bound_sites(&self) -> Option<Arc<[SiteId]>> {
        self.bound.as_ref().map(|bound| {
            bound
                .iter()
                .filter(|site| self.sites.contains(site))
                .cloned()
                .collect()
        })
    }

    pub(crate) fn is_bound(&self) -> bool {
        self.bound.is_some()
    }
}
