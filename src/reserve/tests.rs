use super::*;

// F7
#[test]
fn a_disk_without_room_or_that_does_not_tell_has_a_shortage() {
    let here = std::env::temp_dir();
    assert_eq!(DiskGate::new(here.clone(), 0).shortage(), None);
    assert!(DiskGate::new(here.clone(), u64::MAX).shortage().is_some_and(|free_mb| free_mb < u64::MAX));
    assert_eq!(DiskGate::new(here.join("no such folder"), 1).shortage(), Some(0));
}

#[test]
fn nothing_is_risked_before_the_first_comparison() {
    let reserves = Reserves::new(Ledgers::new(&[]), DiskGate::new(std::env::temp_dir(), 0));
    assert!(!reserves.hold());
}

#[tokio::test]
async fn nothing_new_is_begun_on_a_full_disk() {
    for (least_mb, holds) in [(0, true), (u64::MAX, false)] {
        let reserves = Reserves::new(Ledgers::new(&[]), DiskGate::new(std::env::temp_dir(), least_mb));
        reserves.look().await;
        assert_eq!(reserves.hold(), holds);
    }
}
