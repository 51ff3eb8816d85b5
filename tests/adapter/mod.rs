//! One host and one list of checks for every web framework: the same requests have the same
//! answers.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bailiwick::account::{AccountStatus, SuspensionCause};
use bailiwick::gate::{CredentialFailure, GateDecision};
use bailiwick::http::{Gatekeeper, RequestHead};
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::policy::PolicySettings;
use bailiwick::quota::ThrottleScope;
use bailiwick::right::Privilege;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::throttle::{ThrottleCapacity, Throttled};
use bailiwick::{
    Access, Account, Credits, Evidence, Money, Plan, Policy, Principal, Problem, Quota, Route,
    Subscription, Tenant, Throttle, throttle_scope,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use ureq::http;

/// Requests that write.
pub const AI: ThrottleScope = throttle_scope!("ai");
/// Every request for a tenant's rows.
const API: ThrottleScope = throttle_scope!("api");
/// The largest body, in bytes, that either framework takes.
pub const LARGEST_BODY: usize = 1024;

/// Users and their accounts have the same number.
const GOOD: i64 = 7;
const OPERATOR: i64 = 1;
const PAST_DUE: i64 = 8;
const IN_GRACE: i64 = 9;
const WITHOUT_PLAN: i64 = 10;
const SUSPENDED: i64 = 11;
const WITHOUT_ACCOUNT: i64 = 12;
const SLOW: i64 = 13;

/// A service in memory whose clock stands still.
pub struct Host {
    pub throttle: Throttle,
    policy: Policy,
    observed: Mutex<Vec<String>>,
}

impl Host {
    fn new() -> Self {
        let settings: PolicySettings = serde_json::from_value(
            json!({ "past_due_grace": { "seconds": 86_400, "mode": "read_only" } }),
        )
        .unwrap();
        Self {
            throttle: Throttle::new(ThrottleCapacity {
                accounts: 1000,
                addresses: 1000,
            }),
            policy: Policy::load(settings).unwrap(),
            observed: Mutex::default(),
        }
    }
}

impl Gatekeeper for Host {
    type Error = Problem;

    async fn evidence(&self, head: &RequestHead<'_>) -> Result<Evidence, Problem> {
        let token = match head.bearer() {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(Evidence::Nothing),
            Err(failure) => return Ok(Evidence::Failed(failure)),
        };
        if token == "lost-database" {
            return Err(Problem::internal());
        }
        let user = token
            .strip_prefix("user-")
            .and_then(|user| user.parse::<i64>().ok());
        Ok(match user {
            _ if token == "expired" => Evidence::Failed(CredentialFailure::Expired),
            None => Evidence::Failed(CredentialFailure::Unknown),
            Some(WITHOUT_ACCOUNT) => Evidence::Verified(Principal::jwt(WITHOUT_ACCOUNT.into())),
            Some(user) => {
                let stored = (user == OPERATOR).then_some(Privilege::ConfirmPayments);
                let principal = Principal::jwt(user.into()).of_account(user.into());
                Evidence::Verified(principal.with_privileges(stored.into_iter().collect()))
            }
        })
    }

    async fn tenant(&self, principal: &Principal) -> Result<Option<Tenant>, Problem> {
        let Some(id) = principal.account_id() else {
            return Ok(None);
        };
        let is = |number: i64| *id == number.into();
        let quota = |cells| Quota::new(cells, 60).unwrap().into();
        let plan = Plan {
            id: 1.into(),
            active: true,
            price: Money::new("49".parse().unwrap(), Currency::EUR).unwrap(),
            interval: Interval::MONTHLY,
            credits: Credits::ZERO,
            credits_every: Interval::MONTHLY,
            trial_credits: None,
            needs_subscription: is(PAST_DUE) || is(IN_GRACE),
            quotas: BTreeMap::from([
                (AI, quota(2)),
                (API, quota(if is(SLOW) { 1 } else { 100_000 })),
            ]),
            concurrency: Default::default(),
        };
        let status = if is(SUSPENDED) {
            AccountStatus::Suspended(SuspensionCause::Abuse)
        } else {
            AccountStatus::Active
        };
        let account = Account {
            id: id.clone(),
            status,
            payment_method: PaymentMethod::BankTransfer,
            version: 1,
            privileges: [Privilege::ConfirmPayments].into_iter().collect(),
            registered_at: None,
        };
        let since = if is(IN_GRACE) {
            TimeDelta::zero()
        } else {
            TimeDelta::try_days(2).unwrap()
        };
        let mut subscription = Subscription::new(
            1.into(),
            id.clone(),
            1.into(),
            PaymentMethod::BankTransfer,
            self.now(),
        );
        subscription.status = SubscriptionStatus::PastDue;
        subscription.past_due_since = Some(self.now() - since);
        Ok(Some(Tenant {
            account,
            plan: (!is(WITHOUT_PLAN)).then(|| plan.into()),
            next_plan: None,
            subscription: Some(subscription),
            sites: [].into(),
        }))
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn observe(
        &self,
        head: &RequestHead<'_>,
        route: Route,
        evidence: &Evidence,
        decision: &GateDecision,
    ) {
        let user = match evidence {
            Evidence::Verified(principal) => principal.user().map(ToString::to_string),
            _ => decision
                .credential_failure()
                .map(|failure| failure.to_string()),
        };
        let (method, path) = (head.method(), head.path());
        self.observed.lock().unwrap().push(format!(
            "{method} {path}: {}: {}: {}",
            user.as_deref().unwrap_or("-"),
            route.label(),
            decision.label()
        ));
    }

    fn throttle(&self, access: &Access, now: DateTime<Utc>) -> Result<(), Throttled> {
        self.throttle.check(access, API, now).map(drop)
    }
}

/// What a principal is called by the routes that show one.
pub fn name(principal: Option<&Principal>) -> String {
    principal
        .and_then(Principal::user)
        .map_or("nobody".to_owned(), |user| format!("user {user}"))
}

/// The host behind a framework, on a port of its own.
pub struct Service {
    host: Arc<Host>,
    address: SocketAddr,
    agent: ureq::Agent,
}

#[derive(Debug)]
pub struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// A1: every refusal is a problem, and says in its body what its status line says.
    fn check_problem(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{:?}",
            self
        );
        let problem = self.json();
        prop_assert_eq!(&problem["status"], self.status);
        for member in ["type", "title", "detail", "code", "remedy"] {
            prop_assert!(
                problem[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{}: {}",
                member,
                problem
            );
        }
        prop_assert_eq!(
            self.status == 401,
            self.headers.contains_key("www-authenticate"),
            "{:?}",
            self
        );
        Ok(())
    }
}

impl Service {
    pub fn start(serve: fn(TcpListener, Arc<Host>)) -> Self {
        let host = Arc::new(Host::new());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = host.clone();
        std::thread::spawn(move || serve(listener, server));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .build()
            .into();
        Self {
            host,
            address,
            agent,
        }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self
            .agent
            .run(request.body(body.to_owned()).unwrap())
            .unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text,
        };
        if answer.status >= 400 {
            answer.check_problem().unwrap();
        }
        answer
    }

    fn get(&self, token: &str, path: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        self.send("GET", path, &[("authorization", &authorization)], "")
    }

    /// A request that writes, with all that it needs.
    fn post(&self, user: i64, path: &str) -> Answer {
        let authorization = format!("Bearer user-{user}");
        let headers = [
            ("authorization", &*authorization),
            ("content-type", "application/json"),
            ("idempotency-key", "one"),
        ];
        self.send("POST", path, &headers, r#"{"title":"On bailiffs"}"#)
    }

    /// Sends bytes as they are. Nothing is checked or corrected on the way.
    fn send_raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, Vec<u8>)],
        body: &[u8],
    ) -> Answer {
        let length = body.len();
        let mut bytes =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n")
                .into_bytes();
        for (name, value) in headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, text) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{answer:?} to {path:?}"));
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let mut headers = http::HeaderMap::new();
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            headers.append(
                http::HeaderName::try_from(name).unwrap(),
                value.parse().unwrap(),
            );
        }
        Answer {
            status,
            headers,
            text: text.to_owned(),
        }
    }

    fn take_observed(&self) -> Vec<String> {
        std::mem::take(&mut *self.host.observed.lock().unwrap())
    }
}

