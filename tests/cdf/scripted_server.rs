//! An HTTP server that answers by a script: CDF and identity provider of these tests.
//!
//! Owns a socket on this machine and what it was asked. Promises answers in the order of the
//! script, also such as no HTTP library would send. Never decides anything.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to one request.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The connection closes after the request was read.
    Close,
    /// The request is read, and nothing more happens.
    Silence,
    /// A head with this status, less body than it says, and the connection closes.
    BrokenBody(u16),
}

impl Reply {
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Reply::Answer {
            status,
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("x-request-id".to_owned(), "request-42".to_owned()),
            ],
            body: body.into().into_bytes(),
        }
    }

    pub fn html(status: u16, body: &str) -> Self {
        Reply::Answer {
            status,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: body.as_bytes().to_vec(),
        }
    }

    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Reply::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// What an identity provider grants.
    pub fn token(token: &str, expires_in: &str) -> Self {
        Reply::json(
            200,
            format!(
                r#"{{"access_token":"{token}","expires_in":{expires_in},"token_type":"Bearer"}}"#
            ),
        )
    }
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[derive(Debug)]
struct Script {
    replies: VecDeque<Reply>,
    /// When the script is over.
    default: Reply,
    requests: Vec<Request>,
}

/// A server that lives as long as its runtime.
#[derive(Clone, Debug)]
pub struct ScriptedServer {
    pub url: String,
    script: Arc<Mutex<Script>>,
}

impl ScriptedServer {
    /// Plays `replies`, then `default` for ever.
    pub async fn start(replies: Vec<Reply>, default: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::new(Mutex::new(Script {
            replies: replies.into(),
            default,
            requests: Vec::new(),
        }));
        let shared = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        ScriptedServer { url, script }
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.script
            .lock()
            .expect("no test panicked")
            .requests
            .clone()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut bytes = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut bytes).await {
        let reply = {
            let mut script = script.lock().expect("no test panicked");
            script.requests.push(request);
            let default = script.default.clone();
            script.replies.pop_front().unwrap_or(default)
        };
        match reply {
            Reply::Answer {
                status,
                headers,
                body,
            } => {
                let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
                let mut answer = head.into_bytes();
                answer.extend_from_slice(&body);
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
            Reply::Close => return,
            Reply::Silence => std::future::pending().await,
            Reply::BrokenBody(status) => {
                let head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: 100\r\n\r\n{{");
                let _ = stream.write_all(head.as_bytes()).await;
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Request> {
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let mut request = Request {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        ..Request::default()
    };
    for line in lines {
        if let Some((name, value)) = line.split_once(": ") {
            request.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    let length: usize = request
        .header("content-length")
        .map_or(Some(0), |length| length.parse().ok())?;
    while bytes.len() < head_end + length {
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
    request.body = bytes[head_end..head_end + length].to_vec();
    bytes.drain(..head_end + length);
    Some(request)
}
