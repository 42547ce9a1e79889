//! Swaps followed as they go.
use super::*;
use crate::api::fake::{self, id};
use std::time::Duration;

/// A watch that runs beside the test.
struct Watching {
    out: Page,
    err: Page,
    ends: tokio::task::JoinHandle<u8>,
}

fn watch(world: &Arc<World>, typed: &'static str, words: &[&'static str]) -> Watching {
    let (out, err) = (Page::default(), Page::default());
    let (world, words) = (world.clone(), [&["swap", "watch"], words].concat());
    let pages = (out.clone(), err.clone());
    let ends = tokio::spawn(async move { run_onto(&world, typed, &words, &pages.0, &pages.1).await });
    Watching { out, err, ends }
}

impl Watching {
    async fn shows(&self, wanted: &str) {
        for _ in 0..200 {
            if self.out.text().contains(wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no {wanted:?} in {:?} {:?}", self.out.text(), self.err.text());
    }

    async fn ended(self) -> Ran {
        let code = tokio::time::timeout(Duration::from_secs(10), self.ends).await.unwrap().unwrap();
        Ran { code, out: self.out.text(), err: self.err.text() }
    }
}

#[tokio::test]
async fn piped_it_writes_a_line_for_each_change_and_ends_with_the_last() {
    let world = Arc::new(World::new().await);
    world.fake.put_swap(fake::swap(1, None));
    world.fake.put_swap(fake::swap(9, Some("refunded")));
    let watching = watch(&world, "", &[]);
    watching.shows("0101010101 0.1 BTC → 2 ETH initiator funding alpha=funded:1/3 beta=absent\n").await;
    world.fake.put_swap(fake::swap(2, None));
    watching.shows("0202020202").await;
    world.fake.put_swap(fake::swap(1, Some("completed")));
    watching.shows("0101010101 0.1 BTC → 2 ETH initiator completed").await;
    world.fake.put_swap(fake::swap(2, Some("completed")));
    let ran = watching.ended().await;
    assert_eq!((ran.code, ran.out.lines().count()), (0, 4), "{}", ran.out);
    assert!(ran.out.starts_with("2027-01-15T08:00:00Z 0101010101 ") && !ran.out.contains("0909"), "{}", ran.out);
}

#[tokio::test]
async fn one_swap_alone_and_its_end_is_the_exit_code() {
    let world = Arc::new(World::new().await);
    world.fake.put_swap(fake::swap(1, None));
    world.fake.put_swap(fake::swap(2, None));
    let watching = watch(&world, "", &["0101", "--json"]);
    watching.shows("funding").await;
    world.fake.put_swap(fake::swap(2, Some("completed")));
    world.fake.put_swap(fake::swap(1, Some("refunded")));
    let ran = watching.ended().await;
    assert_eq!(ran.code, 1);
    let swaps: Vec<crate::service::SwapView> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(swaps.len(), 2);
    assert!(swaps.iter().all(|swap| swap.id == id(1)) && swaps[1].outcome.as_deref() == Some("refunded"));
    assert!(ran.err.contains("1 of 1 did not complete"));
    let over = run(&world, &["swap", "watch", "0202"]).await;
    assert_eq!((over.code, over.out.lines().count()), (0, 1));
    let none = run(&world, &["swap", "watch"]).await;
    assert_eq!((none.code, none.out.as_str()), (0, "no swap is running\n"));
}

#[tokio::test]
async fn in_a_terminal_the_table_is_drawn_over() {
    let world = Arc::new(World::new().await);
    world.fake.put_swap(fake::swap(1, None));
    let watching = watch(&world, "x", &[]);
    watching.shows("Ctrl-C").await;
    world.fake.put_swap(fake::swap(1, Some("completed")));
    let ran = watching.ended().await;
    assert!(ran.code == 0 && ran.out.contains("\u{1b}[J") && ran.out.contains("completed now"), "{:?}", ran.out);
}

#[tokio::test]
async fn confirmations_without_an_event_are_seen_too() {
    let world = Arc::new(World::new().await);
    world.fake.put_swap(fake::swap(1, None));
    let watching = watch(&world, "", &[]);
    watching.shows("funded:1/3").await;
    world.fake.change_quietly(fake::swap(1, Some("completed")));
    assert_eq!(watching.ended().await.code, 0);
}
