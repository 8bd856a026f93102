//! The two protocols and the headers that tell them apart.

/// Which message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `prometheus.WriteRequest` of remote write 1.0.
    V1,
    /// `io.prometheus.write.v2.Request` of remote write 2.0.
    V2,
}

/// The header that names the version of the specification.
pub const VERSION_HEADER: &str = "X-Prometheus-Remote-Write-Version";
/// The `Content-Encoding` of every request.
pub const CONTENT_ENCODING: &str = "snappy";
/// The header by which a receiver of 2.0 tells how many samples it has written.
pub const SAMPLES_WRITTEN_HEADER: &str = "X-Prometheus-Remote-Write-Samples-Written";
/// The headers of which a receiver of 2.0 sends at least one; one of 1.0 knows none.
pub const WRITTEN_HEADERS: [&str; 3] = [
    SAMPLES_WRITTEN_HEADER,
    "X-Prometheus-Remote-Write-Histograms-Written",
    "X-Prometheus-Remote-Write-Exemplars-Written",
];

impl Protocol {
    /// The `Content-Type` of a request; receivers of 1.0 know no parameters.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::V1 => "application/x-protobuf",
            Self::V2 => "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        }
    }

    /// The value of [`VERSION_HEADER`].
    pub const fn version(self) -> &'static str {
        match self {
            Self::V1 => "0.1.0",
            Self::V2 => "2.0.0",
        }
    }

    /// The protocol that a receiver is to read a body as; `None` for a `Content-Type` that it has to refuse
    /// with 415.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let mut parts = content_type.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(Self::V1.content_type()) {
            return None;
        }
        let message = parts.find_map(|part| {
            let (key, value) = part.split_once('=')?;
            let value = value.trim().trim_matches('"');
            key.trim().eq_ignore_ascii_case("proto").then_some(value)
        });
        match message {
            None | Some("prometheus.WriteRequest") => Some(Self::V1),
            Some("io.prometheus.write.v2.Request") => Some(Self::V2),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content_type: &str, expect: Option<Protocol>) {
        assert_eq!(Protocol::of_content_type(content_type), expect);
    }

    #[test]
    fn a_content_type_names_the_message() {
        for protocol in [Protocol::V1, Protocol::V2] {
            check(protocol.content_type(), Some(protocol));
        }
        let long = "Application/X-Protobuf; charset=x; proto=\"prometheus.WriteRequest\"";
        check(long, Some(Protocol::V1));
        check(
            "application/x-protobuf;proto=io.prometheus.write.v3.Request",
            None,
        );
        check("application/json", None);
        check("", None);
    }
}
