/// True for an address that a browser may be sent to: http or https, a host, and nothing but what a URI is made of
/// (RFC 3986 §2). No user before the host, which only ever hides where an address leads.
pub fn is_web(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let good = host.is_some_and(|host| !host.is_empty() && !host.starts_with(':') && !host.contains('@'));
    good && url.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_are() {
        for good in ["http://t/1", "https://a.example:8443/x?y=1&z=%E5%8D%95#k", "http://[::1]:8080/", "https://a"] {
            assert!(is_web(good), "{good}");
        }
        let bad = [
            "",
            "javascript:alert(1)",
            "ftp://a/",
            "HTTP//a",
            "http://",
            "https:///x",
            "http://:80/",
            "http://a@b/",
            "//a/b",
            "http://t/\r\nSet-Cookie: x=1",
            "http://t/ x",
            "http://t/\0",
            "http://t/单",
            "http://t/\"><script>",
            "http://t\\@b/",
        ];
        for bad in bad {
            assert!(!is_web(bad), "{bad:?}");
        }
    }
}
