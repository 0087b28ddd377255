//! A client of the tests' own: it sends what it is told, right or wrong, and shows what came
//! back as lines that read well in an assertion.

use crate::gateway::{Gateway, PASSWORD, USER};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for an answer.
const WAIT: Duration = Duration::from_secs(20);

/// A connection, plain or encrypted.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

pub struct Client {
    stream: Box<dyn Stream>,
    /// For closing and short waits, where the stream is a plain socket.
    socket: Option<TcpStream>,
    pub process_id: i32,
    pub cancel_key: Vec<u8>,
    pub parameters: BTreeMap<String, String>,
    /// The fields of the last ErrorResponse or NoticeResponse.
    pub fields: BTreeMap<char, String>,
    /// Bytes of the last DataRow's columns.
    pub row: Vec<Option<Vec<u8>>>,
}

/// One message of the gateway.
#[derive(Debug)]
pub struct Message {
    pub kind: u8,
    pub body: Vec<u8>,
}

/// Builds a message body.
#[derive(Default)]
pub struct Body(pub Vec<u8>);

impl Body {
    pub fn text(mut self, text: impl AsRef<[u8]>) -> Self {
        self.0.extend(text.as_ref());
        self.0.push(0);
        self
    }

    pub fn int2(mut self, value: i16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn int4(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}

/// A StartupMessage, length included.
pub fn startup_packet(version: i32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Body::default().int4(version);
    for (name, value) in parameters {
        body = body.text(name).text(value);
    }
    packet(body.bytes(&[0]))
}

/// A packet without a type byte.
pub fn packet(body: Body) -> Vec<u8> {
    let length = i32::try_from(body.0.len() + 4).unwrap();
    let mut packet = length.to_be_bytes().to_vec();
    packet.extend(body.0);
    packet
}

impl Client {
    /// A socket, and nothing sent yet.
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut client = Self::over(Box::new(socket.try_clone().unwrap()));
        client.socket = Some(socket);
        client
    }

    pub fn over(stream: Box<dyn Stream>) -> Self {
        Client {
            stream,
            socket: None,
            process_id: 0,
            cancel_key: Vec::new(),
            parameters: BTreeMap::new(),
            fields: BTreeMap::new(),
            row: Vec::new(),
        }
    }

    /// Signed in as the gateway's user.
    pub fn signed_in(gateway: &Gateway) -> Self {
        Self::signed_in_with(gateway, &[])
    }

    /// Signed in, with further startup parameters.
    pub fn signed_in_with(gateway: &Gateway, parameters: &[(&str, &str)]) -> Self {
        let mut client = Self::connect(gateway.address);
        let mut all = vec![("user", USER)];
        all.extend(parameters);
        client.send_bytes(&startup_packet(3 << 16, &all));
        let last = client.authenticate(PASSWORD).last().cloned();
        assert_eq!(last.as_deref(), Some("Ready I"));
        client
    }

    /// Answers the SASL request with `password` and reads up to ReadyForQuery or an error.
    pub fn authenticate(&mut self, password: &str) -> Vec<String> {
        self.authenticate_by("SCRAM-SHA-256", password, ChannelBinding::unsupported())
    }

    pub fn authenticate_by(
        &mut self,
        mechanism: &str,
        password: &str,
        binding: ChannelBinding,
    ) -> Vec<String> {
        let request = self.receive();
        if request.kind != b'R' {
            return vec![self.describe(&request)];
        }
        let mut scram = ScramSha256::new(password.as_bytes(), binding);
        let first = Body::default()
            .text(mechanism)
            .int4(i32::try_from(scram.message().len()).unwrap())
            .bytes(scram.message());
        self.send(b'p', first);
        let message = self.receive();
        if message.kind != b'R' {
            return vec![self.describe(&message)];
        }
        scram.update(&message.body[4..]).unwrap();
        self.send(b'p', Body(scram.message().to_vec()));
        let message = self.receive();
        if message.kind != b'R' {
            return vec![self.describe(&message)];
        }
        scram.finish(&message.body[4..]).unwrap();
        self.transcript()
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    pub fn send(&mut self, kind: u8, body: Body) {
        let mut message = vec![kind];
        message.extend(packet(body));
        self.send_bytes(&message);
    }

    /// Sends a Query and reads up to ReadyForQuery.
    pub fn query(&mut self, sql: &str) -> Vec<String> {
        self.send_query(sql);
        self.transcript()
    }

    pub fn send_query(&mut self, sql: &str) {
        self.send(b'Q', Body::default().text(sql));
    }

    pub fn parse(&mut self, name: &str, sql: &str, types: &[i32]) {
        let mut body = Body::default()
            .text(name)
            .text(sql)
            .int2(i16::try_from(types.len()).unwrap());
        for oid in types {
            body = body.int4(*oid);
        }
        self.send(b'P', body);
    }

    /// Binds text values to the unnamed portal.
    pub fn bind(&mut self, statement: &str, values: &[&str]) {
        let values: Vec<Option<&[u8]>> =
            values.iter().map(|value| Some(value.as_bytes())).collect();
        self.bind_as("", statement, &[], &values, &[]);
    }

    pub fn bind_as(
        &mut self,
        portal: &str,
        statement: &str,
        formats: &[i16],
        values: &[Option<&[u8]>],
        results: &[i16],
    ) {
        let count = |length: usize| i16::try_from(length).unwrap();
        let mut body = Body::default().text(portal).text(statement);
        body = body.int2(count(formats.len()));
        for format in formats {
            body = body.int2(*format);
        }
        body = body.int2(count(values.len()));
        for value in values {
            body = match value {
                None => body.int4(-1),
                Some(value) => body.int4(i32::try_from(value.len()).unwrap()).bytes(value),
            };
        }
        body = body.int2(count(results.len()));
        for format in results {
            body = body.int2(*format);
        }
        self.send(b'B', body);
    }

    pub fn execute(&mut self, portal: &str, rows_max: i32) {
        self.send(b'E', Body::default().text(portal).int4(rows_max));
    }

    pub fn describe_statement(&mut self, name: &str) {
        self.send(b'D', Body::default().bytes(b"S").text(name));
    }

    pub fn describe_portal(&mut self, name: &str) {
        self.send(b'D', Body::default().bytes(b"P").text(name));
    }

    pub fn close_statement(&mut self, name: &str) {
        self.send(b'C', Body::default().bytes(b"S").text(name));
    }

    pub fn sync(&mut self) {
        self.send(b'S', Body::default());
    }

    pub fn flush(&mut self) {
        self.send(b'H', Body::default());
    }

    pub fn copy_data(&mut self, data: impl AsRef<[u8]>) {
        self.send(b'd', Body(data.as_ref().to_vec()));
    }

    pub fn copy_done(&mut self) {
        self.send(b'c', Body::default());
    }

    pub fn copy_fail(&mut self, reason: &str) {
        self.send(b'f', Body::default().text(reason));
    }

    /// Sends what the other side still takes: it may have closed already.
    pub fn send_what_can_be_sent(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub fn set_write_timeout(&mut self, timeout: Duration) {
        let socket = self.socket.as_ref().expect("a plain socket");
        socket.set_write_timeout(Some(timeout)).unwrap();
    }

    /// Sends some of `bytes`; `None` when the other side takes no more for now.
    pub fn send_some(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.stream.write(&bytes[..bytes.len().min(64 << 10)]) {
            Ok(sent) => Some(sent),
            Err(error) => {
                let kind = error.kind();
                assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut));
                None
            }
        }
    }

    /// Says that nothing more comes.
    pub fn stop_sending(&self) {
        let socket = self.socket.as_ref().expect("a plain socket");
        let _ = socket.shutdown(Shutdown::Write);
    }

    /// Reads some bytes, whatever they are; `false` at the end.
    pub fn try_receive_any(&mut self) -> bool {
        let mut bytes = [0; 1024];
        match self.stream.read(&mut bytes) {
            Ok(count) => count > 0,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                false
            }
        }
    }

