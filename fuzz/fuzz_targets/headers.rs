//! What goes out in headers is what RFC 9651 and the draft say, read back by another's parser (T9);
//! what comes in by `Forwarded` and `X-Forwarded-For`, of any bytes, is answered, and nothing to
//! the left of the trusted proxies counts.
#![no_main]

use std::net::IpAddr;

use arbitrary::Arbitrary;
use bailiwick::quota::{QuotaSet, ThrottleScope};
use bailiwick::throttle::{HeaderDialect, ThrottleCapacity, Throttled, TrustedHops};
use bailiwick::{Problem, Quota, Throttle};
use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use sfv::{List, ListEntry, Parser};

const START: i64 = 1_767_225_600_000_000_000;

#[derive(Arbitrary, Debug)]
struct Input {
    scope: String,
    quotas: Vec<(u32, u32, u32)>,
    pauses: Vec<u32>,
    lines: Vec<Vec<u8>>,
    entries: Vec<IpAddr>,
    joined: bool,
}

fuzz_target!(|input: Input| {
    outgoing(&input);
    incoming(&input);
});

fn outgoing(input: &Input) {
    let quotas = input.quotas.iter().take(QuotaSet::MAX);
    let quotas = quotas.filter_map(|(cells, seconds, burst)| {
        Quota::new(*cells, *seconds).ok()?.with_burst(*burst).ok()
    });
    let Ok(quotas) = QuotaSet::try_from(quotas.collect::<Vec<Quota>>()) else {
        return;
    };
    let Ok(scope) = ThrottleScope::new(&input.scope) else {
        return;
    };
    let throttle = |dialect| {
        Throttle::new(ThrottleCapacity {
            accounts: 0,
            addresses: 600,
        })
        .with_dialect(dialect)
    };
    let (draft, legacy) = (
        throttle(HeaderDialect::Draft10),
        throttle(HeaderDialect::Legacy),
    );
    let (from, mut now) = (IpAddr::from([192, 0, 2, 1]), START);
    for pause in input.pauses.iter().take(40) {
        now += i64::from(*pause);
        let at = DateTime::from_timestamp_nanos(now);
        let answer = draft.check_address(from, scope, &quotas, at);
        let other = legacy.check_address(from, scope, &quotas, at);
        assert_eq!(answer.is_ok(), other.is_ok());
        let headers = match answer {
            Ok(passage) => passage.headers(),
            Err(Throttled::QuotaExceeded(exceeded)) => {
                let headers = exceeded.headers();
                assert_eq!(
                    Problem::from(Throttled::QuotaExceeded(exceeded)).headers(),
                    headers
                );
                headers
            }
            Err(other) => panic!("{other}"),
        };
        for (name, value) in headers {
            match name {
                "Retry-After" => assert!(
                    value.parse::<u64>().is_ok_and(|seconds| seconds > 0),
                    "{value}"
                ),
                _ => read(
                    &value,
                    &quotas,
                    if name == "RateLimit" {
                        &["r", "t"]
                    } else {
                        &["q", "w"]
                    },
                ),
            }
        }
        let headers = other.map_or_else(
            |refusal| Problem::from(refusal).headers().to_vec(),
            |passage| passage.headers(),
        );
        assert!(
            headers
                .iter()
                .all(|(_, value)| value.parse::<u64>().is_ok()),
            "{headers:?}"
        );
    }
}

/// A member for each quota: a string with these parameters, the first of which is always there.
fn read(value: &str, quotas: &QuotaSet, parameters: &[&str]) {
    let list: List = Parser::new(value).parse().expect("a list of RFC 9651");
    assert_eq!(list.len(), quotas.as_slice().len());
    for member in list {
        let ListEntry::Item(item) = member else {
            panic!("an inner list: {value}")
        };
        assert!(item.bare_item.as_string().is_some());
        assert_eq!(
            item.params.first().map(|(key, _)| key.as_str()),
            parameters.first().copied()
        );
        for (key, value) in &item.params {
            assert!(parameters.contains(&key.as_str()));
            assert!(
                value
                    .as_integer()
                    .is_some_and(|number| i64::from(number) >= 0)
            );
        }
    }
}

fn incoming(input: &Input) {
    let peer = IpAddr::from([10, 0, 0, 1]);
    let hops = TrustedHops::new(u8::try_from(input.entries.len().min(8)).expect("at most eight"));
    let values = || input.lines.iter().map(Vec::as_slice);
    let _ = (
        hops.x_forwarded_for(peer, values()),
        hops.forwarded(peer, values()),
    );

    let entries = &input.entries[..input.entries.len().min(8)];
    let [plain, quoted] = [
        entries
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<String>>(),
        entries
            .iter()
            .map(|at| {
                if at.is_ipv6() {
                    format!("for=\"[{at}]\"")
                } else {
                    format!("for={at}")
                }
            })
            .collect(),
    ]
    .map(|entries| {
        let mut lines = input.lines.clone();
        for entry in entries {
            match lines.last_mut() {
                Some(last) if input.joined => last.extend(format!(", {entry}").bytes()),
                _ => lines.push(entry.into_bytes()),
            }
        }
        lines
    });
    let seen = entries.first().copied().unwrap_or(peer);
    assert_eq!(
        hops.x_forwarded_for(peer, plain.iter().map(Vec::as_slice)),
        Ok(seen)
    );
    assert_eq!(
        hops.forwarded(peer, quoted.iter().map(Vec::as_slice)),
        Ok(seen)
    );
}
