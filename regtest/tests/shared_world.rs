//! Tests of one process share one world, though each runs on a runtime that ends with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use photon_regtest::shared_world;

fn on_a_runtime_of_its_own<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(test)
}

async fn pays(name: &str) -> Option<(String, u64)> {
    let world = shared_world().await?;
    let wallet = world.litecoin.create_wallet(name).await.unwrap();
    world.litecoin.faucet(&wallet.new_address().await.unwrap(), 70_000).await.unwrap();
    assert_eq!(wallet.balance_sat().await.unwrap(), 70_000);
    world.smt.faucet("0x00000000000000000000000000000000000000bb", 1).await.unwrap();
    Some((world.litecoin.url().to_owned(), world.smt.height().await.unwrap()))
}

#[test]
fn a_world_outlives_the_runtime_that_started_it() {
    let Some((url, height)) = on_a_runtime_of_its_own(pays("first")) else { return };
    // The first runtime is gone; the miners, the proxy and the connections must not be.
    let grows = async {
        let world = shared_world().await.unwrap();
        while world.smt.height().await.unwrap() < height + 3 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    on_a_runtime_of_its_own(async { tokio::time::timeout(Duration::from_secs(30), grows).await }).expect("a block a second");
    assert_eq!(on_a_runtime_of_its_own(pays("second")).unwrap().0, url, "the same world");
}

#[test]
fn tests_in_parallel_get_the_same_world() {
    let urls: Vec<Option<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|i| scope.spawn(move || on_a_runtime_of_its_own(pays(&format!("parallel-{i}"))).map(|(url, _)| url)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(urls.windows(2).all(|pair| pair[0] == pair[1]), "{urls:?}");
}
