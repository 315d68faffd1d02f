//! A TCP proxy before a Postgres server, on which a test cuts, or silences, the connections that go through it.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    sync::{Notify, watch},
    task::JoinHandle,
};
use url::Url;

/// A running proxy.
pub(crate) struct Proxy {
    url: String,
    cut: Arc<Notify>,
    silent: watch::Sender<bool>,
    refusing: Arc<AtomicBool>,
    refused: watch::Receiver<u32>,
    accepting: JoinHandle<()>,
}

/// Where the server is.
#[derive(Clone)]
enum Target {
    Socket(PathBuf),
    Tcp(String),
}

impl Proxy {
    /// A proxy before the server of `url`.
    pub(crate) async fn before(url: &str) -> Self {
        let mut url = Url::parse(url).unwrap();
        let folder =
            url.query_pairs().find(|(name, _)| name == "host").map(|(_, folder)| folder.into_owned());
        let target = match folder {
            Some(folder) => Target::Socket(PathBuf::from(folder).join(".s.PGSQL.5432")),
            None => Target::Tcp(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432))),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_query(Some("sslmode=disable"));
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (cut, silent, refusing) =
            (Arc::new(Notify::new()), watch::Sender::new(false), Arc::new(AtomicBool::new(false)));
        let (cut_too, silent_too, refusing_too) = (Arc::clone(&cut), silent.clone(), Arc::clone(&refusing));
        let (count, refused) = watch::channel(0);
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if refusing_too.load(Ordering::Relaxed) {
                    count.send_modify(|count| *count += 1);
                    continue;
                }
                let (target, silent, cut) = (target.clone(), silent_too.subscribe(), Arc::clone(&cut_too));
                tokio::spawn(async move {
                    tokio::select! {
                        () = connect(client, target, silent) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        Self { url: url.into(), cut, silent, refusing, refused, accepting }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.cut.notify_waiters();
    }

    /// Cuts every connection, and every new one until it is told otherwise.
    pub(crate) fn refuse(&self, refusing: bool) {
        self.refusing.store(refusing, Ordering::Relaxed);
        self.cut();
    }

    /// Waits until so many connections have been refused.
    pub(crate) async fn has_refused(&self, count: u32) {
        self.refused.clone().wait_for(|refused| *refused >= count).await.unwrap();
    }

    /// Lets nothing through any more, in either direction, and closes nothing; or goes on where it has stopped.
    pub(crate) fn silence(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn connect(client: TcpStream, target: Target, silent: watch::Receiver<bool>) {
    // What is cut is reset, as by a firewall that forgets.
    drop(client.set_zero_linger());
    drop(client.set_nodelay(true));
    match target {
        Target::Socket(path) => {
            let Ok(server) = UnixStream::connect(path).await else { return };
            let (from_server, to_server) = server.into_split();
            join(client, from_server, to_server, silent).await;
        }
        Target::Tcp(address) => {
            let Ok(server) = TcpStream::connect(address).await else { return };
            let (from_server, to_server) = server.into_split();
            join(client, from_server, to_server, silent).await;
        }
    }
}

async fn join(
    client: TcpStream,
    from_server: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    silent: watch::Receiver<bool>,
) {
    let (from_client, to_client) = client.into_split();
    // Either end ends both.
    tokio::select! {
        () = copy(from_client, to_server, silent.clone()) => {}
        () = copy(from_server, to_client, silent) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut silent: watch::Receiver<bool>,
) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length) = from.read(&mut buffer).await
        && length > 0
        && silent.wait_for(|silent| !silent).await.is_ok()
        && to.write_all(&buffer[..length]).await.is_ok()
    {}
}
