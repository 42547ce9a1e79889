//! The disk of a running daemon takes no more, again and again, wherever a swap stands: it ends and says why, nothing is done on top
//! of what was not written, and once there is room it goes on where it was. Time moves on command. (THREATS F7, F15)

use crate::stage::{Books, Clock, PHOTON, PURSE, Player, Scene, agree, both_complete, both_paid, own, play};
use photon_regtest::{Mining, WorldConfig};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PAIRS: [(&str, &str); 2] = [("BTC", "ETH"), ("SMT", "LTC")];
/// What is done after a start before the disk is full, counted in points (see `photon_chains::crash`), in turn.
const ROOM: [u64; 8] = [1, 3, 6, 2, 9, 4, 12, 5];
/// Each has met a full disk so often at least before its swaps were over.
const LEAST: usize = 5;

/// The program with a log that does not stand on the full disk, and ears that don't hear the signal that a limit sends first: a
/// disk sends none.
fn program(folder: &Path) -> PathBuf {
    let script = format!("#!/bin/bash\ntrap '' XFSZ\nexec {PHOTON} \"$@\" > >(exec cat >> \"$PHOTON_STORY_LOG\") 2>&1\n");
    let path = folder.join("photon");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

struct Teller {
    player: Player,
    times: usize,
    heard: usize,
}

impl Teller {
    async fn new(scene: &Scene, name: &str) -> Self {
        let folder = scene.folder(&format!("disk-of-{name}"));
        let party = scene.stage.party(name, &folder, &program(&folder), PURSE).await.unwrap();
        let mut player = Player(party);
        let orders = player.folder.join("crash");
        std::fs::create_dir(&orders).unwrap();
        let log = player.log();
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        player.env.push(("PHOTON_CRASH".to_owned(), path(orders)));
        player.env.push(("PHOTON_STORY_LOG".to_owned(), path(log)));
        Self { player, times: 0, heard: 0 }
    }

    /// From so many points on the disk takes no more; never, if there was enough of that.
    fn fill_up_soon(&self) {
        // With a number of its own, so that the same orders given again are counted anew.
        let orders = ROOM.get(self.times).map(|points| format!("# {}\n*\t{points}\n", self.times)).unwrap_or_default();
        let folder = self.player.folder.join("crash");
        std::fs::write(folder.join("full.new"), orders).unwrap();
        std::fs::rename(folder.join("full.new"), folder.join("full")).unwrap();
    }

    /// If the disk has stopped it: it has said so, and starts again.
    async fn start_again_if_stopped(&mut self) {
        if !self.player.has_ended().unwrap() {
            return;
        }
        let said = self.player.said();
        let news = &said[self.heard..];
        assert!(news.contains("the store has failed") && news.contains("disk"), "{} says why: {news}", self.player.name);
        self.heard = said.len();
        self.times += 1;
        self.start_with_room().await;
        self.fill_up_soon();
    }

    async fn start_with_room(&mut self) {
        self.player.kill().unwrap();
        std::fs::write(self.player.folder.join("crash/full"), "").unwrap();
        self.player.start().await.unwrap();
    }
}

#[test]
fn a_disk_that_is_full_again_and_again_stops_a_daemon_and_costs_nobody_anything() {
    play(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_millis(500)))).await else { return };
        let (mut alice, mut bob) = tokio::join!(Teller::new(&scene, "alice"), Teller::new(&scene, "bob"));
        let clock = Clock::take_over(&scene).await;
        clock.rules(&mut alice.player);
        clock.rules(&mut bob.player);
        tokio::try_join!(alice.player.start(), bob.player.start()).unwrap();
        let books = Books::open(&[&alice.player, &bob.player]).await;
        let agreed = PAIRS.map(|(pay, get)| agree(&alice.player, &bob.player, pay, get));
        let swaps = futures::future::join_all(agreed).await;
        alice.fill_up_soon();
        bob.fill_up_soon();
        while !(over(&alice, &swaps).await && over(&bob, &swaps).await) {
            alice.start_again_if_stopped().await;
            bob.start_again_if_stopped().await;
            clock.step().await;
        }
        assert!(alice.times >= LEAST && bob.times >= LEAST, "only {} and {} times", alice.times, bob.times);
        tokio::join!(alice.start_with_room(), bob.start_with_room());
        for swap in &swaps {
            both_complete(&alice.player, &bob.player, swap).await;
        }
        let parties = [&*alice.player, &*bob.player];
        clock.during(books.close(&parties, &both_paid(&alice.player, &bob.player, PAIRS))).await;
    });
}

/// Whether all its swaps have ended, as far as it can say now.
async fn over(teller: &Teller, swaps: &[String]) -> bool {
    let ended = swaps.iter().map(|swap| async { teller.player.swap(swap).await.is_ok_and(|swap| swap.outcome.is_some()) });
    futures::future::join_all(ended).await.into_iter().all(|ended| ended)
}
