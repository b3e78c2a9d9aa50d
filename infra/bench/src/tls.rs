//! TLS on loopback: a certificate of its own for each run, and a listener for axum.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use nix::time::{ClockId, clock_gettime};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A client that connects and says nothing is let go after this long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Where distributions keep the roots that their programs trust; Lambda's is the second.
const BUNDLES: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// A certificate authority for one run, and the files that name it.
pub struct Trust {
    config: Arc<ServerConfig>,
    /// This run's root and the machine's roots, as many as a function on Lambda finds.
    pub all_roots: PathBuf,
    /// This run's root alone.
    pub one_root: PathBuf,
    /// This run's root and Amazon's, which the functions carry with them.
    pub aws_roots: PathBuf,
    first: Arc<Mutex<First>>,
}

/// The first connection of a function that has just been started.
#[derive(Default)]
struct First {
    clock: Option<ClockId>,
    seen: Option<(Instant, Duration)>,
}

impl Trust {
    /// Makes it. The files are in `folder`; keys stay in memory.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Clivy's bench");
        let root_key = KeyPair::generate()?;
        let root = params.self_signed(&root_key)?;
        let issuer = Issuer::new(params, root_key);
        let key = KeyPair::generate()?;
        let leaf =
            CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let chain: Vec<CertificateDer<'static>> = vec![leaf.der().clone(), root.der().clone()];
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // As AWS's services, and as OpenRouter and most gateways: what the client prefers of both.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let one_root = folder.join("root.pem");
        std::fs::write(&one_root, root.pem())?;
        let aws_roots = folder.join("aws.pem");
        std::fs::write(
            &aws_roots,
            format!("{}\n{}", root.pem(), clivy::roots::AMAZON),
        )?;
        let machines = BUNDLES
            .iter()
            .find_map(|file| std::fs::read_to_string(file).ok());
        let machines = machines.context("this machine has no bundle of roots")?;
        let all_roots = folder.join("roots.pem");
        std::fs::write(&all_roots, format!("{}\n{machines}", root.pem()))?;
        Ok(Self {
            config: Arc::new(config),
            all_roots,
            one_root,
            aws_roots,
            first: Arc::default(),
        })
    }

    /// From now on the first connection is that of the process whose processor time `clock` tells.
    pub fn watch(&self, clock: ClockId) {
        *self.first() = First {
            clock: Some(clock),
            seen: None,
        };
    }

    /// When the watched process has opened its first connection, and the processor time it had used until then; none if it
    /// has opened none.
    pub fn first_connection(&self) -> Option<(Instant, Duration)> {
        self.first().seen
    }

    fn first(&self) -> MutexGuard<'_, First> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves `router` at `https://localhost` until the bench ends, and gives the address.
    pub async fn serve(&self, router: Router) -> anyhow::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, connections) = mpsc::unbounded_channel();
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        #[expect(clippy::disallowed_methods, reason = "it serves beside the bench")]
        tokio::spawn(accept(listener, acceptor, sender, Arc::clone(&self.first)));
        let listener = Tls {
            connections,
            address,
        };
        #[expect(clippy::disallowed_methods, reason = "it serves beside the bench")]
        tokio::spawn(async move {
            // It ends with the bench; a connection that breaks ends only itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(format!("https://localhost:{}", address.port()))
    }
}

impl First {
    fn see(&mut self) {
        if let (None, Some(clock)) = (self.seen, self.clock)
            && let Ok(used) = clock_gettime(clock)
        {
            self.seen = Some((Instant::now(), used.into()));
        }
    }
}

type Connection = (TlsStream<TcpStream>, SocketAddr);

/// Handshakes side by side: a client opens several connections at once.
async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    sender: mpsc::UnboundedSender<Connection>,
    first: Arc<Mutex<First>>,
) {
    while let Ok((stream, from)) = listener.accept().await {
        first.lock().unwrap_or_else(PoisonError::into_inner).see();
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "one handshake must not wait for another"
        )]
        tokio::spawn(async move {
            // Without it an answer waits for the client's acknowledgement.
            let _ = stream.set_nodelay(true);
            // A function that is ended in the middle of a handshake leaves nothing to do.
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                let _ = sender.send((stream, from));
            }
        });
    }
}

struct Tls {
    connections: mpsc::UnboundedReceiver<Connection>,
    address: SocketAddr,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Connection {
        match self.connections.recv().await {
            Some(connection) => connection,
            // The acceptor has ended, and nothing comes any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}
