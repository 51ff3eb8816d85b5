//! The client's address, where proxies stand between the client and the service.

use std::net::IpAddr;

use thiserror::Error;

use crate::problem::{Code, Explained};

/// The number of proxies in front of the service that are trusted to name the one before them.
///
/// Each of them appends an entry to a header, so that many entries from the right are theirs. The
/// client may have written anything further left, so that is never read.
///
/// This holds only for a service that can be reached through those proxies alone: a client that
/// reaches it past them writes their entries. Bind the service to an address where only they
/// connect.
///
/// ```
/// use std::net::IpAddr;
///
/// use bailiwick::throttle::TrustedHops;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let proxy: IpAddr = "10.0.0.1".parse()?;
///     let client: IpAddr = "192.0.2.7".parse()?;
///     // The client wrote 8.8.8.8, and the proxy appended the address that it saw.
///     let header: [&[u8]; 1] = [b"8.8.8.8, 192.0.2.7"];
///
///     assert_eq!(TrustedHops::new(1).x_forwarded_for(proxy, header)?, client);
///     assert_eq!(TrustedHops::NONE.x_forwarded_for(proxy, header)?, proxy);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrustedHops(u8);

/// A reason for which the client's address is not known.
///
/// Refuse the request, or throttle by the peer: then all requests through the proxy count together.
/// Never use an entry that the client may have written instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ForwardedError {
    /// There are fewer entries than trusted proxies.
    #[error("the request has fewer forwarded entries than there are trusted proxies")]
    HopMissing,
    /// The entry of the last trusted proxy names no address, or the header is malformed.
    #[error("the address that a trusted proxy forwarded cannot be read")]
    Malformed,
}

impl Explained for ForwardedError {
    fn code(&self) -> Code {
        Code::InputInvalid
    }
}

impl TrustedHops {
    /// No proxy is trusted: the client is the peer of the connection.
    pub const NONE: Self = Self(0);

    /// Trusts so many proxies, each of which appends to the header.
    pub const fn new(proxies: u8) -> Self {
        Self(proxies)
    }

    /// Returns the client's address by `X-Forwarded-For`. `values` are all lines of the header, in
    /// their order; `peer` is the address at the other end of the connection.
    ///
    /// # Errors
    /// [`ForwardedError::HopMissing`], [`ForwardedError::Malformed`].
    pub fn x_forwarded_for<'a, V>(self, peer: IpAddr, values: V) -> Result<IpAddr, ForwardedError>
    where
        V: IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
    {
        match self.entry(values)? {
            None => Ok(peer),
            Some(entry) => parse_node(entry).ok_or(ForwardedError::Malformed),
        }
    }

    /// Returns the client's address by `Forwarded` (RFC 7239), as
    /// [`x_forwarded_for`](Self::x_forwarded_for) does by its header.
    ///
    /// # Errors
    /// [`ForwardedError::HopMissing`], [`ForwardedError::Malformed`]. An obfuscated or unknown node
    /// has no address, so it is malformed here.
    pub fn forwarded<'a, V>(self, peer: IpAddr, values: V) -> Result<IpAddr, ForwardedError>
    where
        V: IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
    {
        match self.entry(values)? {
            None => Ok(peer),
            Some(entry) => parse_element(entry).ok_or(ForwardedError::Malformed),
        }
    }

    /// Returns the entry of the last trusted proxy, counted from the right; `None` if no proxy is
    /// trusted.
    ///
    /// The header is split at every comma, quoted or not, and each part must have its quotes in
    /// pairs and no escapes. Otherwise a quote that the client left open would swallow an entry,
    /// and a comma in text that a proxy quotes from the client (`host="…"`) would make one up.
    fn entry<'a, V>(self, values: V) -> Result<Option<&'a str>, ForwardedError>
    where
        V: IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
    {
        let mut entries = values
            .into_iter()
            .rev()
            .flat_map(|value| value.rsplit(|byte| *byte == b','));

        // Each trusted entry is checked, since a malformed one may hide where the others begin.
        let mut last = None;
        for _ in 0..self.0 {
            let entry = entries.next().ok_or(ForwardedError::HopMissing)?;
            let quotes = entry.iter().filter(|byte| **byte == b'"').count();
            if !quotes.is_multiple_of(2) || entry.contains(&b'\\') {
                return Err(ForwardedError::Malformed);
            }
            last = Some(entry);
        }

        let text = last
            .map(std::str::from_utf8)
            .transpose()
            .map_err(|_| ForwardedError::Malformed)?;
        Ok(text.map(trim))
    }
}

/// Removes the white space that RFC 9110 allows around a list's members.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Reads `for=192.0.2.1;proto=https`, in any order, with exactly one `for`.
fn parse_element(element: &str) -> Option<IpAddr> {
    // A semicolon in text that a proxy quotes from the client would make up a parameter.
    let quoted = element.split('"').skip(1).step_by(2);
    if quoted.into_iter().any(|text| text.contains(';')) {
        return None;
    }

    // Two nodes in one element would leave open which of them the proxy saw.
    let mut nodes = element.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        trim(name).eq_ignore_ascii_case("for").then(|| trim(value))
    });
    let node = nodes.next()?;
    if nodes.next().is_some() {
        return None;
    }

    let is_quoted = node.starts_with('"');
    let node = if is_quoted {
        node.strip_prefix('"')?.strip_suffix('"')?
    } else {
        node
    };
    parse_node(node)
}

/// Reads an address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`,
/// `[2001:db8::1]`, `[2001:db8::1]:80`.
fn parse_node(node: &str) -> Option<IpAddr> {
    if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return if is_port {
            address.parse().ok().map(IpAddr::V6)
        } else {
            None
        };
    }

    match node.split_once(':') {
        // One colon only, so it is no IPv6 address.
        Some((address, port)) if !port.contains(':') => {
            if is_port(port) {
                address.parse().ok().map(IpAddr::V4)
            } else {
                None
            }
        }
        _ => node.parse().ok(),
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}
