import { z } from "zod";
import { kubeObject } from "../../../kit/kube/index.ts";
import { readFields } from "../../../protocol/protobuf.ts";

const secretBody = kubeObject.extend({ data: z.record(z.string(), z.string()).nullish() });
export type SentSecret = z.infer<typeof secretBody>;

/** What stands before an object of Kubernetes in protobuf. */
const MAGIC = Buffer.from("k8s\0");

/** The Secret in a request, which clients of Go send as JSON or as protobuf; null: it is none. */
export function readSecret(body: Uint8Array): SentSecret | null {
  try {
    if (Buffer.from(body.subarray(0, MAGIC.length)).equals(MAGIC)) return fromProtobuf(body.subarray(MAGIC.length));
    return secretBody.safeParse(JSON.parse(new TextDecoder().decode(body))).data ?? null;
  } catch {
    return null;
  }
}

/** runtime.Unknown { 2: raw } around core/v1 Secret { 1: ObjectMeta, 2: map of bytes }, by their published field numbers. */
function fromProtobuf(body: Uint8Array): SentSecret {
  let name = "";
  const labels: Record<string, string> = {};
  const data: Record<string, string> = {};
  each(body, 2, (secret) => {
    each(secret, 1, (meta) => {
      each(meta, 1, (text) => {
        name = utf8(text);
      });
      each(meta, 11, (pair) => entry(pair, (key, value) => (labels[key] = utf8(value))));
    });
    each(secret, 2, (pair) => entry(pair, (key, value) => (data[key] = Buffer.from(value).toString("base64"))));
  });
  return { metadata: { name, labels }, data };
}

const utf8 = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");

function each(bytes: Uint8Array, wanted: number, visit: (value: Uint8Array) => unknown): void {
  readFields(bytes, (field, value) => {
    if (field === wanted && value instanceof Uint8Array) visit(value);
  });
}

/** An entry of a map: 1 is its key, 2 its value. */
function entry(pair: Uint8Array, put: (key: string, value: Uint8Array) => unknown): void {
  let key = "";
  let held: Uint8Array = new Uint8Array();
  each(pair, 1, (text) => {
    key = utf8(text);
  });
  each(pair, 2, (value) => {
    held = value;
  });
  put(key, held);
}
