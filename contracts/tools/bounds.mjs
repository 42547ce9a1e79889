// What a function may cost on today's rules (prague), steady state.
//
// goal: what we set out for. bound: what the check holds; it is above the goal only where `why` says what takes the rest.
// peer: the best contract of others that serves many swaps, measured under the same conditions.

const TOPIC = 'the standard\'s Claim and Refund events carry the hash as a topic, 375 gas each'
const LISTS = `${TOPIC} (1,500 for five), and its claimBatch takes four lists instead of one (690, and 600 to walk them)`
const DELTA = 'the balance is read before and after, 1,396 gas, so that a token that keeps a fee is refused'

export const BOUNDS = {
  'NativeHtlc.lock': { goal: 46_900, bound: 46_900, peer: 47_609 },
  'NativeHtlc.claim': { goal: 31_000, bound: 31_375, peer: 32_484, why: TOPIC },
  'NativeHtlc.refund': { goal: 30_600, bound: 30_975, peer: 31_631, why: TOPIC },
  'NativeHtlc.claimBatch.5': { goal: 53_700, bound: 56_500, peer: 61_124, why: LISTS },
  'TokenHtlc.lock': { goal: 66_000, bound: 67_232, peer: 67_233, why: DELTA },
  'TokenHtlc.lock.permit': { goal: 80_500, bound: 81_800, peer: 112_060, why: DELTA },
  'TokenHtlc.claim': { goal: 40_300, bound: 40_675, peer: 42_142, why: TOPIC },
  'TokenHtlc.refund': { goal: 39_900, bound: 40_275, peer: 41_322, why: TOPIC },
  'TokenHtlc.claimBatch.5': { goal: 61_100, bound: 64_000, peer: 68_978, why: LISTS },
  'SecretRegistry.registerSecret': { goal: 45_200, bound: 45_200, peer: 45_880 },
}
