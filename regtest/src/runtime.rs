//! The one background runtime of this process. Tests run on runtimes of their own that end with them; connections, miners and the proxy live
//! here, so that a world shared by many tests outlives each.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle};
use tokio::task::{JoinError, JoinHandle};

/// Starts a task that is independent of the caller's runtime.
pub(crate) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    handle().spawn(task)
}

/// Runs blocking work off the caller's thread.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    handle().spawn_blocking(work).await
}

#[allow(clippy::expect_used, reason = "a process that can start no thread can run no node either, and no caller could go on")]
fn handle() -> &'static Handle {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime for regtest's background tasks");
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("photon-regtest".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .expect("a thread for regtest's background tasks");
        handle
    })
}
