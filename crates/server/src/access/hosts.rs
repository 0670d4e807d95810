//! Which hosts and origins a request may name: a page of another site, or a name that was
//! pointed at this machine, must not reach a server that trusts its own machine.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

use super::AccessOptions;
use crate::problem::{Code, Problem};

/// The host that a request names, in lower case with its port: `:authority` or `Host`.
pub(crate) fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let from_header = || headers.get(header::HOST).and_then(|value| value.to_str().ok()).map(str::to_owned);
    uri.authority()
        .map(|authority| authority.as_str().to_owned())
        .or_else(from_header)
        .map(|host| host.to_ascii_lowercase())
}

/// Refuses hosts and origins that are not this server's.
pub(super) fn check(
    options: &AccessOptions,
    uri: &Uri,
    headers: &HeaderMap,
    is_sensitive: bool,
) -> Result<(), Problem> {
    let forbidden = |detail: &str| Err(Problem::new(Code::Forbidden, detail));
    let Some(host) = host_of(uri, headers) else {
        return forbidden("the request names no host: send a `Host` header");
    };
    if !is_own_host(options, &host) {
        return forbidden(
            "the host of the request is not this server's: use its address, or start it with --public-url",
        );
    }
    if !is_sensitive {
        return Ok(());
    }
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    if let Some(origin) = text(header::ORIGIN)
        && !is_own_origin(options, origin, &host)
    {
        return forbidden("the request comes from a page of another site; such requests are refused");
    }
    if matches!(headers.get("sec-fetch-site").map(|site| site.as_bytes()), Some(b"cross-site" | b"same-site")) {
        return forbidden("the request comes from a page of another site; such requests are refused");
    }
    Ok(())
}

fn is_own_host(options: &AccessOptions, host: &str) -> bool {
    if options.public_url.as_ref().is_some_and(|url| url.authority == host) {
        return true;
    }
    if !options.is_loopback || options.behind_proxy {
        // Without a stated name nothing tells whose names are right; there is no loopback to guard.
        return options.public_url.is_none() || is_loopback_host(host);
    }
    is_loopback_host(host)
}

/// Whether a host is this machine by name or number.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host();
    if name == "localhost" {
        return true;
    }
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match bare {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    }
}

fn is_own_origin(options: &AccessOptions, origin: &str, host: &str) -> bool {
    let origin = origin.to_ascii_lowercase();
    if options.public_url.as_ref().is_some_and(|url| url.origin() == origin) {
        return true;
    }
    let scheme = if options.is_tls { "https://" } else { "http://" };
    let other = if options.behind_proxy { "https://" } else { scheme };
    [scheme, other].iter().any(|scheme| origin.strip_prefix(scheme) == Some(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(options: &AccessOptions, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        check(options, &Uri::from_static("/v1/keys"), &headers, true).is_ok()
    }

    #[test]
    fn on_loopback_only_loopback_names_count() {
        let options = AccessOptions::default();
        for host in ["localhost:8470", "127.0.0.1", "127.0.0.1:1", "[::1]:8470", "LOCALHOST"] {
            assert!(asked(&options, host, None), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "a@localhost", "10.0.0.1", ""]
        {
            assert!(!asked(&options, host, None), "{host}");
        }
        assert!(asked(&options, "localhost:8470", Some("http://localhost:8470")));
        for origin in
            ["http://evil.example", "null", "https://localhost:8470", "http://localhost:3000", "http://localhost"]
        {
            assert!(!asked(&options, "localhost:8470", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn a_public_name_is_the_only_other_one() {
        let public_url = Some("https://Assay.example".parse().unwrap());
        let options = AccessOptions { public_url, behind_proxy: true, ..AccessOptions::default() };
        assert!(asked(&options, "assay.example", Some("https://assay.example")));
        assert!(!asked(&options, "assay.example", Some("https://evil.example")));
        assert!(!asked(&options, "evil.example", None));
    }
}
