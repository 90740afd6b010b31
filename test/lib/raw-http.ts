import { connect } from "node:net";

/** An answer read off a bare connection. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** false: the stream was left at its head, or the time was over in mid-body. */
  readonly complete: boolean;
  /** Everything as it came. */
  readonly bytes: Buffer;
}

interface Reading {
  /** Milliseconds until it is given up; default 10 s. */
  readonly waitMs?: number;
  /** The answer has no body whatever its head says. */
  readonly bodyless?: boolean;
}

/**
 * Sends bytes that no client library would send and reads the answer: `"closed"` when the server ended the connection
 * without one, `"silent"` when it said nothing in time. Event streams are left at their head.
 */
export function rawRequest(
  url: string,
  bytes: string | Uint8Array,
  { waitMs = 10_000, bodyless = false }: Reading = {},
): Promise<RawAnswer | "closed" | "silent"> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let all = Buffer.alloc(0);
    const end = (why: "closed" | "silent") => {
      clearTimeout(timer);
      socket.destroy();
      const answer = parseAnswer(all);
      // Without a length the end of the connection is the end of the body.
      const whole = answer !== null && answer.headers["content-length"] === undefined && why === "closed";
      const chunked = answer?.headers["transfer-encoding"] === "chunked";
      resolve(answer === null ? why : whole && !chunked ? { ...answer, complete: true } : answer);
    };
    const timer = setTimeout(() => end("silent"), waitMs);
    socket.on("connect", () => socket.write(bytes));
    socket.on("data", (chunk: Buffer) => {
      all = Buffer.concat([all, chunk]);
      const answer = parseAnswer(all);
      if (answer === null) return;
      const streams = answer.headers["content-type"]?.startsWith("text/event-stream") === true;
      if (answer.complete || bodyless || streams) end("closed");
    });
    socket.on("close", () => end("closed"));
    socket.on("error", () => end("closed"));
  });
}

/** null: its head is not whole. An interim answer (100, 103) is skipped. */
function parseAnswer(all: Buffer): RawAnswer | null {
  const split = all.indexOf("\r\n\r\n");
  if (split < 0) return null;
  const [first = "", ...lines] = all.subarray(0, split).toString("latin1").split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0);
  const rest = all.subarray(split + 4);
  if (status >= 100 && status < 200 && status !== 101) return parseAnswer(rest);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  if (headers["transfer-encoding"] === "chunked") return { status, headers, ...unchunked(rest), bytes: all };
  const length = Number(headers["content-length"] ?? (status === 204 || status === 304 ? 0 : Number.NaN));
  return { status, headers, body: rest, complete: rest.length >= length, bytes: all };
}

function unchunked(rest: Buffer): { readonly body: Buffer; readonly complete: boolean } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = rest.indexOf("\r\n", at);
    if (line < 0) break;
    const size = Number.parseInt(rest.subarray(at, line).toString("latin1"), 16);
    if (size === 0) return { body: Buffer.concat(parts), complete: true };
    if (Number.isNaN(size) || rest.length < line + 2 + size + 2) break;
    parts.push(rest.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return { body: Buffer.concat(parts), complete: false };
}
