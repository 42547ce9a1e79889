//! The file that `photon init` writes.

use super::Network;

/// The commented file that `photon init` writes.
pub fn template(network: Network) -> String {
    let (profile, btc_port, ltc_port, eth_id, smt_id) = match network {
        Network::Mainnet => ("standard", 8332, 9332, 1, 20_180_430),
        Network::Testnet => ("standard", 48332, 19332, 11_155_111, 2022),
        Network::Regtest => ("regtest", 18443, 19443, 31_337, 20_180_430),
    };
    let (name, second_port) = (network.name(), btc_port + 10_000);
    let mainnet = if network == Network::Mainnet {
        "# Photon is young: mainnet starts only with this line, and real money can be lost.\n# allow_mainnet = true\n"
    } else {
        ""
    };
    format!(
        r#"# Photon's configuration. Every key is shown; a key that is not known refuses to start.
# PHOTON__BITCOIN__RPC_URL in the environment goes over [bitcoin] rpc_url, and `--set bitcoin.rpc_url=...` over that.

# mainnet, testnet or regtest: for every ledger at once. A node of another network refuses to start.
network = "{name}"
{mainnet}
# The longest time this node may be offline: hot (15 min), standard (2 h) or desktop (12 h). Longer is safer and slower.
profile = "{profile}"

# With fewer free megabytes on this disk nothing new is begun; what runs goes on.
min_free_mb = 1024

# With true, somebody is asked before each lock of ours: by an event of the kind `approval`, answered at /v1/swaps/ID/approval.
# A swap that is funded by hand is not asked about.
ask_before_lock = false

# When so many swaps with one peer came to nothing within a day after we had paid in, nothing new is begun with it.
failures_per_peer = 5

[peer]
# Where other nodes reach us. Without it we only dial out: enough to take offers, not to make them.
listen = "127.0.0.1:7707"
# Ask connected nodes, and peers with a name, which offers they know of (`photon offer list` shows them), and tell them of those we know.
gossip = true
# Tell of our own offers too, and with them where everybody reaches us.
# announce = "node.example:7707"
# Say on the local network which node we are, and find neighbours in channels there: payments go on without an internet. Whoever is on
# that network hears it; listen must be an address there, or 0.0.0.0:7707.
lan = false

[api]
# The HTTP API and the command line. Loopback only, unless you put a TLS proxy before it.
listen = "127.0.0.1:7708"
# More host names by which it may be called.
allowed_hosts = []
# Webhooks lead to https and public addresses; with true also to http on this machine.
webhooks_on_loopback = false
# Requests of one token in a second; twice as many at once after a rest.
requests_per_second = 500

# Quote a pair to whoever asks: short offers at a price, in one direction. Leave it out to make offers by hand only.
# # [[market]]
# # give = "ETH"
# # want = "BTC"
# # price = "0.05"          # BTC for one ETH; or price_file = "/path", or price_url = "https://..." with price_pointer = "/data/price"
# #                         # (http:// on this machine only; price_ca_file = "/ca.pem" names an authority of your own)
# # price_min = "0.03"      # a price from outside needs bounds, and is none when older than max_age_secs = 30
# # price_max = "0.08"
# # min = "0.01"            # so much ETH at least and at most in one swap
# # max = "5"
# # fee_bps = 10            # hundredths of a percent over the price ...
# # margin_bps = 20
# # volatility_percent = 80 # ... and the worth of the taker's right to walk away, from how much the price moves in a year
# # ttl_secs = 20

# # [maker]
# # stranger_swaps = 16     # live swaps with one peer that has no name here
# # strangers_unpaid = 256  # swaps that such peers agreed to and did not pay in yet, all together

# Payment channels, on every ledger that names a channels contract.
# # [channels]
# # fee_ppm = 1000          # what we take for sending a payment on: millionths of it, and fee_base smallest units
# # fee_base = 0
# # most_locks = 120        # pending payments of one neighbour, in number (at most 480, and 235 on SMT) ...
# # most_pending = "1000"   # ... and in smallest units of its token; absent: as much as its channel holds
# # reach = 1              # mediators that may stand in a swap's leg where there is no channel with the other side
# # from_strangers = 1000   # channels that strangers may have opened with us
# # announce = false        # tells nobody but our neighbours of our channels: strangers then pay us on our requests alone
# # The most that neighbours may pay us while we can't see the chain, by asset and in smallest units; what is not named: nothing.
# # offline_limit = {{ ETH = "50000000000000000" }}
# # backup = "/media/stick/channels.backup"   # kept up with all that is promised in channels, sealed with the seed

# Leave out the ledgers you don't trade: delete a section, or keep it behind its #.

# [bitcoin]
# rpc_url = "http://127.0.0.1:{btc_port}"
# cookie_file = "/home/you/.bitcoin/.cookie"    # or: rpc_user = "..." and rpc_password_file = "..."
# wallet = "photon"                             # the node's wallet that funds and receives
# payout_address = ""                           # instead of a wallet: where redeemed and refunded coins go
# # confirmations = 6                           # before a lock is relied on; more than usual, and partners must name the same
# # A second node of the same chain, best run by somebody else, needs no wallet. With it no new money is risked unless both
# # nodes show the same; what is under way goes on by what either shows. Every ledger may have one.
# # [bitcoin.second_node]
# # rpc_url = "http://127.0.0.1:{second_port}"
# # cookie_file = "/home/you/.bitcoin-2/.cookie"  # or rpc_user and rpc_password_file

# [litecoin]
# rpc_url = "http://127.0.0.1:{ltc_port}"
# cookie_file = "/home/you/.litecoin/.cookie"
# wallet = "photon"

# [ethereum]
# rpc_url = "http://127.0.0.1:8545"
# chain_id = {eth_id}
# # `photon deploy ethereum` puts the contracts there and writes the next line, or adds what it lacks. Without `channels` there
# # are swaps and no payment channels.
# # contracts = {{ registry = "0x...", native_htlc = "0x...", token_htlc = "0x...", channels = "0x..." }}
# # Tokens you trust; no other is ever touched. Fee-on-transfer and rebasing tokens are refused.
# # [[ethereum.tokens]]
# # symbol = "USDX"
# # address = "0x..."
# # decimals = 6
# # code_hash = ""                              # keccak256 of its code; then a changed token is refused
# # [ethereum.second_node]
# # rpc_url = "http://127.0.0.1:8547"

# [smt]
# rpc_url = "http://127.0.0.1:18545"
# chain_id = {smt_id}
"#
    )
}