/// Makes a test of each check, against the service of one framework.
macro_rules! checks {
    ($serve:path) => {
        crate::adapter::checks! { $serve:
            a1_a_credential_that_is_missing_or_failed_is_401,
            a1_what_is_forbidden_is_403_and_what_is_owed_is_402,
            a1_what_the_framework_refuses_is_a_problem_too,
            a1_a_quoted_key_is_the_same_key,
            a1_a_fault_of_the_host_says_nothing,
            a2_every_argument_declares_its_route,
            a2_a_guard_on_a_router_is_the_same_gate,
            a3_odd_input_is_refused_and_nothing_but_a_credential_opens,
            a_failed_credential_on_a_public_route_is_reported,
            a_tenant_who_owes_can_pay_and_in_grace_can_read,
            a_spent_quota_is_429_and_every_answer_tells_of_it,
            every_decision_is_observed_with_its_whole_path,
            the_hosts_own_throttle_stands_before_every_route_of_a_tenant,
        }
    };
    ($serve:path: $($check:ident,)*) => {$(
        #[test]
        fn $check() {
            crate::adapter::$check(&crate::adapter::Service::start($serve));
        }
    )*};
}
pub(crate) use checks;

pub fn a1_a_credential_that_is_missing_or_failed_is_401(service: &Service) {
    for (method, path) in [
        ("GET", "/me"),
        ("GET", "/articles"),
        ("POST", "/articles"),
        ("GET", "/billing"),
    ] {
        let missing = service.send(method, path, &[], "");
        assert_eq!(
            (missing.status, &*missing.code()),
            (401, "credential_missing"),
            "{path}"
        );
        assert_eq!(missing.header("www-authenticate"), "Bearer");
        for header in [
            "Bearer expired",
            "Bearer nobody's",
            "Bearer",
            "Bearer ",
            "Basic dXNlcg==",
            "user-7",
        ] {
            let rejected = service.send(method, path, &[("authorization", header)], "");
            assert_eq!(
                (rejected.status, &*rejected.code()),
                (401, "credential_rejected"),
                "{path} {header}"
            );
            assert_eq!(
                rejected.header("www-authenticate"),
                r#"Bearer error="invalid_token""#
            );
        }
        // Two credentials are none, even if both are good.
        let good = ("authorization", "Bearer user-7");
        assert_eq!(
            service.send(method, path, &[good, good], "").code(),
            "credential_rejected"
        );
    }
    assert_eq!(
        service
            .send("GET", "/me", &[("Authorization", "bEARER  user-7 ")], "")
            .text,
        "user 7"
    );
}