    /// Closes both directions without a word.
    pub fn vanish(self) {
        let socket = self.socket.expect("a plain socket");
        socket.shutdown(Shutdown::Both).unwrap();
    }

    /// One byte, as in the answer to an SSLRequest.
    pub fn receive_byte(&mut self) -> u8 {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).unwrap();
        byte[0]
    }

    pub fn receive(&mut self) -> Message {
        self.try_receive()
            .expect("the gateway closed the connection")
    }

    /// The next message; `None` when the gateway has closed.
    pub fn try_receive(&mut self) -> Option<Message> {
        let mut header = [0; 5];
        match self.stream.read_exact(&mut header) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                return None;
            }
            Err(error) => panic!("no message came: {error}"),
        }
        let length = u32::from_be_bytes(header[1..].try_into().unwrap());
        let mut body = vec![0; length as usize - 4];
        self.stream.read_exact(&mut body).unwrap();
        Some(Message {
            kind: header[0],
            body,
        })
    }

    /// The next message as a line.
    pub fn line(&mut self) -> String {
        let message = self.receive();
        self.describe(&message)
    }

    /// The next `count` messages as lines.
    pub fn lines(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.line()).collect()
    }

    /// All messages up to ReadyForQuery, or to the end of the connection, as lines.
    /// ParameterStatus, keys and AuthenticationOk are left out; the first two are kept.
    pub fn transcript(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(message) = self.try_receive() {
            let line = self.describe(&message);
            if !matches!(message.kind, b'S' | b'K' | b'R') {
                lines.push(line);
            }
            if message.kind == b'Z' {
                return lines;
            }
        }
        lines.push("closed".to_owned());
        lines
    }

    /// Whether the gateway has closed the connection; waits for it.
    pub fn is_closed(&mut self) -> bool {
        self.try_receive().is_none()
    }

    /// Whether nothing comes for a while. Only a check that a wait is real: no test may depend
    /// on it to pass.
    pub fn hears_nothing(&mut self) -> bool {
        let socket = self.socket.as_ref().expect("a plain socket");
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let mut byte = [0];
        let nothing = matches!(
            socket.peek(&mut byte),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        );
        socket.set_read_timeout(Some(WAIT)).unwrap();
        nothing
    }

    fn describe(&mut self, message: &Message) -> String {
        let body = &message.body;
        match message.kind {
            b'1' => "ParseComplete".to_owned(),
            b'2' => "BindComplete".to_owned(),
            b'3' => "CloseComplete".to_owned(),
            b'C' => format!("Complete {}", cstring(body)),
            b'D' => {
                self.row = columns(body);
                let texts: Vec<String> = self
                    .row
                    .iter()
                    .map(|column| match column {
                        None => "NULL".to_owned(),
                        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    })
                    .collect();
                format!("Row {}", texts.join("|"))
            }
            b'E' | b'N' => {
                self.fields = body
                    .split(|byte| *byte == 0)
                    .filter(|field| !field.is_empty())
                    .map(|field| {
                        let text = String::from_utf8_lossy(&field[1..]).into_owned();
                        (char::from(field[0]), text)
                    })
                    .collect();
                let word = self.fields[&'V'].to_lowercase();
                format!("{word} {}", self.fields[&'C'])
            }
            b'G' => format!("CopyIn {}", body[0]),
            b'I' => "EmptyQuery".to_owned(),
            b'K' => {
                self.process_id = i32::from_be_bytes(body[..4].try_into().unwrap());
                self.cancel_key = body[4..].to_vec();
                "Key".to_owned()
            }
            b'n' => "NoData".to_owned(),
            b'R' => "Authentication".to_owned(),
            b'S' => {
                let mut parts = body.split(|byte| *byte == 0);
                let mut next =
                    || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
                let (name, value) = (next(), next());
                let line = format!("Parameter {name}={value}");
                self.parameters.insert(name, value);
                line
            }
            b's' => "Suspended".to_owned(),
            b't' => {
                let oids: Vec<String> = body[2..]
                    .chunks(4)
                    .map(|oid| u32::from_be_bytes(oid.try_into().unwrap()).to_string())
                    .collect();
                format!("Parameters {}", oids.join(" "))
                    .trim_end()
                    .to_owned()
            }
            b'T' => format!("Columns {}", u16::from_be_bytes([body[0], body[1]])),
            b'v' => format!("Negotiate {body:?}"),
            b'Z' => format!("Ready {}", char::from(body[0])),
            other => format!("message {}", char::from(other)),
        }
    }
}

fn cstring(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len() - 1]).into_owned()
}

fn columns(body: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut rest = &body[2..];
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let length = i32::from_be_bytes(rest[..4].try_into().unwrap());
        rest = &rest[4..];
        match usize::try_from(length) {
            Err(_) => columns.push(None),
            Ok(length) => {
                columns.push(Some(rest[..length].to_vec()));
                rest = &rest[length..];
            }
        }
    }
    columns
}
