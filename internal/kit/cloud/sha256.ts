import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";

/** SHA-256 in the form the signer wants; with a secret, its HMAC. */
export class Sha256 {
  #hash: Hash | Hmac;
  readonly #secret: Uint8Array | null;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret === undefined ? null : bytesOf(secret);
    this.#hash = this.#fresh();
  }
  #fresh = () => (this.#secret === null ? createHash("sha256") : createHmac("sha256", this.#secret));
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()));
  }
  reset(): void {
    this.#hash = this.#fresh();
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
