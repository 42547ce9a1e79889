// What a taker with keys of its own signs: EIP-712 digests in Photon's domain, over a canonical form of what is said.
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes, hexToBytes, randomBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import type { components } from "./api.js";

type Half = components["schemas"]["TakerHalf"];
type Party = components["schemas"]["PartyName"];

const hex = (text: string) => hexToBytes(text.replace(/^0x/, ""));
const keccak = (...parts: Uint8Array[]) => keccak_256(concatBytes(...parts));
const word = (text: string) => keccak(utf8ToBytes(text));

function number(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

const sized = (bytes: Uint8Array) => concatBytes(number(bytes.length), bytes);
const party = (name: Party) =>
  "key" in name ? concatBytes(Uint8Array.of(1), sized(hex(name.key))) : concatBytes(Uint8Array.of(2), sized(hex(name.account)));

function digest(kind: string, ...words: Uint8Array[]): Uint8Array {
  const domain = keccak(word("EIP712Domain(string name,string version)"), word("Photon"), word("1"));
  return keccak(Uint8Array.of(0x19, 1), domain, keccak(word(kind), ...words));
}

export class Signer {
  readonly #key = secp256k1.utils.randomSecretKey();

  get identity(): string {
    const point = secp256k1.getPublicKey(this.#key, false).subarray(1);
    return `0x${bytesToHex(keccak(point).subarray(12))}`;
  }

  /// A half of a swap on that quote: pays out of a fresh key on Bitcoin, and is paid to that account.
  take(offer: string, account: string): { take: Half; signature: string } {
    const take: Half = {
      offer,
      taker: this.identity,
      salt: bytesToHex(randomBytes(16)),
      secret_hash: bytesToHex(sha256(randomBytes(32))),
      alpha_refundee: { key: bytesToHex(secp256k1.getPublicKey(secp256k1.utils.randomSecretKey())) },
      beta_redeemer: { account },
      offline_secs: 7200,
    };
    const said = [take.offer, take.taker, take.salt, take.secret_hash].map((field) => sized(hex(field)));
    const parties = [party(take.alpha_refundee), party(take.beta_redeemer)];
    const all = concatBytes(sized(utf8ToBytes("photon/take/1")), ...said, ...parties, number(take.offline_secs));
    return { take, signature: this.#sign(digest("Take(bytes32 take)", sha256(all))) };
  }

  /// Consent to the terms of that swap.
  accept(swap: string): string {
    return this.#sign(digest("Swap(bytes32 swap,string role,string step)", hex(swap), word("initiator"), word("accept")));
  }

  #sign(digest: Uint8Array): string {
    const signature = secp256k1.sign(digest, this.#key, { prehash: false, format: "recovered" });
    return bytesToHex(concatBytes(signature.subarray(1), Uint8Array.of(27 + (signature[0] ?? 0))));
  }
}
