import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What happens to one request instead of, or around, its normal handling. Data, so that a test reads as a table. */
export interface Fault {
  /** Answer this status with `body` and do nothing else. */
  readonly status?: number;
  readonly body?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds before anything else happens. */
  readonly delay?: number;
  /** `before`: cut the connection, nothing was done. `after`: do it, then cut instead of answering. `half`: do it, send half of the answer. */
  readonly cut?: "before" | "after" | "half";
  /** `before`: never answer, nothing was done. `after`: do it, never answer. */
  readonly hang?: "before" | "after";
}

/** An error page as proxies send it, with a success status or another. */
export const htmlPage = (status = 502): Fault => ({
  status,
  body: "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>",
  type: "text/html",
});
export const serverError: Fault = { status: 500, body: '{"error":"boom","description":"boom"}' };
export const busy = (seconds: number): Fault => ({
  status: 429,
  body: "busy",
  type: "text/plain",
  headers: { "Retry-After": String(seconds) },
});

export interface Seen {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  /** A string is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ScriptedServer {
  readonly url: string;
  /** Every request in order of arrival, also those that met a fault. */
  readonly seen: readonly Seen[];
  /** Requests of a route: `METHOD /path` with `*` for one segment. */
  of(route: string): Seen[];
  /** The next requests of this route meet these faults, one each; later ones are answered normally. */
  script(route: string, ...faults: readonly Fault[]): void;
  /** Every request of this route meets this fault until it is lifted. */
  always(route: string, fault: Fault | null): void;
  /** Gone: the port is closed, open connections are cut. `up` opens the same port again. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

/** A real HTTP server around `handle`, on a free port of the loopback, that misbehaves as told. */
export async function startScriptedServer(
  handle: (request: Seen) => Answer | Promise<Answer>,
): Promise<ScriptedServer> {
  const seen: Seen[] = [];
  const scripts: { readonly route: string; readonly faults: Fault[] }[] = [];
  const standing = new Map<string, Fault>();

  function faultFor(request: Seen): Fault {
    const planned = scripts.find((one) => one.faults.length > 0 && matches(one.route, request))?.faults.shift();
    return planned ?? [...standing].find(([route]) => matches(route, request))?.[1] ?? {};
  }

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const request = await read(incoming);
    seen.push(request);
    const fault = faultFor(request);
    if (fault.delay) await Bun.sleep(fault.delay);
    if (fault.cut === "before") return void incoming.socket.destroy();
    if (fault.hang === "before") return;
    if (fault.status !== undefined) {
      const type = fault.type ?? "application/json";
      const headers = fault.headers ?? {};
      return write(outgoing, { status: fault.status, body: fault.body ?? "", type, headers });
    }
    const answer = await handle(request);
    if (fault.cut === "after") return void incoming.socket.destroy();
    if (fault.hang === "after") return;
    if (fault.cut === "half") return writeHalf(outgoing, answer, () => incoming.socket.destroy());
    write(outgoing, answer);
  }

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch((error: unknown) => write(outgoing, { status: 500, body: String(error) }));
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });

  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    of: (route) => seen.filter((request) => matches(route, request)),
    script: (route, ...faults) => void scripts.push({ route, faults: [...faults] }),
    always: (route, fault) => void (fault === null ? standing.delete(route) : standing.set(route, fault)),
    down: close,
    up: () => listen(port),
    stop: close,
  };
}

function matches(route: string, request: Pick<Seen, "method" | "path">): boolean {
  const [method, pattern = ""] = route.split(" ");
  if (method !== "*" && method !== request.method) return false;
  const wanted = pattern.split("/");
  const given = request.path.split("/");
  return wanted.length === given.length && wanted.every((part, n) => part === "*" || part === given[n]);
}

async function read(incoming: IncomingMessage): Promise<Seen> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const url = new URL(incoming.url ?? "/", "http://server");
  const headers = Object.entries(incoming.headers).map(([key, value]) => [key, String(value)]);
  return {
    at: performance.now(),
    method: incoming.method ?? "",
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    headers: Object.fromEntries(headers),
    body: Buffer.concat(parts),
  };
}

function write(outgoing: ServerResponse, answer: Answer): void {
  const body =
    typeof answer.body === "string" ? answer.body : answer.body === undefined ? "" : JSON.stringify(answer.body);
  const type = answer.type ?? "application/json; charset=utf-8";
  outgoing.writeHead(answer.status, { "Content-Type": type, ...answer.headers });
  outgoing.end(body);
}

function writeHalf(outgoing: ServerResponse, answer: Answer, cut: () => void): void {
  const body = JSON.stringify(answer.body ?? "something longer than nothing");
  outgoing.writeHead(answer.status, { "Content-Type": "application/json", "Content-Length": String(body.length) });
  outgoing.write(body.slice(0, Math.max(1, body.length / 2)));
  setTimeout(cut, 5);
}