pub fn a1_what_is_forbidden_is_403_and_what_is_owed_is_402(service: &Service) {
    for (user, status, code) in [
        (WITHOUT_ACCOUNT, 403, "account_missing"),
        (SUSPENDED, 403, "account_suspended"),
        (WITHOUT_PLAN, 402, "plan_missing"),
        (PAST_DUE, 402, "payment_past_due"),
    ] {
        for answer in [
            service.get(&format!("user-{user}"), "/articles"),
            service.post(user, "/articles"),
        ] {
            assert_eq!((answer.status, &*answer.code()), (status, code));
        }
        assert_eq!(
            service.get(&format!("user-{user}"), "/me").text,
            format!("user {user}")
        );
    }
    for (user, path) in [
        (GOOD, "/confirm"),
        (GOOD, "/grant"),
        (OPERATOR, "/grant"),
        (OPERATOR, "/cross"),
    ] {
        let answer = service.post(user, path);
        assert_eq!((answer.status, &*answer.code()), (403, "privilege_missing"));
    }
}

pub fn a1_what_the_framework_refuses_is_a_problem_too(service: &Service) {
    let good = ("authorization", "Bearer user-7");
    let (json, key) = (
        ("content-type", "application/json"),
        ("idempotency-key", "one"),
    );
    let body = r#"{"title":"On bailiffs"}"#;
    let large = format!("{{\"title\":\"{}\"}}", "x".repeat(LARGEST_BODY));
    for (headers, body, status, code) in [
        (&[good, json][..], body, 400, "idempotency_key_invalid"),
        (
            &[good, json, key, key],
            body,
            400,
            "idempotency_key_invalid",
        ),
        (
            &[good, json, ("idempotency-key", "not one key")],
            body,
            400,
            "idempotency_key_invalid",
        ),
        (&[good, key], body, 415, "media_type_unsupported"),
        (&[good, json, key], "{", 400, "input_invalid"),
        (&[good, json, key], "{}", 400, "input_invalid"),
        (&[good, json, key], &large, 413, "payload_too_large"),
    ] {
        let answer = service.send("POST", "/articles", headers, body);
        assert_eq!(
            (answer.status, &*answer.code()),
            (status, code),
            "{headers:?} {body}"
        );
    }
    for (path, status, code) in [
        ("/articles/seven", 400, "id_invalid"),
        ("/articles/%FF", 400, "id_invalid"),
        ("/articles/7?page=last", 400, "input_invalid"),
        ("/nowhere", 404, "not_found"),
    ] {
        let answer = service.get("user-7", path);
        assert_eq!((answer.status, &*answer.code()), (status, code), "{path}");
    }
    let answer = service.send("DELETE", "/me", &[good], "");
    assert_eq!(
        (answer.status, &*answer.code()),
        (405, "method_not_allowed")
    );
}

