// What a function may cost, steady state: on today's rules (prague) and on the oldest (byzantium).
//
// goal: what we set out for. bound: what the check holds; it is above the goal only where `why` says what takes the rest.
// peer: the best contract of others that serves many swaps, measured under the same conditions.

const DELTA = 'the balance is read before and after, 1,396 gas, so that a token that keeps a fee is refused'

const EXACT = 'the balance is read before and after, 3,034 gas, so that no token with a fee lets one channel pay for another'
const SAID = 'the secrets are said in a log, 1,014 gas for one and 2,294 for six, so that whoever waits for one learns it however it was sent'
const LISTED = 'the log holds the hash of the pending locks, 326 gas, so that a counterparty that has lost its memory can build on it'

export const BOUNDS = {
  prague: {
    'NativeHtlc.lock': { goal: 46_900, bound: 46_900, peer: 47_609 },
    'NativeHtlc.claim': { goal: 31_000, bound: 31_000, peer: 32_484 },
    'NativeHtlc.refund': { goal: 30_600, bound: 30_600, peer: 31_631 },
    'NativeHtlc.claimBatch.5': { goal: 53_700, bound: 53_700, peer: 61_124 },
    'TokenHtlc.lock': { goal: 66_000, bound: 67_232, peer: 67_233, why: DELTA },
    'TokenHtlc.lock.permit': { goal: 80_500, bound: 81_800, peer: 112_060, why: DELTA },
    'TokenHtlc.claim': { goal: 40_300, bound: 40_300, peer: 42_142 },
    'TokenHtlc.refund': { goal: 39_900, bound: 39_900, peer: 41_322 },
    'TokenHtlc.claimBatch.5': { goal: 61_100, bound: 61_100, peer: 68_978 },
    'SecretRegistry.registerSecret': { goal: 45_200, bound: 45_200, peer: 45_880 },
    'Channels.openDeposit.native': { goal: 45_500, bound: 45_500, peer: 45_848 },
    'Channels.openDeposit.erc20': { goal: 64_000, bound: 64_000, peer: 64_129 },
    'Channels.deposit2.native': { goal: 28_500, bound: 28_500, peer: 29_581 },
    'Channels.deposit2.erc20': { goal: 47_000, bound: 47_000, peer: 48_637 },
    'Channels.cooperativeClose.native.1sig': { goal: 46_000, bound: 46_000, peer: 92_298 },
    'Channels.cooperativeClose.erc20.1sig': { goal: 54_500, bound: 54_500, peer: 72_011 },
    'Channels.cooperativeClose.native.2sig': { goal: 53_500, bound: 53_500, peer: 92_298 },
    'Channels.cooperativeClose.erc20.2sig': { goal: 59_500, bound: 59_500, peer: 72_011 },
    'Channels.withdraw.erc20': { goal: 51_000, bound: 51_000, peer: 70_770 },
    'Channels.close': { goal: 35_000, bound: 35_000, peer: 63_318 },
    'Channels.close.locks': { goal: 35_000, bound: 35_000, peer: 63_711 },
    'Channels.close.locks.erc20': { goal: 35_000, bound: 35_000, peer: 63_711 },
    'Channels.update': { goal: 35_000, bound: 35_000, peer: 60_578 },
    'Channels.update.erc20': { goal: 35_000, bound: 35_000, peer: 60_578 },
    'Channels.settle.erc20': { goal: 50_000, bound: 50_000, peer: 62_024 },
    'Channels.unlock.1': { goal: 31_500, bound: 31_500, peer: 105_053 },
    'Channels.unlock.6': { goal: 38_000, bound: 38_000, peer: 253_083 },
  },
  byzantium: {
    'Channels.openDeposit.native': { goal: 44_700, bound: 44_700 },
    'Channels.openDeposit.erc20': { goal: 62_000, bound: 63_900, peer: 87_749, why: EXACT },
    'Channels.deposit2.native': { goal: 29_800, bound: 29_800 },
    'Channels.deposit2.erc20': { goal: 47_100, bound: 48_840, peer: 66_419, why: EXACT },
    'Channels.cooperativeClose.native.1sig': { goal: 40_500, bound: 40_500 },
    'Channels.cooperativeClose.erc20.1sig': { goal: 56_500, bound: 56_500 },
    'Channels.cooperativeClose.native.2sig': { goal: 50_500, bound: 50_500 },
    'Channels.cooperativeClose.erc20.2sig': { goal: 66_500, bound: 66_500 },
    'Channels.withdraw.erc20': { goal: 57_500, bound: 57_500 },
    'Channels.close': { goal: 42_500, bound: 42_500 },
    'Channels.close.locks': { goal: 42_500, bound: 42_800, peer: 70_427, why: LISTED },
    'Channels.update': { goal: 42_000, bound: 42_000, peer: 63_618 },
    'Channels.settle.erc20': { goal: 47_500, bound: 47_500 },
    'Channels.unlock.1': { goal: 36_500, bound: 37_450, peer: 110_294, why: SAID },
    'Channels.unlock.6': { goal: 57_000, bound: 57_950, peer: 707_284, why: SAID },
  },
}
