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

/** One line of a scenario as it stands in the file: an exchange, or something that happened outside HTTP. */
export interface ScenarioLine {
  readonly event?: string;
  readonly repeated?: number;
  readonly request?: {
    readonly method: string;
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
    readonly headers?: Readonly<Record<string, string>> | string;
    readonly body?: unknown;
    readonly body_text?: string;
    readonly body_base64?: string;
    readonly body_note?: string;
    readonly decoded?: { readonly records?: readonly { readonly severity_text: string; readonly body: unknown }[] };
  };
  readonly response?: { readonly status?: number; readonly body?: unknown };
}

export interface Scenario {
  readonly name: string;
  readonly exchanges: readonly ScenarioLine[];
}

/** The scenarios of the real Go runner, in order, with everything that was recorded of them. */
export async function goRunnerScenarios(): Promise<Scenario[]> {
  return (await load("nuon-examples.json.gz")) as Scenario[];
}

/** What the real control plane answered. Bodies are text there. */
export async function serverExchanges(): Promise<Exchange[]> {
  const entries = (await load("nuon-server-examples.json.gz")) as (Raw & { note: string })[];
  return entries.flatMap((one) => exchangeOf(one.note, one));
}

/** The OpenAPI document of the runner API. */
export async function apiDocument(): Promise<ApiDocument> {
  return (await load("nuon-runner-api.json.gz")) as ApiDocument;
}

/** A schema of that document, as far as it uses them. */
export interface DocSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, DocSchema>>;
  readonly items?: DocSchema;
  readonly additionalProperties?: DocSchema | boolean;
  readonly allOf?: readonly DocSchema[];
  readonly anyOf?: readonly DocSchema[];
  readonly oneOf?: readonly DocSchema[];
  readonly contentSchema?: DocSchema;
}

type Content = Readonly<Record<string, { readonly schema?: DocSchema }>>;

export interface DocOperation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name?: string; readonly in?: string }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, DocSchema>> };
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
