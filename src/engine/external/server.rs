//! The way to a PostgreSQL that is named by a URL.
//!
//! Owns the URL and how bytes get there: TCP or a Unix socket, with TLS as its `sslmode` says. Promises
//! that a URL in a file is read anew for each sign-in, so that a password which is renewed there is
//! used, and that no message holds a password. Never signs in.

use super::administration::Administration;
use crate::cdf::Secret;
use crate::config::EngineSettings;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::fault::EngineFault;
use crate::engine::socket::Socket;
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Bound of a new connection, where the URL says nothing.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// PostgreSQL's own, where the URL names none.
const PORT: u16 = 5432;

/// Why a server is of no use, split by who mends it.
#[derive(Debug, thiserror::Error)]
pub enum ServerFault {
    /// It does not answer, or not now: it may later.
    #[error("{0}")]
    Away(String),
    /// It answers, and will not do: somebody has to change something.
    #[error("{0}")]
    Unfit(String),
    /// It refused what it was asked, with this SQLSTATE.
    #[error("{message} ({code})")]
    Refused { code: String, message: String },
}

impl From<io::Error> for ServerFault {
    fn from(error: io::Error) -> Self {
        ServerFault::Away(error.to_string())
    }
}

impl From<ServerFault> for EngineFault {
    fn from(fault: ServerFault) -> Self {
        tracing::error!(%fault, "the PostgreSQL of engine.url is of no use");
        EngineFault::Unavailable(Box::new(
            Diagnostic::error(
                SqlState::CANNOT_CONNECT_NOW,
                "the PostgreSQL that runs this statement cannot be used",
            )
            .with_hint(
                "Try again later; the gateway's log says why. COPY, INSERT, and UPDATE and DELETE by \
                 key do not need it.",
            ),
        ))
    }
}

/// A PostgreSQL by its URL.
pub struct Server {
    url: Secret,
    /// Where the URL is read anew.
    file: Option<PathBuf>,
    tls: std::sync::OnceLock<MakeRustlsConnect>,
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds a password.
        formatter.write_str("Server")
    }
}

impl Server {
    /// The one that `settings` name, if they do.
    pub fn of(settings: &EngineSettings) -> Option<Self> {
        Some(Server {
            url: settings.url.clone()?,
            file: settings.url_file.clone(),
            tls: std::sync::OnceLock::new(),
        })
    }

    /// Signs in and looks whether it will do. Blocks, and must not be used inside of a runtime's task.
    ///
    /// # Errors
    /// `Away`, or `Unfit` with what is wrong and what would mend it.
    pub fn check(self) -> Result<(), ServerFault> {
        let checked = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async { Administration::begin(&self, None).await.map(drop) })
        });
        let away = |_| ServerFault::Away("it cannot be asked".to_owned());
        checked.join().map_err(away).flatten()
    }

    /// The parts of the URL as it is now.
    ///
    /// # Errors
    /// `Away` for a file that cannot be read, `Unfit` for what is no URL.
    pub(super) async fn config(&self) -> Result<Config, ServerFault> {
        let text = match self.file.clone() {
            None => self.url.clone(),
            Some(path) => {
                let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path));
                let text = read.await.map_err(io::Error::other).flatten();
                let text =
                    text.map_err(|error| ServerFault::Away(format!("engine.url_file: {error}")))?;
                Secret::new(text.trim_end_matches(['\r', '\n']))
            }
        };
        // The parser's own words may hold a part of the secret.
        (text.expose().parse::<Config>())
            .map_err(|_| ServerFault::Unfit("engine.url is no URL of a PostgreSQL".to_owned()))
    }

    /// TLS by the certificates that this machine trusts.
    fn tls(&self) -> Result<MakeRustlsConnect, ServerFault> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        crate::cdf::install_crypto();
        let (tls, _) = MakeRustlsConnect::with_native_certs()
            .map_err(|_| ServerFault::Unfit("this machine trusts no certificates".to_owned()))?;
        Ok(self.tls.get_or_init(|| tls).clone())
    }

    /// Bytes there and back, on which nothing was said but what TLS needs.
    ///
    /// # Errors
    /// `Away` when no host of the URL can be reached, `Unfit` when none has TLS and it must be.
    pub(in crate::engine) async fn socket(&self) -> Result<Socket, ServerFault> {
        let config = self.config().await?;
        let bound = config.get_connect_timeout().copied().unwrap_or(CONNECT_MAX);
        let ports = config.get_ports();
        let mut fault = ServerFault::Unfit("engine.url names no host".to_owned());
        for (index, host) in config.get_hosts().iter().enumerate() {
            // One port may stand for all hosts.
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(PORT);
            match timeout(bound, self.open(host, port, config.get_ssl_mode())).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(other)) => fault = other,
                Err(_) => fault = ServerFault::Away("no connection in time".to_owned()),
            }
        }
        Err(fault)
    }

    async fn open(&self, host: &Host, port: u16, mode: SslMode) -> Result<Socket, ServerFault> {
        let name = match host {
            Host::Unix(directory) => {
                let path = directory.join(format!(".s.PGSQL.{port}"));
                return Ok(Box::new(UnixStream::connect(path).await?));
            }
            Host::Tcp(name) => name,
        };
        let mut stream = TcpStream::connect((name.as_str(), port)).await?;
        stream.set_nodelay(true)?;
        if mode == SslMode::Disable {
            return Ok(Box::new(stream));
        }
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await?;
        if stream.read_u8().await? == b'S' {
            let mut tls = self.tls()?;
            let Ok(connect) = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls, name);
            let secured = connect.connect(stream).await;
            return match secured {
                Ok(stream) => Ok(Box::new(stream)),
                // It is not the one that is meant, or nobody said whom to trust.
                Err(error) => Err(ServerFault::Unfit(format!("no TLS with it: {error}"))),
            };
        }
        match mode {
            SslMode::Prefer => Ok(Box::new(stream)),
            _ => Err(ServerFault::Unfit(
                "engine.url wants TLS and the server has none".to_owned(),
            )),
        }
    }
}
