import { gzipSync } from "node:zlib";
import { HOSTILE_TEXTS, type Maker, makeValue, type Schema } from "./openapi-values.ts";
import type { Random } from "./seeded.ts";

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly schema: Schema;
}

/** What can be asked of the server. */
export interface Operation {
  readonly method: string;
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Media type and schema of its body; null: it takes none. */
  readonly body: { readonly type: string; readonly schema: Schema } | null;
}

export interface Attack {
  readonly name: string;
  readonly head: string;
  readonly body: Uint8Array;
}

/** Spite of one request: mostly right, here and there wrong, or wrong all over. */
const SPITE = [0, 0, 12, 12, 5, 2] as const;

/** One request as bytes on the wire: its head without the credentials, and its body. */
export function attackOn(maker: Omit<Maker, "spite">, operation: Operation): Attack {
  const { random } = maker;
  const spiteful: Maker = { ...maker, spite: random.pick(SPITE) };
  const { spite } = spiteful;
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => segment(spiteful, name));
  const query = queryOf(spiteful, operation);
  const body = bodyOf(spiteful, operation);
  const headers = [
    "Host: x",
    ...operation.parameters
      .filter((one) => one.in === "header" && random.int(2) === 0)
      .map(({ name, schema }) => `${name}: ${headerText(makeValue(spiteful, schema, 0, name))}`),
    ...(body === null ? [] : body.headers),
    ...(spite > 0 && random.int(6) === 0 ? [random.pick(ODD_HEADERS)] : []),
    `Content-Length: ${body?.bytes.byteLength ?? 0}`,
  ];
  const target = `${path}${query === "" ? "" : `?${query}`}`;
  return {
    name: `${operation.method} ${target.slice(0, 300)} spite ${spite}, ${body?.note ?? "no body"}`,
    head: `${operation.method} ${target} HTTP/1.1\r\n${headers.join("\r\n")}\r\n`,
    body: body?.bytes ?? new Uint8Array(),
  };
}

const ODD_HEADERS: readonly string[] = [
  "Accept: application/x-nothing",
  "Range: bytes=-1",
  "Range: bytes=99999999999999999999-",
  "Range: bytes=5-2",
  "If-None-Match: *",
  "If-Modified-Since: never",
  "X-Forwarded-For: 127.0.0.1",
  "X-Forwarded-Proto: gopher",
  "X-HTTP-Method-Override: DELETE",
  "Expect: 100-continue",
  "Cookie: a=b; a=c; =; ;;",
  "Accept-Encoding: gzip;q=NaN, *;q=0",
  "Content-Encoding: br",
  "Content-Encoding: gzip, gzip",
  `X-Long: ${"h".repeat(8_000)}`,
  "X-Nuon-Client-Version: \u00ff\u00fe",
  "Last-Event-Id: 99999999999999999999",
  "Last-Event-Id: -1",
  `Idempotency-Key: ${"k".repeat(5_000)}`,
  "Idempotency-Key: \u00ff",
];

/** A path segment: a word that exists, or a trap of paths and percent signs. */
function segment({ random, words, spite }: Maker, name: string): string {
  if (spite === 0 || random.int(3) > 0) return encodeURIComponent(words(name).toWellFormed()).slice(0, 4_000);
  return random.pick([
    "..",
    "%2e%2e",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cx",
    "%00",
    "a%00b",
    "%ff%fe",
    "%",
    "%zz",
    "%u0041",
    "%c0%af",
    "%ed%a0%80",
    "%252e%252e",
    ";a=b",
    "a;b",
    "*",
    ":id",
    "{id}",
    "__proto__",
    "constructor",
    "-1",
    "9007199254740993",
    "a".repeat(6_000),
    "%F0%9F%A6%84",
    "sha256:%66",
    "",
  ]);
}

function queryOf(maker: Maker, operation: Operation): string {
  const { random, spite } = maker;
  const parts: string[] = [];
  for (const { name, schema } of operation.parameters.filter((one) => one.in === "query")) {
    if (random.int(2) === 0) continue;
    const times = spite > 0 && random.int(10) === 0 ? 2 : 1;
    for (let at = 0; at < times; at++) {
      const value = makeValue(maker, schema, 0, name);
      const text = typeof value === "string" ? value : JSON.stringify(value);
      const raw = spite > 0 && random.int(6) === 0;
      parts.push(`${name}=${raw ? random.pick(RAW_QUERY) : encodeURIComponent(text.toWellFormed()).slice(0, 4_000)}`);
    }
  }
  if (spite > 0 && random.int(8) === 0)
    parts.push(random.pick(["surprise=1", "=", "&&", "a[b]=c", "__proto__=1", "%=%"]));
  return parts.join("&");
}
const RAW_QUERY = ["%", "%zz", "%00", "%ff", "+", "%2B", "a%00b", "", "'", "%ed%a0%80", "1e3", "0x1", "٣", " ".trim()];