/// The draft quotes the key, and many clients do not: one key either way.
pub fn a1_a_quoted_key_is_the_same_key(service: &Service) {
    let send = |key: &str| {
        let headers = [
            ("authorization", "Bearer user-7"),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        service.send("POST", "/articles", &headers, r#"{"title":"On bailiffs"}"#)
    };
    let plain = send("qq");
    assert_eq!(plain.status, 200);
    assert_eq!(send(r#""qq""#).text, plain.text);

    for odd in [
        r#""qq"#, r#"qq""#, r#"q"q"#, r#""q"q""#, r#""q\q""#, r#""qq\""#, r#"""#, r#""""#,
    ] {
        let answer = send(odd);
        assert_eq!(
            (answer.status, &*answer.code()),
            (400, "idempotency_key_invalid"),
            "{odd}"
        );
    }
}

pub fn a1_a_fault_of_the_host_says_nothing(service: &Service) {
    for path in ["/public", "/me", "/articles"] {
        let answer = service.get("lost-database", path);
        assert_eq!((answer.status, &*answer.code()), (500, "internal"));
        assert!(!answer.text.contains("database"));
    }
    assert!(service.take_observed().is_empty());
}

pub fn a2_every_argument_declares_its_route(service: &Service) {
    for (user, path, text) in [
        (GOOD, "/public", "user 7"),
        (GOOD, "/me", "user 7"),
        (GOOD, "/articles", "read 7"),
        (GOOD, "/articles/3?page=2", "article 3 of 7, page 2"),
        (GOOD, "/nested/articles", "read 7"),
        (GOOD, "/billing", "billing 7"),
    ] {
        let answer = service.get(&format!("user-{user}"), path);
        assert_eq!((answer.status, &*answer.text), (200, text));
    }
    let answer = service.post(GOOD, "/articles");
    assert_eq!(
        (answer.status, answer.json()),
        (
            200,
            json!({ "title": "On bailiffs", "key": "one", "account": "7" })
        )
    );
    let answer = service.post(OPERATOR, "/confirm");
    assert_eq!((answer.status, &*answer.text), (200, "confirm_payments 1"));
}

pub fn a2_a_guard_on_a_router_is_the_same_gate(service: &Service) {
    for (token, status) in [
        ("user-7", 200),
        ("user-9", 402),
        ("expired", 401),
        ("user-12", 403),
    ] {
        assert_eq!(service.get(token, "/guarded").status, status, "{token}");
    }
    assert_eq!(service.send("GET", "/guarded", &[], "").status, 401);
}

pub fn a_failed_credential_on_a_public_route_is_reported(service: &Service) {
    assert_eq!(service.send("GET", "/public", &[], "").text, "nobody");
    let answer = service.get("expired", "/public");
    assert_eq!((answer.status, &*answer.text), (200, "nobody"));
    assert_eq!(
        service.take_observed(),
        [
            "GET /public: -: public: admitted",
            "GET /public: it has expired: public: admitted"
        ]
    );
}

pub fn a_tenant_who_owes_can_pay_and_in_grace_can_read(service: &Service) {
    for user in [PAST_DUE, IN_GRACE, WITHOUT_PLAN] {
        let answer = service.get(&format!("user-{user}"), "/billing");
        assert_eq!(
            (answer.status, answer.text),
            (200, format!("billing {user}"))
        );
    }
    assert_eq!(
        service.get(&format!("user-{IN_GRACE}"), "/articles").status,
        200
    );
    let answer = service.post(IN_GRACE, "/articles");
    assert_eq!((answer.status, &*answer.code()), (402, "payment_past_due"));
}

pub fn a_spent_quota_is_429_and_every_answer_tells_of_it(service: &Service) {
    for remaining in [1, 0] {
        let answer = service.post(GOOD, "/articles");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), r#""ai";q=2;w=60"#);
        assert!(
            answer
                .header("ratelimit")
                .starts_with(&format!("\"ai\";r={remaining};t=")),
            "{answer:?}"
        );
        assert_eq!(answer.header("retry-after"), "");
    }
    let answer = service.post(GOOD, "/articles");
    assert_eq!((answer.status, &*answer.code()), (429, "quota_exceeded"));
    assert_eq!(answer.header("ratelimit"), r#""ai";r=0;t=30"#);
    assert_eq!(answer.header("retry-after"), "30");
    assert_eq!(answer.json()["violated-policies"], json!(["ai"]));
    assert_eq!(service.get("user-7", "/articles").status, 200);
}

pub fn every_decision_is_observed_with_its_whole_path(service: &Service) {
    service.get("user-7", "/nested/articles?page=1");
    service.get("user-8", "/articles");
    service.send("POST", "/confirm", &[], "");
    assert_eq!(
        service.take_observed(),
        [
            "GET /nested/articles: 7: tenant_read: admitted",
            "GET /articles: 8: tenant_read: payment_past_due",
            "POST /confirm: -: operator: credential_missing"
        ]
    );
}

pub fn the_hosts_own_throttle_stands_before_every_route_of_a_tenant(service: &Service) {
    let token = format!("user-{SLOW}");
    assert_eq!(service.get(&token, "/articles").status, 200);
    for answer in [
        service.get(&token, "/articles"),
        service.get(&token, "/guarded"),
        service.post(SLOW, "/articles"),
    ] {
        assert_eq!(
            (answer.status, answer.header("ratelimit")),
            (429, r#""api";r=0;t=60"#)
        );
    }
    assert_eq!(service.get(&token, "/billing").status, 200);
}

/// A value that HTTP allows in a header: no control characters, no space at either end.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        select(vec![
            "Bearer user-7",
            "bearer  user-7",
            "Bearer user-9",
            "Bearer expired",
            "Bearer user-7,user-7"
        ])
        .prop_map(|value| value.as_bytes().to_vec()),
        "[Bb]earer[ \t]{0,2}[ -~]{0,20}".prop_map(|value| value.trim().as_bytes().to_vec()),
        prop::collection::vec(prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=0xff_u8], 0..40)
            .prop_map(|value| value.trim_ascii().to_vec()),
    ]
}

