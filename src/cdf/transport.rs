//! HTTP below CDF's meaning: connections, bounds on what is read, names of what went wrong.
//!
//! Owns the two HTTP clients of a writer. Promises that no answer is read past its bound, and
//! that an error's text holds no address with credentials. Never judges a status.

use super::answer::Answer;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::error::Error;
use std::sync::Once;
use std::time::{Duration, SystemTime};

/// From the first packet to a connection with TLS on it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An idle connection is closed by us before a load balancer on the way closes it silently;
/// Azure's close after four minutes, AWS's after one.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// What CDF is told of the application and of its library.
const APPLICATION: &str = "penstock";
const USER_AGENT: &str = concat!("penstock/", env!("CARGO_PKG_VERSION"));

/// HTTP/1.1 connections of one writer: a pool belongs to the runtime that opened it.
#[derive(Clone, Debug)]
pub struct Transport {
    /// By the system's proxy and trusted certificates; the error, if none can be loaded.
    outside: Result<reqwest::Client, String>,
    /// Plain HTTP to this machine: no proxy, no certificates.
    local: reqwest::Client,
}

impl Transport {
    /// # Errors
    /// When the HTTP library cannot be set up at all.
    pub fn new(request_timeout: Duration) -> Result<Self, reqwest::Error> {
        install_crypto();
        let builder = || {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .default_headers(default_headers())
                .timeout(request_timeout)
                .connect_timeout(CONNECT_TIMEOUT.min(request_timeout))
                .pool_idle_timeout(POOL_IDLE_TIMEOUT)
                .tcp_nodelay(true)
                // A redirected POST becomes a GET: no row would be written.
                .redirect(reqwest::redirect::Policy::none())
        };
        Ok(Transport {
            outside: builder().build().map_err(|error| cause(&error)),
            local: builder().no_proxy().tls_certs_only([]).build()?,
        })
    }

    /// The client for an address.
    ///
    /// # Errors
    /// Why TLS is not possible, for an address that needs it.
    pub fn client(&self, url: &str) -> Result<&reqwest::Client, &str> {
        match &self.outside {
            _ if is_local(url) => Ok(&self.local),
            Ok(client) => Ok(client),
            Err(_) if url.starts_with("http://") => Ok(&self.local),
            Err(error) => Err(error),
        }
    }
}

impl Transport {
    /// Fetches a small public document.
    ///
    /// # Errors
    /// Why there is none: nobody answered, the answer was no 200, or it is longer than `bytes_max`.
    pub async fn document(&self, url: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
        let client = self.client(url).map_err(str::to_owned)?;
        let response = client
            .get(url)
            .header(reqwest::header::ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| cause(&error))?;
        let answer = read(response, bytes_max)
            .await
            .map_err(|error| cause(&error))?;
        match answer.status {
            200 if answer.truncated => Err(format!("the answer is longer than {bytes_max} bytes")),
            200 => Ok(answer.body),
            status => Err(format!("the answer is HTTP {status}")),
        }
    }
}

/// Reads an answer, up to `bytes_max` of its body.
///
/// # Errors
/// When the connection fails before the body ends.
pub async fn read(
    mut response: reqwest::Response,
    bytes_max: usize,
) -> Result<Answer, reqwest::Error> {
    let mut answer = Answer::from_head(
        response.status().as_u16(),
        response.headers(),
        SystemTime::now(),
    );
    while let Some(chunk) = response.chunk().await? {
        let room = bytes_max - answer.body.len();
        if chunk.len() > room {
            answer.body.extend_from_slice(&chunk[..room]);
            answer.truncated = true;
            break;
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// What lies at the bottom of an error: "Connection refused", not the address that failed.
pub fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    super::answer::presentable(&cause.to_string(), 300)
}

/// Why the certificate of the other side is not trusted, if that is what went wrong: no repeat
/// mends it.
pub fn untrusted_certificate(error: &reqwest::Error) -> Option<String> {
    match tls_error(error)? {
        rustls::Error::InvalidCertificate(why) => {
            Some(super::answer::presentable(&why.to_string(), 300))
        }
        _ => None,
    }
}

/// The TLS library's own error, however deep the HTTP libraries have wrapped it. What an
/// `io::Error` wraps is not its `source()`, so it is asked for apart.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
        .and_then(|inner| tls_error(inner));
    wrapped.or_else(|| error.source().and_then(tls_error))
}

fn default_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        HeaderName::from_static("x-cdp-app"),
        HeaderValue::from_static(APPLICATION),
    );
    headers.insert(
        HeaderName::from_static("x-cdp-sdk"),
        HeaderValue::from_static(USER_AGENT),
    );
    headers
}

/// Whether an address is of this machine, by plain HTTP.
pub fn is_local(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // `localhost:x@host` is a user at another machine.
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// rustls has no crypto of its own: ring is made the process's choice, once. Somebody who
/// installed another before us keeps it.
pub fn install_crypto() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_to_this_machine_is_local() {
        for local in [
            "http://localhost",
            "http://LOCALHOST:8010/a",
            "http://127.0.0.2:1?q",
            "http://[::1]:8010/",
        ] {
            assert!(is_local(local), "{local}");
        }
        for other in [
            "https://localhost",
            "http://localhost:x@cdf.example/",
            "http://127.0.0.1@cdf.example/",
            "http://localhost.example/",
            "http://10.0.0.1/localhost",
            "http://",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
