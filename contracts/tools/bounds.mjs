// What a function may cost on today's rules (prague), steady state.
//
// goal: what we set out for. bound: what the check holds; it is above the goal only where `why` says what takes the rest.
// peer: the best contract of others that serves many swaps, measured under the same conditions.

const DELTA = 'the balance is read before and after, 1,396 gas, so that a token that keeps a fee is refused'

export const BOUNDS = {
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
}