/// Whether a host that reads the standard strictly finds the credential of a user with this
/// account.
fn is_good(values: &[Vec<u8>]) -> bool {
    let [value] = values else { return false };
    let Ok(text) = std::str::from_utf8(value) else {
        return false;
    };
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let scheme = words.next().map(str::to_ascii_lowercase);
    let user = words
        .next()
        .and_then(|word| word.strip_prefix("user-"))
        .is_some_and(|user| user.parse::<i64>().is_ok());
    scheme.as_deref() == Some("bearer") && user && words.next().is_none()
}

pub fn a3_odd_input_is_refused_and_nothing_but_a_credential_opens(service: &Service) {
    let path = prop_oneof![
        select(vec![
            "/public",
            "/me",
            "/articles",
            "/billing",
            "/confirm",
            "/cross",
            "/grant",
            "/guarded",
            "/nested/articles"
        ])
        .prop_map(str::to_owned),
        "/articles/([0-9]{1,30}|[a-z0-9%._~+:@-]{1,20})(\\?page=[a-z0-9%&=+-]{0,12})?",
        "/[a-z0-9%/._~?&=+:@$,;-]{0,40}",
    ];
    let method = select(vec![
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE",
    ]);
    let body = prop_oneof![
        Just(br#"{"title":"On bailiffs"}"#.to_vec()),
        r#"[\[\]{}",:a-z0-9]{0,40}"#.prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..64),
    ];
    let kind = prop_oneof![Just(b"application/json".to_vec()), header_value()];
    let authorization = prop::collection::vec(header_value(), 0..3);
    let request = (
        method,
        path,
        authorization,
        prop::collection::vec(header_value(), 0..2),
        kind,
        body,
    );
    let check = |(method, path, authorization, keys, kind, body): (
        &str,
        String,
        Vec<_>,
        Vec<_>,
        Vec<u8>,
        Vec<u8>,
    )| {
        let mut headers = vec![("content-type", kind)];
        headers.extend(
            authorization
                .iter()
                .cloned()
                .map(|value| ("authorization", value)),
        );
        headers.extend(keys.into_iter().map(|value| ("idempotency-key", value)));
        let answer = service.send_raw(method, &path, &headers, &body);
        let is_open = path.split('?').next() == Some("/public");
        match answer.status {
            200 => prop_assert!(
                is_open || is_good(&authorization),
                "{:?} opened {}",
                authorization,
                path
            ),
            400..500 => answer.check_problem()?,
            status => prop_assert!(false, "{} {}: {}", method, path, status),
        }
        Ok(())
    };
    let mut runner = TestRunner::new(Config {
        cases: 512,
        failure_persistence: None,
        ..Config::default()
    });
    runner.run(&request, check).unwrap();
}
