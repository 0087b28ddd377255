//! A connection that costs almost nothing: prebuilt bytes out, counts in.
//!
//! Owns sign-in and the reading of answers. Promises that an error of the server ends the test
//! with its text, and that the rows of every answer are counted. Never encodes rows. It blocks:
//! a thread per connection that mostly waits for the kernel is the cheapest client there is.

use super::BenchError;
use super::load::{Exchange, Load};
use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Bytes read at once; answers are short.
const READ_BYTES: usize = 64 << 10;

/// Where to connect and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// host:port.
    pub address: String,
    pub user: String,
    pub password: String,
    pub database: String,
}

impl Target {
    /// Reads `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    /// It is no such address, or names more than one host.
    pub fn parse(url: &str) -> Result<Self, BenchError> {
        let wrong = |why: &str| BenchError::Arguments(format!("--target {url}: {why}"));
        let config: tokio_postgres::Config =
            url.parse().map_err(|error| wrong(&format!("{error}")))?;
        let [tokio_postgres::config::Host::Tcp(host)] = config.get_hosts() else {
            return Err(wrong("one host is needed"));
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let user = config.get_user().ok_or_else(|| wrong("a user is needed"))?;
        let password = config.get_password().unwrap_or_default();
        Ok(Target {
            address: format!("{host}:{port}"),
            user: user.to_owned(),
            password: String::from_utf8_lossy(password).into_owned(),
            database: config.get_dbname().unwrap_or(user).to_owned(),
        })
    }
}

/// A signed-in connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The part of the buffer that is not read yet.
    unread: std::ops::Range<usize>,
}

/// What the server said, as far as a load test cares.
enum Answer {
    /// Goes on with the request: COPY data may be sent, or a pipeline is done.
    CopyIn,
    Ready,
}

