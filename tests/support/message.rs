use std::fmt;

/// A SIP message as text, taken apart as little as the tests need.
#[derive(Clone)]
pub struct Message {
    pub text: String,
}

impl Message {
    pub fn new(text: &str) -> Message {
        Message { text: text.trim_start().to_string() }
    }

    pub fn start_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The status code of a response, 0 of a request.
    pub fn status(&self) -> u16 {
        let code = self.start_line().strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
        code.map_or(0, |code| code.parse().unwrap())
    }

    pub fn is_request(&self, method: &str) -> bool {
        self.start_line().starts_with(&format!("{method} "))
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.lines().skip(1).take_while(|line| !line.trim().is_empty());
        let named = head.filter_map(|line| line.split_once(':')).filter(|(n, _)| n.trim().eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    /// The header's value; the test fails without it.
    pub fn header(&self, name: &str) -> &str {
        self.headers(name).first().copied().unwrap_or_else(|| panic!("no {name} in\n{self}"))
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").or_else(|| self.text.split_once("\n\n")).map_or("", |(_, body)| body)
    }

    pub fn tag(&self, header: &str) -> Option<&str> {
        let (_, rest) = self.header(header).split_once(";tag=")?;
        rest.split(';').next()
    }

    /// The URI between the angle brackets of a header.
    pub fn uri(&self, header: &str) -> &str {
        let value = self.header(header);
        value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
    }

    /// The value of the first SDP line that begins with `start`: `sdp("m=audio ")`.
    pub fn sdp(&self, start: &str) -> &str {
        let line = self.body().lines().find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("no {start} in\n{self}")).trim()
    }

    pub fn has_sdp(&self, line: &str) -> bool {
        self.body().lines().any(|l| l.trim() == line)
    }

    pub fn media_port(&self) -> u16 {
        self.sdp("m=audio ").split(' ').next().unwrap().parse().unwrap()
    }

    /// The payload types offered or answered, in order.
    pub fn formats(&self) -> Vec<&str> {
        self.sdp("m=audio ").split(' ').skip(2).collect()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.text)
    }
}
