import { connect } from "node:net";

/** What came back over a bare connection; `null`: nothing within the time, or the server just closed. */
export interface RawAnswer {
  readonly status: number;
  /** Head and body, as they came. */
  readonly text: string;
}

/**
 * Sends bytes that no client library would send, and reads until an answer's head is there, the server closes, or
 * `waitMs` passed. `linger` reads on for so long after the head (milliseconds), to see what follows it.
 */
export function rawRequest(
  url: string,
  bytes: string | Uint8Array,
  { waitMs = 5_000, linger = 0 }: { readonly waitMs?: number; readonly linger?: number } = {},
): Promise<RawAnswer | null> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    let over = false;
    const end = () => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      socket.destroy();
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
      resolve(status === undefined ? null : { status: Number(status), text });
    };
    const timer = setTimeout(end, waitMs);
    socket.on("connect", () => socket.write(bytes));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (text.includes("\r\n\r\n") && !text.startsWith("HTTP/1.1 100")) setTimeout(end, linger);
    });
    socket.on("close", end);
    socket.on("error", end);
  });
}
