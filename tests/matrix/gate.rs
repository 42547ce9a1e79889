//! A gate before one node, for one party: shut, the node is down for that party alone, and everybody else goes on.

use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Open at first.
pub struct Gate {
    address: SocketAddr,
    open: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

impl Gate {
    /// Before the node at this URL.
    pub async fn before(url: &str) -> Self {
        let to = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = watch::Sender::new(true);
        let keeper = tokio::spawn(keep(listener, to, open.clone()));
        Self { address, open, keeper }
    }

    /// What to connect to instead.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Who is connected is thrown out, and who comes is turned away.
    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep(listener: TcpListener, to: String, open: watch::Sender<bool>) {
    while let Ok((mut caller, _)) = listener.accept().await {
        let mut is_open = open.subscribe();
        let to = to.clone();
        tokio::spawn(async move {
            let through = async {
                if let Ok(mut node) = TcpStream::connect(&to).await {
                    let _ = tokio::io::copy_bidirectional(&mut caller, &mut node).await;
                }
            };
            tokio::select! {
                () = through => {}
                _ = is_open.wait_for(|open| !open) => {}
            }
        });
    }
}
