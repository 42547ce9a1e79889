// Uses the generated client against a running API: everything below is checked against the document's types, and then against what
// the API answers.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";
import { all } from "./operations.js";
import { Signer } from "./signer.js";

const [at, token] = process.argv.slice(2);
assert(at && token);
const api = createClient<paths>({ baseUrl: `http://${at}`, headers: { Authorization: `Bearer ${token}` } });
const swaps = 5;

/// What a call brought, which must have gone well.
function fine<T>(answer: { data?: T; error?: components["schemas"]["Problem"]; response: Response }): T {
  assert(answer.data !== undefined, `${answer.response.status}: ${answer.error?.detail}`);
  return answer.data;
}

/// Why a call was refused.
function refused(answer: { data?: unknown; error?: components["schemas"]["Problem"]; response: Response }, word: string): void {
  const { error, response } = answer;
  assert(error && response.headers.get("content-type") === "application/problem+json");
  assert.equal(error.type, `urn:photon:problem:${word}`);
  assert.equal(error.status, response.status);
  assert(error.title.length > 0 && error.detail.length > 0);
}

const pairs = fine(await api.GET("/v1/pairs")).pairs;
const pair = pairs[0];
assert(pair && pair.give === "ETH" && pair.want === "BTC" && Number(pair.price) > 0);

// As the taker of five swaps, with keys of our own.
const account = `0x${"33".repeat(20)}`;
const agreed: string[] = [];
for (let made = 0; made < swaps; made++) {
  const signer = new Signer();
  const wish = { give: "ETH", want: "BTC", give_amount: "1000000000000000" };
  const quote = fine(await api.POST("/v1/quotes", { body: wish }));
  assert(quote.give.amount === wish.give_amount && BigInt(quote.want.amount) > 0n && quote.valid_until * 1000 > Date.now());
  const proposal = fine(await api.POST("/v1/proposals", { body: signer.take(quote.id, account) }));
  const { alpha, beta } = proposal.terms;
  assert(alpha.lock.asset === "BTC" && alpha.lock.amount === quote.want.amount && alpha.lock.template === "p2wsh");
  assert(beta.lock.amount === quote.give.amount && "account" in beta.lock.redeemer && beta.lock.redeemer.account === account);
  assert(alpha.lock.expiry.opens_time > beta.lock.expiry.opens_time);
  const consent = { swap: proposal.swap, signature: signer.accept(proposal.swap) };
  const accepted = fine(await api.POST("/v1/acceptances", { body: consent }));
  assert.deepEqual(fine(await api.POST("/v1/acceptances", { body: consent })), accepted);
  agreed.push(accepted.swap);

  const { swap, uri, pay, pay_until } = fine(await api.GET("/v1/swaps/{id}/payment", { params: { path: { id: accepted.swap } } }));
  assert(swap === accepted.swap && uri.startsWith("bitcoin:") && pay.asset === "BTC" && pay_until > 0);
}

// Page by page, the newest first.
const listed: string[] = [];
let after: string | undefined;
do {
  const query = { state: "live", limit: 2, ...(after === undefined ? {} : { after }) };
  const page = fine(await api.GET("/v1/swaps", { params: { query } }));
  assert(page.swaps.length <= 2);
  listed.push(...page.swaps.map((swap) => swap.id));
  after = page.next ?? undefined;
} while (after !== undefined);
assert.deepEqual(listed, [...agreed].reverse());
const one = fine(await api.GET("/v1/swaps/{id}", { params: { path: { id: agreed[0]! } } }));
assert(one.role === "participant" && one.legs.length === 2 && one.deadline != null);

// What goes wrong comes as a problem, with its type.
const nowhere = { params: { path: { id: "00".repeat(32) } } };
refused(await api.GET("/v1/swaps/{id}", nowhere), "not-found");
refused(await api.GET("/v1/swaps", { params: { query: { limit: 0 } } }), "malformed");
refused(await api.POST("/v1/quotes", { body: { give: "ETH", want: "BTC" } }), "invalid");
refused(await api.POST("/v1/quotes", { body: { give: "BTC", want: "ETH", give_amount: "1" } }), "not-found");
const stranger = createClient<paths>({ baseUrl: `http://${at}`, headers: { Authorization: "Bearer nobody" } });
refused(await stranger.GET("/v1/health"), "unauthenticated");

// Every operation that only reads and needs no name of something is called once.
const offer = { give: { asset: "ETH", amount: "1000000000000000" }, want: { asset: "BTC", amount: "5000" }, valid_secs: 60 };
const key = { header: { "Idempotency-Key": "client-offer" } };
const made = fine(await api.POST("/v1/offers", { params: key, body: offer }));
assert(fine(await api.GET("/v1/offers")).offers.some((known) => known.id === made.id));
assert.equal(fine(await api.DELETE("/v1/offers/{id}", { params: { path: { id: made.id } } })).state, "cancelled");
assert(fine(await api.GET("/v1/health")).healthy && fine(await api.GET("/v1/balances")).balances.length === 2);
assert.deepEqual(fine(await api.GET("/v1/peers")).peers, []);
assert.deepEqual(fine(await api.GET("/v1/webhooks")).webhooks, []);
assert.deepEqual(fine(await api.GET("/v1/channels")).channels, []);
assert.deepEqual(fine(await api.GET("/v1/payments")).payments, []);
assert.deepEqual(fine(await api.GET("/v1/requests")).requests, []);
const books = fine(await api.GET("/v1/statements"));
assert(typeof books !== "string" && books.lines.length === 0);

// Events: the first that was ever written is read, and the stream let go.
const stop = new AbortController();
const events = await api.GET("/v1/events", { params: { query: { after: 0, kinds: "swap" } }, parseAs: "stream", signal: stop.signal });
const reader = events.data?.getReader();
assert(reader);
const first = new TextDecoder().decode((await reader.read()).value);
stop.abort();
const event: components["schemas"]["EventView"] = JSON.parse(/^data: (.*)$/m.exec(first)?.[1] ?? "");
assert(event.kind === "swap" && event.seq > 0 && agreed.includes(event.subject));

console.log(`client: ${Object.keys(all).length} operations generated, ${agreed.length} swaps agreed and listed`);
