//! The proxies before us: only their word that one request repeats another is taken. Anybody else could make two requests
//! of two people one.

use std::net::IpAddr;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u128,
    /// Bits that are the same in all of them.
    mask: u128,
}

/// Addresses of trusted proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Range>);

impl Proxies {
    /// From `IP` and `IP/BITS`, by commas; nothing trusts nobody.
    ///
    /// # Errors
    /// What is no address, in one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let wrong = |entry| format!("{entry:?} is no address; write IP or IP/BITS, several by commas");
        entries.map(|entry| range(entry).ok_or_else(|| wrong(entry))).collect::<Result<_, _>>().map(Self)
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = bits(address);
        self.0.iter().any(|range| address & range.mask == range.first)
    }
}

fn range(entry: &str) -> Option<Range> {
    let (address, length) = entry.split_once('/').map_or((entry, None), |(ip, bits)| (ip, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Some(most), |bits| bits.parse().ok())?;
    if length > most {
        return None;
    }
    let mask = u128::MAX.checked_shl(most - length).unwrap_or(0);
    // An IPv4 address is compared as an IPv6 one, whose first 96 bits all of its kind share.
    let mask = if address.is_ipv4() { mask | u128::MAX << 32 } else { mask };
    Some(Range { first: bits(address) & mask, mask })
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusts(setting: &str, address: &str) -> bool {
        Proxies::parse(setting).expect("addresses").trust(address.parse().expect("an address"))
    }

    #[test]
    fn only_the_named_addresses_are_trusted() {
        for (setting, address) in [
            ("127.0.0.0/8", "127.9.9.9"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("10.1.2.99/24", "10.1.2.3"),
            ("0.0.0.0/0", "8.8.8.8"),
            ("::1", "::1"),
            ("fd00::/8", "fd12::1"),
            ("10.0.0.1, fd00::/8 ,", "fd12::1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1"),
        ] {
            assert!(trusts(setting, address), "{setting} {address}");
        }
        for (setting, address) in [
            ("", "127.0.0.1"),
            ("127.0.0.0/8", "128.0.0.1"),
            ("10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "::1"),
            ("::1", "127.0.0.1"),
            ("fd00::/8", "fe00::1"),
        ] {
            assert!(!trusts(setting, address), "{setting} {address}");
        }
        for bad in ["localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.0/-1", "/8"] {
            assert!(Proxies::parse(bad).is_err(), "{bad}");
        }
    }
}
