//! What the gate's events tell, and what they do not.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use crate::model::gate;
use crate::model::gate_facts as facts;
use bailiwick::gate::CredentialFailure;
use bailiwick::id::{ApiKeyId, UserId};
use bailiwick::right::Privilege;
use bailiwick::{Evidence, Principal, Route, SiteId, Tenant, admit};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps each event: its level, its target, and its fields as text.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<(Level, String, String)>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, "{}={value} ", field.name()).unwrap();
    }
}

impl Subscriber for Events {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        let (level, target) = (
            *event.metadata().level(),
            event.metadata().target().to_owned(),
        );
        self.0
            .lock()
            .unwrap()
            .push((level, target, fields.0.trim_end().to_owned()));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn tenant(status: &'static str) -> Tenant {
    facts::tenant(&gate::Tenant {
        privileges: vec![],
        account: 7,
        status,
        plan: Some(gate::Plan {
            active: true,
            needs_subscription: false,
            free: false,
        }),
        next: None,
        subscription: None,
        sites: vec![5150],
    })
}

/// What is emitted about one request.
fn emitted(
    route: Route,
    evidence: &Evidence,
    tenant: Option<&Tenant>,
) -> Vec<(Level, String, String)> {
    let events = Events::default();
    let decision = admit(route, evidence, tenant, facts::instant(0));
    let account = tenant.map(|tenant| &tenant.account.id);
    tracing::subscriber::with_default(events.clone(), || {
        assert!(admit(route, evidence, tenant, facts::instant(0)).denial() == decision.denial());
        assert!(
            events.0.lock().unwrap().is_empty(),
            "deciding emits nothing"
        );
        decision.trace(route, account);
    });
    events.0.lock().unwrap().clone()
}

#[test]
fn a_decision_is_one_event_at_the_level_of_its_severity() {
    let member = || Principal::session(UserId::from(4711)).of_account(7.into());
    let key = Principal::api_key(ApiKeyId::from(4711)).of_account(7.into());
    let privilege = Privilege::ConfirmPayments;
    let verified = |principal| Evidence::Verified(principal);
    let (active, suspended, unknown) = (
        tenant("active"),
        tenant("suspended_abuse"),
        tenant("no such word"),
    );
    for (route, evidence, tenant, level, fields) in [
        (
            Route::TenantRead,
            verified(member()),
            Some(&active),
            Level::INFO,
            "code=admitted route=tenant_read account=7",
        ),
        (
            Route::TenantWrite,
            verified(key),
            Some(&active),
            Level::INFO,
            "code=admitted route=tenant_write account=7",
        ),
        (
            Route::Billing,
            verified(member()),
            Some(&active),
            Level::INFO,
            "code=admitted route=billing account=7",
        ),
        (
            Route::Public,
            Evidence::Nothing,
            None,
            Level::INFO,
            "code=admitted route=public",
        ),
        (
            Route::Public,
            Evidence::Failed(CredentialFailure::BadSignature),
            None,
            Level::WARN,
            "code=admitted route=public failure=its signature does not match",
        ),
        (
            Route::Authenticated,
            Evidence::Failed(CredentialFailure::Expired),
            None,
            Level::INFO,
            "code=credential_rejected route=authenticated failure=it has expired",
        ),
        (
            Route::Operator(privilege),
            verified(member()),
            Some(&active),
            Level::WARN,
            "code=privilege_missing route=operator account=7",
        ),
        (
            Route::TenantRead,
            verified(member().bound_to_sites([SiteId::from(5151)])),
            Some(&active),
            Level::WARN,
            "code=site_not_in_account route=tenant_read account=7",
        ),
        (
            Route::TenantRead,
            verified(member()),
            Some(&suspended),
            Level::INFO,
            "code=account_suspended route=tenant_read account=7",
        ),
        (
            Route::TenantRead,
            verified(member()),
            Some(&unknown),
            Level::ERROR,
            "code=account_status_unknown route=tenant_read account=7",
        ),
    ] {
        let expected = (level, "bailiwick::gate".to_owned(), fields.to_owned());
        assert_eq!(emitted(route, &evidence, tenant), [expected]);
    }
}
