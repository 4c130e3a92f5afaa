/// A response's status code, 100 to 699 (RFC 3261 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

impl Status {
    pub fn provisional(self) -> bool {
        self.0 < 200
    }

    pub fn success(self) -> bool {
        (200..300).contains(&self.0)
    }

    pub fn is_final(self) -> bool {
        self.0 >= 200
    }

    /// The standard reason phrase.
    pub fn reason(self) -> &'static str {
        let at = PHRASES.binary_search_by_key(&self.0, |(code, _)| *code);
        at.ok().and_then(|i| PHRASES.get(i)).map_or("Unknown", |(_, phrase)| phrase)
    }
}

/// From the registry of RFC 3261 §21 and its successors. `rsip::StatusCode` prints identifiers (`BusyHere`), not phrases.
const PHRASES: &[(u16, &str)] = &[
    (100, "Trying"),
    (180, "Ringing"),
    (181, "Call Is Being Forwarded"),
    (182, "Queued"),
    (183, "Session Progress"),
    (199, "Early Dialog Terminated"),
    (200, "OK"),
    (202, "Accepted"),
    (204, "No Notification"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Moved Temporarily"),
    (305, "Use Proxy"),
    (380, "Alternative Service"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Timeout"),
    (410, "Gone"),
    (412, "Conditional Request Failed"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Unsupported URI Scheme"),
    (420, "Bad Extension"),
    (421, "Extension Required"),
    (422, "Session Interval Too Small"),
    (423, "Interval Too Brief"),
    (433, "Anonymity Disallowed"),
    (440, "Max-Breadth Exceeded"),
    (469, "Bad Info Package"),
    (480, "Temporarily Unavailable"),
    (481, "Call/Transaction Does Not Exist"),
    (482, "Loop Detected"),
    (483, "Too Many Hops"),
    (484, "Address Incomplete"),
    (485, "Ambiguous"),
    (486, "Busy Here"),
    (487, "Request Terminated"),
    (488, "Not Acceptable Here"),
    (489, "Bad Event"),
    (491, "Request Pending"),
    (493, "Undecipherable"),
    (494, "Security Agreement Required"),
    (500, "Server Internal Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Server Time-out"),
    (505, "Version Not Supported"),
    (513, "Message Too Large"),
    (580, "Precondition Failure"),
    (600, "Busy Everywhere"),
    (603, "Decline"),
    (604, "Does Not Exist Anywhere"),
    (606, "Not Acceptable"),
    (607, "Unwanted"),
    (608, "Rejected"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_agree_with_rsip_where_it_knows_the_code() {
        let letters = |s: &str| s.to_lowercase().replace(|c: char| !c.is_ascii_alphabetic(), "");
        assert!(PHRASES.is_sorted());
        for (code, phrase) in PHRASES {
            match rsip::StatusCode::from(*code) {
                rsip::StatusCode::Other(..) => {}
                known => assert_eq!(letters(&format!("{known:?}")).trim_end_matches("global"), letters(phrase)),
            }
        }
        assert_eq!(Status(480).reason(), "Temporarily Unavailable");
        assert_eq!(Status(499).reason(), "Unknown");
    }
}
