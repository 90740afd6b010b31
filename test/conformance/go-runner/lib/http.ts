import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { gunzipSync } from "node:zlib";

export interface GoRequest {
  readonly method: string;
  /** Path with query, as it stands in the request line. */
  readonly path: string;
  readonly userAgent?: string;
  /** Names in Go's spelling; sent sorted, as Go's transport does. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** The caller's context, milliseconds; absent: no limit, as most calls of the SDK. */
  readonly timeoutMs?: number;
}

export interface GoResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export interface GoTransport {
  send(request: GoRequest): Promise<GoResponse>;
  /** Connections opened so far. */
  readonly opened: () => number;
  /** Cuts every connection: the process is gone. */
  close(): void;
}

/**
 * HTTP/1.1 as Go's transport speaks it (recorded): header order Host, User-Agent, Content-Length, the rest sorted,
 * Accept-Encoding last; keep-alive with two idle connections per host; a gzipped answer is unpacked.
 */
export function goTransport(base: string, ca: string | null = null): GoTransport {
  const url = new URL(base);
  const idle: Socket[] = [];
  const all = new Set<Socket>();
  let opened = 0;

  const dial = async (): Promise<Socket> => {
    opened += 1;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const at = { host: url.hostname, port: Number(url.port) };
    const socket =
      url.protocol === "https:"
        ? connectTls({ ...at, ...(ca === null ? {} : { ca }) }, resolve)
        : connectPlain(at, resolve);
    socket.setNoDelay(true);
    all.add(socket);
    socket.once("close", () => all.delete(socket));
    socket.on("error", reject);
    // Stays for the life of the socket: an idle one may be reset.
    await promise;
    return socket;
  };

  return {
    opened: () => opened,
    close: () => {
      for (const socket of all) socket.destroy();
      idle.length = 0;
    },
    async send(request) {
      const bytes = encodeRequest(url.host, request);
      for (;;) {
        const waiting = idle.pop();
        if (waiting?.destroyed) continue;
        const socket = waiting ?? (await dial());
        const done = await exchange(socket, bytes, request);
        // The server had closed an idle connection: Go sends the request again on another one.
        if (done === null && waiting) continue;
        if (done === null) throw new Error(`${request.method} ${request.path}: EOF`);
        if (done.keep && idle.length < 2) idle.push(socket);
        else socket.end();
        return done.response;
      }
    },
  };
}

/** The bytes of a request on the wire. */
export function encodeRequest(host: string, request: GoRequest): Buffer {
  const { method, path, headers, body } = request;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    `User-Agent: ${request.userAgent ?? "Go-http-client/1.1"}`,
  ];
  if (body !== undefined) lines.push(`Content-Length: ${body.byteLength}`);
  for (const name of Object.keys(headers).sort()) lines.push(`${name}: ${headers[name]}`);
  lines.push("Accept-Encoding: gzip", "", "");
  return Buffer.concat([Buffer.from(lines.join("\r\n")), body ?? Buffer.alloc(0)]);
}

interface Exchanged {
  readonly response: GoResponse;
  readonly keep: boolean;
}

/** null: the connection closed before the first byte of an answer. */
function exchange(socket: Socket, bytes: Buffer, request: GoRequest): Promise<Exchanged | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Exchanged | null>();
  let seen = Buffer.alloc(0);
  const fail = (reason: string) => {
    socket.destroy();
    reject(new Error(`${request.method} ${request.path}: ${reason}`));
  };
  const onData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const done = parseResponse(seen, request.method);
    if (done) resolve(done);
  };
  const onClose = () => (seen.length === 0 ? resolve(null) : fail("unexpected EOF"));
  const onError = (error: Error) => fail(error.message);
  const timer =
    request.timeoutMs === undefined ? null : setTimeout(() => fail("context deadline exceeded"), request.timeoutMs);
  socket.on("data", onData);
  socket.once("close", onClose);
  socket.once("error", onError);
  socket.write(bytes);
  return promise.finally(() => {
    if (timer) clearTimeout(timer);
    socket.off("data", onData);
    socket.off("close", onClose);
    socket.off("error", onError);
  });
}

/** null: more bytes are needed. */
function parseResponse(bytes: Buffer, method: string): Exchanged | null {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const status = Number(first.split(" ")[1]);
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const rest = bytes.subarray(end + 4);
  const bodiless = method === "HEAD" || status === 204 || status === 304;
  const raw = bodiless
    ? Buffer.alloc(0)
    : headers.get("transfer-encoding") === "chunked"
      ? chunked(rest)
      : sized(rest, Number(headers.get("content-length") ?? 0));
  if (raw === null) return null;
  const body = headers.get("content-encoding") === "gzip" ? gunzipSync(raw) : raw;
  return { response: { status, headers, body }, keep: headers.get("connection") !== "close" };
}

const sized = (bytes: Buffer, length: number) => (bytes.length < length ? null : bytes.subarray(0, length));

function chunked(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return null;
    const size = Number.parseInt(bytes.subarray(at, line).toString("latin1"), 16);
    const next = line + 2 + size + 2;
    if (bytes.length < next) return null;
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = next;
  }
}
