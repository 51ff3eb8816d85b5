//! Any scope and any subjects: a key's text is bounded, printable and has an inverse, so that two
//! keys never share one (T1, T2); and any text that parses is the text of its key.
#![no_main]

use std::net::IpAddr;

use arbitrary::Arbitrary;
use bailiwick::id::{ApiKeyId, UserId};
use bailiwick::quota::ThrottleScope;
use bailiwick::throttle::{ThrottleKey, ThrottleSubject};
use bailiwick::{AccountId, SiteId};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    scope: String,
    kind: u8,
    account: String,
    member: String,
    site: String,
    address: IpAddr,
    text: String,
}

impl Input {
    fn key(&self) -> Option<ThrottleKey> {
        let scope = ThrottleScope::new(&self.scope).ok()?;
        let account: AccountId = self.account.parse().ok()?;
        let user: UserId = self.member.parse().ok()?;
        let key: ApiKeyId = self.member.parse().ok()?;
        let site: SiteId = self.site.parse().ok()?;
        let subject = match self.kind % 10 {
            0 => ThrottleSubject::Account(&account),
            1 => ThrottleSubject::User(&account, &user),
            2 => ThrottleSubject::ApiKey(&account, &key),
            3 => ThrottleSubject::Site(&account, &site),
            4 => ThrottleSubject::UserAtSite(&account, &user, &site),
            5 => ThrottleSubject::ApiKeyAtSite(&account, &key, &site),
            6 => ThrottleSubject::Address(self.address),
            7 => ThrottleSubject::AccountFrom(&account, self.address),
            8 => ThrottleSubject::UserFrom(&account, &user, self.address),
            _ => ThrottleSubject::ApiKeyFrom(&account, &key, self.address),
        };
        Some(ThrottleKey::derive(scope, subject))
    }
}

fuzz_target!(|input: Input| {
    if let Some(key) = input.key() {
        let text = key.to_string();
        assert!(
            text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic()),
            "{text}"
        );
        assert_eq!(text.parse(), Ok(key.clone()), "{text}");
        let tag = text
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'))
            .map(|(tag, _)| tag);
        assert_eq!(
            tag.map(str::to_owned),
            key.account().map(ToString::to_string),
            "{text}"
        );
    }
    for text in [input.text.as_str(), &format!("throttle:{}", input.text)] {
        if let Ok(key) = text.parse::<ThrottleKey>() {
            assert_eq!(key.to_string(), text);
        }
    }
});
