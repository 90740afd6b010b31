import { join } from "node:path";

/** One recorded exchange, bodies as they were on the wire where they are text; undefined: no body, or left out. */
export interface Exchange {
  /** Scenario or note, to find it in the file. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly request: unknown;
  readonly requestBytes: Uint8Array | null;
  readonly status: number;
  readonly response: unknown;
}

type Raw = Record<string, unknown>;

/** What the real Go runner sent, and what a small server answered it. */
export async function goRunnerExchanges(): Promise<Exchange[]> {
  const scenarios = (await load("nuon-examples.json.gz")) as { name: string; exchanges: Raw[] }[];
  return scenarios.flatMap(({ name, exchanges }) => exchanges.flatMap((one) => exchangeOf(name, one)));
}

/** What the real control plane answered. Bodies are text there. */
export async function serverExchanges(): Promise<Exchange[]> {
  const entries = (await load("nuon-server-examples.json.gz")) as (Raw & { note: string })[];
  return entries.flatMap((one) => exchangeOf(one.note, one));
}

async function load(file: string): Promise<unknown> {
  const packed = await Bun.file(join(import.meta.dir, "recordings", file)).bytes();
  return JSON.parse(new TextDecoder().decode(Bun.gunzipSync(packed)));
}

function exchangeOf(name: string, raw: Raw): Exchange[] {
  const request = raw.request as Raw | undefined;
  const response = (raw.response ?? {}) as Raw;
  if (request === undefined) return [];
  const [path = ""] = String(request.path).split("?");
  return [
    {
      name,
      method: String(request.method),
      // One scenario has a base path and one a job without a stream: both are the same routes.
      path: path.replace(/^\/base\/+/, "/").replace("/log-streams//", "/log-streams/none/"),
      request: parsed(request.body),
      requestBytes: typeof request.body_base64 === "string" ? Buffer.from(request.body_base64, "base64") : null,
      status: Number(response.status ?? 0),
      response: parsed(response.body),
    },
  ];
}

/** JSON text as its value; other text and values as they are. */
function parsed(body: unknown): unknown {
  if (typeof body !== "string") return body;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

/** The recorder's own words in place of a body: `{same as …}`, `(same document …)`, or a key `...` for further fields. */
export function isRemark(body: unknown): boolean {
  if (typeof body === "string") return /^[{(].*[)}]$/s.test(body) && parsed(body) === body;
  return isShortened(body);
}

function isShortened(body: unknown): boolean {
  if (body === null || typeof body !== "object") return false;
  return "..." in body || Object.values(body).some(isShortened);
}