impl Connection {
    /// Connects and signs in.
    ///
    /// # Errors
    /// The server is not there or refuses.
    pub fn open(target: &Target) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(&target.address)
            .map_err(BenchError::io(format!("connecting to {}", target.address)))?;
        stream
            .set_nodelay(true)
            .map_err(BenchError::io("setting TCP_NODELAY"))?;
        let mut connection = Connection {
            stream,
            buffer: vec![0; READ_BYTES],
            unread: 0..0,
        };
        connection.sign_in(target)?;
        Ok(connection)
    }

    fn sign_in(&mut self, target: &Target) -> Result<(), BenchError> {
        let mut out = BytesMut::new();
        let parameters = [
            ("user", target.user.as_str()),
            ("database", target.database.as_str()),
            ("application_name", "penstock bench"),
        ];
        frontend::startup_message(parameters, &mut out).map_err(BenchError::io("signing in"))?;
        self.send(&out)?;
        let mut scram = ScramSha256::new(target.password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let (tag, body) = self.message()?;
            let kind = match (tag, body.first_chunk::<4>()) {
                (b'Z', _) => return Ok(()),
                (b'E', _) => return Err(refusal(&body)),
                (b'R', Some(kind)) => u32::from_be_bytes(*kind),
                _ => continue,
            };
            let mut out = BytesMut::new();
            let built = match kind {
                0 => continue,
                3 => frontend::password_message(target.password.as_bytes(), &mut out),
                10 => frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut out),
                11 => scram
                    .update(&body[4..])
                    .and_then(|()| frontend::sasl_response(scram.message(), &mut out)),
                12 => scram.finish(&body[4..]),
                other => {
                    return Err(BenchError::Answer(format!(
                        "the server asks for authentication of kind {other}; passwords by SCRAM or in clear text are known here"
                    )));
                }
            };
            built.map_err(BenchError::io("signing in"))?;
            self.send(&out)?;
        }
    }

    /// Runs one statement and returns the rows of its answer.
    ///
    /// # Errors
    /// The connection breaks or the server refuses.
    pub fn statement(&mut self, statement: &str) -> Result<u64, BenchError> {
        let mut out = BytesMut::new();
        frontend::query(statement, &mut out).map_err(BenchError::io("building a query"))?;
        self.send(&out)?;
        let mut rows = 0;
        self.answer(&mut rows)?;
        Ok(rows)
    }

    /// Sends what a load needs once per connection.
    ///
    /// # Errors
    /// The connection breaks or the server refuses.
    pub fn prepare(&mut self, load: &Load) -> Result<(), BenchError> {
        if load.preparation.is_empty() {
            return Ok(());
        }
        self.send(&load.preparation)?;
        self.answer(&mut 0).map(|_| ())
    }

    /// Sends the whole load once; appends the time of every exchange to `times`.
    ///
    /// # Errors
    /// The connection breaks, the server refuses, or it counts other rows than were sent.
    pub fn send_load(&mut self, load: &Load, times: &mut Vec<Duration>) -> Result<(), BenchError> {
        for exchange in &load.exchanges {
            let begin = Instant::now();
            self.exchange(load, exchange)?;
            times.push(begin.elapsed());
        }
        Ok(())
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    /// As [`Connection::send_load`].
    pub fn exchange(&mut self, load: &Load, exchange: &Exchange) -> Result<(), BenchError> {
        let mut rows = 0;
        if let Some(opening) = &exchange.opening {
            self.send(&load.bytes[opening.clone()])?;
            if matches!(self.answer(&mut rows)?, Answer::Ready) {
                return Err(BenchError::Answer("the server does not copy in".to_owned()));
            }
        }
        if let Err(error) = self.send(&load.bytes[exchange.body.clone()]) {
            // What the server said before it closed the connection says more.
            self.answer(&mut rows)?;
            return Err(error);
        }
        self.answer(&mut rows)?;
        if rows != exchange.rows {
            return Err(BenchError::Answer(format!(
                "{} rows were sent and the server answered for {rows}",
                exchange.rows
            )));
        }
        Ok(())
    }

    /// Reads to the end of the answer and adds the rows that command tags tell. An error is
    /// returned when the server is ready again, so that the connection could go on.
    fn answer(&mut self, rows: &mut u64) -> Result<Answer, BenchError> {
        let mut refused = None;
        loop {
            let (tag, body) = self.message()?;
            match tag {
                b'C' => *rows += rows_of_tag(&body),
                b'G' => return Ok(Answer::CopyIn),
                b'E' => refused = Some(refusal(&body)),
                b'Z' => return refused.map_or(Ok(Answer::Ready), Err),
                _ => {}
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), BenchError> {
        self.stream
            .write_all(bytes)
            .map_err(BenchError::io("sending"))
    }

    /// The next message of the server.
    fn message(&mut self) -> Result<(u8, Vec<u8>), BenchError> {
        let header = self.take(5)?;
        let tag = header[0];
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        let length = (length as usize).checked_sub(4).ok_or_else(|| {
            BenchError::Answer("the server sends a message of impossible length".to_owned())
        })?;
        Ok((tag, self.take(length)?))
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, BenchError> {
        let mut taken = Vec::with_capacity(length);
        while taken.len() < length {
            if self.unread.is_empty() {
                let read = self
                    .stream
                    .read(&mut self.buffer)
                    .map_err(BenchError::io("receiving"))?;
                if read == 0 {
                    return Err(BenchError::Answer(
                        "the server closed the connection".to_owned(),
                    ));
                }
                self.unread = 0..read;
            }
            let end = self
                .unread
                .end
                .min(self.unread.start + length - taken.len());
            taken.extend_from_slice(&self.buffer[self.unread.start..end]);
            self.unread.start = end;
        }
        Ok(taken)
    }
}

/// `COPY 5`, `INSERT 0 5`: the number at the end.
fn rows_of_tag(body: &[u8]) -> u64 {
    let text = body.strip_suffix(&[0]).unwrap_or(body);
    let digits = text.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// The error in words: SQLSTATE, message, detail.
fn refusal(body: &[u8]) -> BenchError {
    let field = |code: u8| {
        body.split(|byte| *byte == 0)
            .find(|field| field.first() == Some(&code))
            .map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
    };
    let mut text = format!(
        "the server refuses with {}: {}",
        field(b'C').unwrap_or_default(),
        field(b'M').unwrap_or_default()
    );
    if let Some(detail) = field(b'D') {
        text.push_str(&format!(" ({detail})"));
    }
    BenchError::Answer(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_command_tag_are_its_last_number() {
        assert_eq!(rows_of_tag(b"COPY 5000000\0"), 5_000_000);
        assert_eq!(rows_of_tag(b"INSERT 0 1000\0"), 1000);
        assert_eq!(rows_of_tag(b"BEGIN\0"), 0);
    }

    #[test]
    fn an_error_of_the_server_is_told_with_its_sqlstate_and_detail() {
        let body = b"SERROR\0C23503\0Mno such series\0Dsensor_1\0\0";
        assert_eq!(
            refusal(body).to_string(),
            "the server refuses with 23503: no such series (sensor_1)"
        );
    }

    #[test]
    fn a_target_is_read_from_its_address() {
        let target = Target::parse("postgres://me:p%40ss@localhost:6543/plant").expect("sound");
        assert_eq!(target.address, "localhost:6543");
        assert_eq!(target.user, "me");
        assert_eq!(target.password, "p@ss");
        assert_eq!(target.database, "plant");
        assert!(Target::parse("http://localhost").is_err());
    }
}
