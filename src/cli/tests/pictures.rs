//! What tables look like, to the character.
use super::*;
use crate::api::fake;
use crate::cli::table::{self, Style};
use crate::service::SwapView;

fn shown(swaps: &[SwapView]) -> String {
    table::swaps(swaps, now(), Style::PLAIN)
}

#[test]
fn swaps_in_all_their_states() {
    let mut stuck = fake::swap(4, None);
    stuck.trouble = Some("the ethereum node does not answer".to_owned());
    stuck.legs[1].status = "unknown".to_owned();
    let mut redeemed = fake::swap(5, Some("completed"));
    redeemed.role = "participant".to_owned();
    redeemed.legs.iter_mut().for_each(|leg| {
        leg.status = "redeemed".to_owned();
        leg.depth = 3;
        leg.ours = !leg.ours;
    });
    let swaps = [fake::swap(1, None), fake::swap(2, None), fake::swap(3, Some("refunded")), stuck, redeemed];
    assert_eq!(
        shown(&swaps),
        "\
SWAP        WE GIVE → GET    ROLE         PHASE      ALPHA         BETA          NEXT
0101010101  0.1 BTC → 2 ETH  initiator    funding    funded 1/3    absent        fund alpha in 3 min
0202020202  0.1 BTC → 2 ETH  initiator    funding    funded 2/3    absent        fund alpha in 3 min
0303030303  0.1 BTC → 2 ETH  initiator    refunded   funded 3/3    absent        refunded now
0404040404  0.1 BTC → 2 ETH  initiator    funding    funded 1/3    unknown       the ethereum node does not answer
0505050505  2 ETH → 0.1 BTC  participant  completed  redeemed 3/3  redeemed 3/3  completed now
"
    );
}

#[test]
fn nothing_that_a_peer_or_node_says_can_move_the_cursor_or_add_a_row() {
    let mut swap = fake::swap(1, None);
    swap.trouble = Some("\u{1b}[2J\u{1b}]0;title\u{7}\nfake row\r\u{202e}drawkcab\u{9b}1m".to_owned());
    swap.phase = "fun\tding".to_owned();
    swap.legs[0].asset_amount.coins = Some("\u{1b}[31m5".to_owned());
    swap.legs.truncate(1);
    let text = shown(&[swap]);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
}

#[test]
fn a_narrow_terminal_wraps_cells_instead_of_lines_and_colour_is_only_where_it_is_wanted() {
    let swaps: Vec<SwapView> = (1..=3).map(|number| fake::swap(number, None)).collect();
    let narrow = table::swaps(&swaps, now(), Style { color: false, width: Some(60) });
    assert!(narrow.lines().count() > 4 && narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    let colored = table::swaps(&swaps, now(), Style { color: true, width: None });
    assert!(colored.contains("\u{1b}[") && !shown(&swaps).contains('\u{1b}'));
}

#[test]
fn an_amount_without_its_decimals_is_shown_in_units() {
    let mut amount = fake::amount("USDX", 5_000_000, "5");
    assert_eq!(table::amount(&amount), "5 USDX");
    amount.coins = None;
    assert_eq!(table::amount(&amount), "5000000 smallest units of USDX");
    amount.asset = "BTC".to_owned();
    assert_eq!(table::amount(&amount), "0.05 BTC");
}

#[tokio::test]
async fn a_swap_in_full() {
    let world = World::new().await;
    world.fake.put_swap(fake::swap(1, None));
    let text = done(&world, &["swap", "show", "0101"]).await.out;
    let ones = "01".repeat(32);
    let expected = format!(
        "\
swap        {ones}
give → get  0.1 BTC → 2 ETH
role        initiator, with 0x{bb}
phase       funding
agreed      60 s ago (2027-01-15 07:59:00 UTC)
next        fund alpha in 3 min (2027-01-15 08:03:00 UTC)
alpha       0.1 BTC on bitcoin, ours: funded 1/3
  refund    possible in 2 h (2027-01-15 10:00:00 UTC)
  sent      fund: {nines} mined, fee 0.000015 BTC
beta        2 ETH on ethereum, theirs: absent
  refund    possible in 2 h (2027-01-15 10:00:00 UTC)
fact        fund_intent 30 s ago (2027-01-15 07:59:30 UTC)
offer       {offer}
hash        {ones}
",
        bb = "bb".repeat(20),
        nines = "09".repeat(32),
        offer = "0f".repeat(32),
    );
    assert_eq!(text, expected);
}
