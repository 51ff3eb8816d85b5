//! Any code, detail and headers: a body that reads back as a problem of RFC 9457, with the code's
//! own status (A1).
#![no_main]

use arbitrary::Arbitrary;
use bailiwick::{Code, Problem};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const HEADERS: [&str; 3] = ["Retry-After", "RateLimit", "WWW-Authenticate"];

#[derive(Arbitrary, Debug)]
struct Input {
    code: u8,
    detail: String,
    headers: Vec<(u8, String)>,
    violated: Vec<String>,
}

fuzz_target!(|input: Input| {
    let code = Code::ALL[usize::from(input.code) % Code::ALL.len()];
    let mut problem = Problem::new(code, input.detail.as_str());
    let mut headers = Vec::new();
    for (name, value) in input.headers {
        let name = HEADERS[usize::from(name) % HEADERS.len()];
        headers.push((name, value.clone()));
        problem = problem.with_header(name, value);
    }
    for policy in &input.violated {
        problem = problem.with_violated_policy(policy.as_str());
    }
    assert_eq!(problem.headers(), headers);

    let body = serde_json::to_string(&problem).expect("a problem can always be written");
    let Value::Object(mut members) = serde_json::from_str(&body).expect("what was written is JSON")
    else {
        panic!("a problem is an object: {body}");
    };
    // RFC 9457, section 3.1: the standard members and their types; `status` is that of the
    // response.
    let mut text = |member: &str| match members.remove(member) {
        Some(Value::String(text)) => text,
        other => panic!("{member} is {other:?}"),
    };
    assert_eq!(text("type"), code.problem_type());
    assert_eq!(text("title"), code.title());
    assert_eq!(text("detail"), input.detail);
    assert_eq!(text("code"), code.as_str());
    assert_eq!(text("remedy"), code.remedy());
    assert_eq!(members.remove("status"), Some(problem.status().into()));
    assert_eq!((problem.status(), problem.code()), (code.status(), code));
    let violated = members
        .remove("violated-policies")
        .unwrap_or_else(|| Value::Array(Vec::new()));
    assert_eq!(violated, Value::from(input.violated));
    // Headers stay out of the body, and so does anything else.
    assert!(members.is_empty(), "{members:?}");
});
