//! The throttle's keys, T1 and T2, and whose address a request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bailiwick::id::{ApiKeyId, UserId};
use bailiwick::quota::ThrottleScope;
use bailiwick::throttle::{ForwardedError, ThrottleKey, ThrottleSubject, TrustedHops};
use bailiwick::{AccountId, SiteId, throttle_scope};
use proptest::prelude::*;
use proptest::sample::select;

const AI: ThrottleScope = throttle_scope!("ai");

/// Whose key it is, as a person would write it down: what is there, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Account(AccountId),
    User(AccountId, UserId),
    ApiKey(AccountId, ApiKeyId),
    Site(AccountId, SiteId),
    UserAtSite(AccountId, UserId, SiteId),
    ApiKeyAtSite(AccountId, ApiKeyId, SiteId),
    Address(IpAddr),
    AccountFrom(AccountId, IpAddr),
    UserFrom(AccountId, UserId, IpAddr),
    ApiKeyFrom(AccountId, ApiKeyId, IpAddr),
}

impl Owner {
    fn key(&self, scope: ThrottleScope) -> ThrottleKey {
        let subject = match self {
            Self::Account(account) => ThrottleSubject::Account(account),
            Self::User(account, user) => ThrottleSubject::User(account, user),
            Self::ApiKey(account, key) => ThrottleSubject::ApiKey(account, key),
            Self::Site(account, site) => ThrottleSubject::Site(account, site),
            Self::UserAtSite(account, user, site) => {
                ThrottleSubject::UserAtSite(account, user, site)
            }
            Self::ApiKeyAtSite(account, key, site) => {
                ThrottleSubject::ApiKeyAtSite(account, key, site)
            }
            Self::Address(address) => ThrottleSubject::Address(*address),
            Self::AccountFrom(account, address) => ThrottleSubject::AccountFrom(account, *address),
            Self::UserFrom(account, user, address) => {
                ThrottleSubject::UserFrom(account, user, *address)
            }
            Self::ApiKeyFrom(account, key, address) => {
                ThrottleSubject::ApiKeyFrom(account, key, *address)
            }
        };
        ThrottleKey::derive(scope, subject)
    }

    /// Of another kind with the same texts in it.
    fn of_another_kind(self) -> Self {
        let text = |id: &dyn ToString| id.to_string();
        match self {
            Self::Account(account) => Self::User(account.clone(), text(&account).parse().unwrap()),
            Self::User(account, user) => Self::ApiKey(account, text(&user).parse().unwrap()),
            Self::ApiKey(account, key) => Self::Site(account, text(&key).parse().unwrap()),
            Self::Site(account, site) => Self::User(account, text(&site).parse().unwrap()),
            Self::UserAtSite(account, user, site) => {
                Self::ApiKeyAtSite(account, text(&user).parse().unwrap(), site)
            }
            Self::ApiKeyAtSite(account, key, _) => Self::ApiKey(account, key),
            Self::Address(address) => Self::Account(text(&address).parse().unwrap()),
            Self::AccountFrom(_, address) => Self::Address(address),
            Self::UserFrom(account, user, address) => {
                Self::ApiKeyFrom(account, text(&user).parse().unwrap(), address)
            }
            Self::ApiKeyFrom(account, _, address) => Self::AccountFrom(account, address),
        }
    }

    /// With the address as it is told apart from others.
    fn canonical(self) -> Self {
        match self {
            Self::Address(address) => Self::Address(canonical(address)),
            Self::AccountFrom(account, address) => Self::AccountFrom(account, canonical(address)),
            Self::UserFrom(account, user, address) => {
                Self::UserFrom(account, user, canonical(address))
            }
            Self::ApiKeyFrom(account, key, address) => {
                Self::ApiKeyFrom(account, key, canonical(address))
            }
            other => other,
        }
    }
}

/// Which addresses are one, said another way than in the crate: by their octets.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    match v6.octets() {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, a, b, c, d] => Ipv4Addr::new(a, b, c, d).into(),
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => {
            Ipv4Addr::new(a, b, c, d).into()
        }
        [a, b, c, d, e, f, g, h, ..] => {
            Ipv6Addr::from([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0]).into()
        }
    }
}