interface Body {
  readonly bytes: Uint8Array;
  readonly headers: readonly string[];
  readonly note: string;
}

function bodyOf(maker: Maker, { body, method }: Operation): Body | null {
  const { random, spite } = maker;
  if (body === null && (spite === 0 || method === "GET" || random.int(3) > 0)) return null;
  const type = body?.type ?? "application/json";
  const value = makeValue(maker, body?.schema ?? {});
  const plain = jsonText(value);
  const json = (text: string | Uint8Array, note: string, headers = [`Content-Type: ${type}`]): Body => ({
    bytes: typeof text === "string" ? new TextEncoder().encode(text) : text,
    headers,
    note: `${note}: ${typeof text === "string" ? text.slice(0, 200) : `${text.byteLength} bytes`}`,
  });
  if (spite === 0) return json(plain, "right body");
  switch (random.int(16)) {
    case 0:
      return json(plain.slice(0, random.int(plain.length + 1)), "cut JSON");
    case 1:
      return json(random.pick(["null", "[]", '""', "1", "true", "", " ", "NaN", "{", "\ufeff{}"]), "other JSON");
    case 2:
      return json(`${"[".repeat(100_000)}`, "deep arrays");
    case 3:
      return json(`${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`, "deep objects");
    case 4:
      return json(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), "no UTF-8");
    case 5:
      return json(plain, "another type", [`Content-Type: ${random.pick(ODD_TYPES)}`]);
    case 6:
      return json(plain, "no type", []);
    case 7:
      return json(gzipSync(plain), "gzip", [`Content-Type: ${type}`, "Content-Encoding: gzip"]);
    case 8:
      return json(BOMB, "gzip bomb", [`Content-Type: ${type}`, "Content-Encoding: gzip"]);
    case 9:
      return json(random.pick(RAW_JSON), "raw JSON");
    default:
      return json(plain, "body");
  }
}

/** 64 MiB of zeroes in 64 KiB. */
const BOMB = gzipSync(new Uint8Array(64 * 1024 * 1024));
const ODD_TYPES = [
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "multipart/form-data; boundary=",
  "application/json; charset=utf-16",
  "application/json;;;",
  "APPLICATION/JSON",
  "application/octet-stream",
  "\u00ff",
];
const RAW_JSON = [
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"a":1,"a":2}',
  '{"job":{"type":"noop"},"job":{"type":"script"}}',
  '{"reason":"\\ud800"}',
  '{"reason":"\\u0000"}',
  '{"after":9007199254740993,"wait_ms":1e400}',
  `{"x":${"9".repeat(5_000)}}`,
  `{${'"k":1,'.repeat(50_000)}"z":1}`,
];

/** JSON without the numbers that have no JSON form; a lone surrogate leaves as its escape. */
function jsonText(value: unknown): string {
  return JSON.stringify(value) ?? "null";
}

/** As header text: no line ends, which would be another header. */
function headerText(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/[\r\n\0]/g, "_").slice(0, 8_000);
}

/** A word for ids, names and free text: mostly one that exists. */
export const wordFrom = (random: Random, known: readonly string[]): string =>
  known.length > 0 && random.int(4) > 0 ? random.pick(known) : random.pick(HOSTILE_TEXTS.slice(0, 34));

/** The same request with this as its body: bytes, or JSON. */
export function withBody(attack: Attack, value: unknown, type = "application/json"): Attack {
  const body = value instanceof Uint8Array ? value : new TextEncoder().encode(jsonText(value));
  const head = attack.head
    .split("\r\n")
    .filter((line) => !/^content-(length|type|encoding):/i.test(line) && line !== "")
    .concat(`Content-Type: ${type}`, `Content-Length: ${body.byteLength}`);
  return {
    name: `${attack.name} ${value instanceof Uint8Array ? "bytes" : jsonText(value).slice(0, 300)}`,
    head: `${head.join("\r\n")}\r\n`,
    body,
  };
}
