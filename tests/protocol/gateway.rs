//! A gateway in this process: the real listener on a free port, with one user.

use crate::pipeline::Pipeline;
use penstock::cdf::{Credentials, Identity, Project, Secret};
use penstock::config::{EngineKind, ListenSettings, UserModes};
use penstock::pipeline::MemoryBudget;
use penstock::wire::{
    GatewayUser, OpenConnections, ScramVerifier, TlsIdentity, Users, WireSettings, start,
};
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

pub const USER: &str = "ada";
pub const PASSWORD: &str = "correct horse";

pub struct Gateway {
    pub address: SocketAddr,
    pub pipeline: Arc<Pipeline>,
    pub connections: OpenConnections,
    drain: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// With the default settings, on one thread.
    pub fn start() -> Self {
        Self::start_with(|_| {}, None)
    }

    /// With other settings.
    pub fn start_with(change: impl FnOnce(&mut WireSettings), tls: Option<TlsIdentity>) -> Self {
        Self::start_within(MemoryBudget::new(64 << 20, 32 << 20), change, tls)
    }

    /// With other settings and so much memory for rows.
    pub fn start_within(
        budget: MemoryBudget,
        change: impl FnOnce(&mut WireSettings),
        tls: Option<TlsIdentity>,
    ) -> Self {
        let pipeline = Arc::new(Pipeline::default());
        let destination = pipeline.clone();
        let mut settings = WireSettings {
            listen: ListenSettings {
                postgres: SocketAddr::from(([127, 0, 0, 1], 0)),
                ..ListenSettings::default()
            },
            ..WireSettings::default()
        };
        settings.runtime.connection_threads = 1;
        settings.engine.kind = EngineKind::Off;
        change(&mut settings);
        let connections = OpenConnections::default();
        let open = connections.clone();
        let (address_sender, address) = mpsc::channel();
        let (drain, drained) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let users = Users::new([user()]);
                let handle = start(settings, users, destination, budget, tls, open).unwrap();
                address_sender.send(handle.address()).unwrap();
                let timeout = drained.await.unwrap_or(Duration::ZERO);
                handle.drain(timeout).await;
            });
        });
        Gateway {
            address: address.recv().unwrap(),
            pipeline,
            connections,
            drain: Some(drain),
            thread: Some(thread),
        }
    }

    /// Begins to drain. The gateway ends by itself.
    pub fn drain(&mut self, timeout: Duration) {
        self.drain.take().unwrap().send(timeout).unwrap();
    }

    /// Waits for the end after a drain.
    pub fn join(&mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.drain.take());
        if let Some(thread) = self.thread.take() {
            let result = thread.join();
            if !std::thread::panicking() {
                result.unwrap();
            }
        }
    }
}

fn user() -> GatewayUser {
    GatewayUser {
        name: USER.to_owned(),
        scram: ScramVerifier::from_password(PASSWORD),
        identity: Arc::new(Identity {
            project: Project {
                base_url: "http://127.0.0.1:1".to_owned(),
                name: "plant".to_owned(),
            },
            name: USER.to_owned(),
            credentials: Credentials::FixedToken(Secret::new("token")),
            create_missing_time_series: false,
            required_access: Default::default(),
        }),
        modes: UserModes::default(),
        barred: None,
    }
}