fn any_scope() -> impl Strategy<Value = ThrottleScope> {
    let name = prop_oneof![
        Just("ai".to_owned()),
        Just("user".to_owned()),
        Just("address".to_owned()),
        "[a-z0-9_-]{1,32}"
    ];
    name.prop_map(|name| ThrottleScope::new(&name).unwrap())
}

fn any_text() -> impl Strategy<Value = String> {
    const TRICKY: [&str; 13] = [
        "7",
        "a",
        ":",
        "ai",
        "7:ai",
        "ai:user:5",
        "user:5",
        "5",
        "address",
        "192.0.2.1",
        "::",
        "/64",
        "throttle:",
    ];
    prop_oneof![
        proptest::sample::select(&TRICKY[..]).prop_map(str::to_owned),
        "[!-z|~]{1,64}"
    ]
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).to_ipv6_mapped().into()),
        any::<u32>()
            .prop_map(|bits| Ipv6Addr::from_bits(0x64_ff9b << 96 | u128::from(bits)).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
        (0_u128..3, 0_u128..3).prop_map(|(high, low)| Ipv6Addr::from_bits(high << 64 | low).into()),
        Just(Ipv4Addr::new(192, 0, 2, 1).into()),
    ]
}

fn any_owner() -> impl Strategy<Value = Owner> {
    let ids = || (any_text(), any_text(), any_text());
    prop_oneof![
        ids().prop_map(|(a, ..)| Owner::Account(a.parse().unwrap())),
        ids().prop_map(|(a, b, _)| Owner::User(a.parse().unwrap(), b.parse().unwrap())),
        ids().prop_map(|(a, b, _)| Owner::ApiKey(a.parse().unwrap(), b.parse().unwrap())),
        ids().prop_map(|(a, b, _)| Owner::Site(a.parse().unwrap(), b.parse().unwrap())),
        ids().prop_map(|(a, b, c)| Owner::UserAtSite(
            a.parse().unwrap(),
            b.parse().unwrap(),
            c.parse().unwrap()
        )),
        ids().prop_map(|(a, b, c)| Owner::ApiKeyAtSite(
            a.parse().unwrap(),
            b.parse().unwrap(),
            c.parse().unwrap()
        )),
        any_address().prop_map(Owner::Address),
        (ids(), any_address()).prop_map(|((a, ..), at)| Owner::AccountFrom(a.parse().unwrap(), at)),
        (ids(), any_address()).prop_map(|((a, b, _), at)| Owner::UserFrom(
            a.parse().unwrap(),
            b.parse().unwrap(),
            at
        )),
        (ids(), any_address()).prop_map(|((a, b, _), at)| Owner::ApiKeyFrom(
            a.parse().unwrap(),
            b.parse().unwrap(),
            at
        )),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t1_keys_are_injective(
        (a, b) in (any_scope(), any_owner(), any_scope(), any_owner(), any::<[bool; 2]>()).prop_map(
            // Half of the pairs differ in the scope alone, or in the kind of the subject alone.
            |(scope, owner, other_scope, other, [same_scope, same_owner])| {
                let other_scope = if same_scope { scope } else { other_scope };
                let other = if same_owner { owner.clone().of_another_kind() } else { other };
                ((scope, owner), (other_scope, other))
            },
        ),
    ) {
        let (one, other) = (a.1.key(a.0), b.1.key(b.0));
        let same = (a.0, a.1.canonical()) == (b.0, b.1.canonical());
        prop_assert_eq!(one == other, same);
        prop_assert_eq!(one.to_string() == other.to_string(), same);
    }

    #[test]
    fn t1_the_text_of_a_key_has_an_inverse(scope in any_scope(), owner in any_owner()) {
        let key = owner.key(scope);
        prop_assert_eq!(key.to_string().parse::<ThrottleKey>(), Ok(key.clone()));
        prop_assert_eq!(key.scope(), scope);
    }

    #[test]
    fn t1_a_text_that_parses_is_the_text_of_its_key(
        text in prop_oneof![
            "throttle:\\{[0-9:a]{0,3}\\}:(ai|user)?(:(user|site|api_key|x):\\{?[0-9:]{0,3}\\}?){0,3}(:address:[0-9:./]{0,9})?",
            "throttle:address:ai:[0-9a-f:./]{0,12}",
            "[ -~]{0,40}",
        ],
    ) {
        if let Ok(key) = text.parse::<ThrottleKey>() {
            prop_assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn t2_keys_are_bounded_printable_and_tagged(scope in any_scope(), owner in any_owner()) {
        let key = owner.key(scope);
        let text = key.to_string();
        prop_assert!(text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic()));
        // As Redis Cluster does it: what is between the first brace and the next closing one, if
        // anything is.
        let tag = text.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag.to_owned());
        prop_assert_eq!(tag, key.account().map(ToString::to_string));
        prop_assert_eq!(key.account().is_none(), matches!(owner, Owner::Address(_)));
    }

    #[test]
    fn t2_addresses_are_cut_to_the_block_of_one_customer(high in any::<u64>(), one: u64, other: u64, v4: u32) {
        let v6 = |low: u64| Owner::Address(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into());
        prop_assume!(high != 0);
        prop_assert_eq!(v6(one).key(AI), v6(other).key(AI));
        let next = Owner::Address(Ipv6Addr::from_bits(u128::from(high ^ 1) << 64 | u128::from(one)).into());
        prop_assert_ne!(v6(one).key(AI), next.key(AI));
        let v4 = Ipv4Addr::from_bits(v4);
        prop_assert_eq!(Owner::Address(v4.into()).key(AI), Owner::Address(v4.to_ipv6_mapped().into()).key(AI));
        prop_assert_ne!(Owner::Address(v4.into()).key(AI), Owner::Account(v4.to_string().parse().unwrap()).key(AI));
    }
}

#[test]
fn t2_the_longest_key_fits() {
    let longest = "~".repeat(64);
    let owner = Owner::ApiKeyAtSite(
        longest.parse().unwrap(),
        longest.parse().unwrap(),
        longest.parse().unwrap(),
    );
    let text = owner
        .key(ThrottleScope::new(&"s".repeat(32)).unwrap())
        .to_string();
    assert_eq!(
        text.len(),
        9 + 66 + 1 + 32 + ":api_key:".len() + 66 + ":site:".len() + 66
    );
    assert!(text.len() <= 256);
}

// Whose address it is.

fn peer() -> IpAddr {
    "10.0.0.1".parse().unwrap()
}

/// An address as proxies write it, with a port and without.
fn any_node() -> impl Strategy<Value = (IpAddr, String)> {
    (any_address(), any::<Option<u16>>(), any::<bool>()).prop_map(|(address, port, bare)| {
        let text = match (address, port) {
            (IpAddr::V4(v4), Some(port)) => format!("{v4}:{port}"),
            (IpAddr::V4(v4), None) => v4.to_string(),
            (IpAddr::V6(v6), Some(port)) => format!("[{v6}]:{port}"),
            (IpAddr::V6(v6), None) if bare => v6.to_string(),
            (IpAddr::V6(v6), None) => format!("[{v6}]"),
        };
        (address, text)
    })
}

/// What a client may have written before the first proxy appended: anything.
fn any_forgery() -> impl Strategy<Value = Vec<String>> {
    const TRICKY: [&str; 9] = [
        "6.6.6.6",
        "for=6.6.6.6",
        "\"",
        "for=\"",
        "for=\"6.6.6.6, for=6.6.6.6",
        "unknown",
        "\\\"",
        ";",
        ",,,",
    ];
    let line = prop_oneof![select(&TRICKY[..]).prop_map(str::to_owned), "[ -~]{0,20}"];
    prop::collection::vec(line, 0..4)
}

/// The header's lines when the proxies appended to what the client had sent, each to the last line
/// or on one of its own.
fn appended(mut lines: Vec<String>, entries: &[String], joined: bool) -> Vec<String> {
    for entry in entries {
        match lines.last_mut() {
            Some(last) if joined => *last = format!("{last}, {entry}"),
            _ => lines.push(entry.clone()),
        }
    }
    lines
}

fn bytes(lines: &[String]) -> Vec<&[u8]> {
    lines.iter().map(|line| line.as_bytes()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the client wrote, the address is the one that the outermost trusted proxy saw.
    #[test]
    fn t2_what_the_client_wrote_changes_no_address(
        forged in any_forgery(), nodes in prop::collection::vec(any_node(), 1..4), joined: bool,
    ) {
        let hops = TrustedHops::new(u8::try_from(nodes.len()).unwrap());
        let seen = nodes[0].0;
        let entries: Vec<String> = nodes.iter().map(|(_, text)| text.clone()).collect();
        let lines = appended(forged.clone(), &entries, joined);
        prop_assert_eq!(hops.x_forwarded_for(peer(), bytes(&lines)), Ok(seen), "{:?}", lines);

        let quoted = nodes.iter().map(|(address, text)| {
            let text = if address.is_ipv6() && !text.starts_with('[') { format!("[{text}]") } else { text.clone() };
            if text.contains(':') { format!("proto=https;For=\"{text}\"") } else { format!("for={text}; by=_me") }
        });
        let lines = appended(forged, &quoted.collect::<Vec<String>>(), joined);
        prop_assert_eq!(hops.forwarded(peer(), bytes(&lines)), Ok(seen), "{:?}", lines);
    }

    /// A proxy that quotes the client's `Host` lets it write commas and parameters, and still no
    /// address.
    #[test]
    fn t2_a_quoted_host_makes_up_no_entry(
        host in prop_oneof![
            select(vec!["x,for=6.6.6.6;a=", "x,for=6.6.6.6,y", "x;for=6.6.6.6", ",for=6.6.6.6", "a\\\",for=6.6.6.6;b=\\\""]).prop_map(str::to_owned),
            "[,;=a-f0-9.]{0,24}",
        ],
        hops in 1_u8..4,
        first: bool,
    ) {
        let own = "for=192.0.2.1";
        let element = if first { format!("host=\"{host}\";{own}") } else { format!("{own};host=\"{host}\"") };
        let lines = vec![element; usize::from(hops)];
        let client = TrustedHops::new(hops).forwarded(peer(), bytes(&lines));
        prop_assert!(
            matches!(client, Ok(address) if address == IpAddr::from([192, 0, 2, 1])) || client == Err(ForwardedError::Malformed),
            "{:?}", client
        );
    }

    /// Any bytes: an answer, and without trust in anybody the peer.
    #[test]
    fn t2_any_header_is_answered(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4), hops in 0_u8..6) {
        let values = || lines.iter().map(Vec::as_slice);
        let answers = [TrustedHops::new(hops).x_forwarded_for(peer(), values()), TrustedHops::new(hops).forwarded(peer(), values())];
        if hops == 0 {
            prop_assert_eq!(answers, [Ok(peer()), Ok(peer())]);
        }
    }
}

#[test]
fn t2_addresses_are_read_as_proxies_write_them() {
    let by = |hops, line: &str| TrustedHops::new(hops).x_forwarded_for(peer(), [line.as_bytes()]);
    let address = |text: &str| Ok(text.parse::<IpAddr>().unwrap());
    assert_eq!(by(1, "6.6.6.6,192.0.2.1"), address("192.0.2.1"));
    assert_eq!(by(2, "6.6.6.6, 192.0.2.1 ,10.0.0.2"), address("192.0.2.1"));
    assert_eq!(by(1, "2001:db8::1"), address("2001:db8::1"));
    assert_eq!(by(1, "[2001:db8::1]:443"), address("2001:db8::1"));
    assert_eq!(by(2, "192.0.2.1"), Err(ForwardedError::HopMissing));
    assert_eq!(
        TrustedHops::new(1).x_forwarded_for(peer(), []),
        Err(ForwardedError::HopMissing)
    );
    for malformed in [
        "",
        "unknown",
        "_hidden",
        "192.0.2.1:",
        "192.0.2.1:x",
        "192.0.2.1:70000",
        "[::1",
        "[::1]x",
        "1.2.3",
        "\"1.2.3.4\"",
    ] {
        assert_eq!(
            by(1, malformed),
            Err(ForwardedError::Malformed),
            "{malformed:?}"
        );
    }
    let by = |line: &str| TrustedHops::new(1).forwarded(peer(), [line.as_bytes()]);
    assert_eq!(
        by(r#"for=6.6.6.6, for="[2001:db8::1]:4711";proto=https"#),
        address("2001:db8::1")
    );
    assert_eq!(
        by("for=192.0.2.1;for=6.6.6.6"),
        Err(ForwardedError::Malformed)
    );
    assert_eq!(by("proto=https"), Err(ForwardedError::Malformed));
    assert_eq!(by("for=_gazonk"), Err(ForwardedError::Malformed));
    // A proxy that tells no client's address, and quotes a Host of the client's choice.
    assert_eq!(
        by(r#"by=10.0.0.1;host="a;for=6.6.6.6;b""#),
        Err(ForwardedError::Malformed)
    );
}
