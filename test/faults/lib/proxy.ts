/**
 * A proxy between runner and coordinator that misbehaves as data says: each rule names requests and what becomes of
 * them, for a number of times or until it is taken away.
 */
export interface Fault {
  /** Matched against `METHOD /path`. */
  readonly on: RegExp;
  readonly what: "500" | "409" | "429" | "html" | "half" | "cut" | "drop-answer" | "slow";
  /** Default: for ever. */
  readonly times?: number;
  readonly ms?: number;
}

export interface FaultProxy {
  readonly url: string;
  faults: Fault[];
  /** Nobody answers while true. */
  down: boolean;
  /** `METHOD /path` of what came through, in order. */
  readonly seen: string[];
  hits(fault: Fault): number;
  stop(): void;
}

export function startProxy(target: string, port = 0): FaultProxy {
  const counts = new Map<Fault, number>();
  const seen: string[] = [];
  const state = { faults: [] as Fault[], down: false };
  const forward = (request: Request, body: ArrayBuffer) => {
    const url = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.delete("host");
    headers.set("accept-encoding", "identity");
    return fetch(target + url.pathname + url.search, {
      method: request.method,
      headers,
      body: body.byteLength > 0 ? body : null,
      signal: request.signal,
      redirect: "manual",
    });
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    idleTimeout: 0,
    async fetch(request, self) {
      self.timeout(request, 0);
      const name = `${request.method} ${new URL(request.url).pathname}`;
      seen.push(name);
      if (state.down) return new Promise<Response>(() => request.signal.aborted);
      const body = await request.arrayBuffer();
      const fault = state.faults.find(
        (one) => one.on.test(name) && (counts.get(one) ?? 0) < (one.times ?? Number.POSITIVE_INFINITY),
      );
      if (!fault) return forward(request, body).catch(() => new Response("bad gateway", { status: 502 }));
      counts.set(fault, (counts.get(fault) ?? 0) + 1);
      switch (fault.what) {
        case "500":
          return new Response('{"error":"boom"}', { status: 500, headers: { "Content-Type": "application/json" } });
        case "409":
          return new Response('{"error":"no"}', { status: 409, headers: { "Content-Type": "application/json" } });
        case "429":
          return new Response("slow down", { status: 429, headers: { "Retry-After": "1" } });
        case "html":
          return new Response("<html><body>Service page</body></html>", {
            status: 200,
            headers: { "Content-Type": "text/html" },
          });
        case "half": {
          const answer = await forward(request, body);
          const bytes = new Uint8Array(await answer.arrayBuffer());
          return new Response(bytes.slice(0, Math.floor(bytes.length / 2)), {
            status: answer.status,
            headers: { "Content-Type": "application/json" },
          });
        }
        case "drop-answer":
          // Carried out, but the answer never arrives.
          await (await forward(request, body)).arrayBuffer();
          return new Response("gateway timeout", { status: 504 });
        case "cut":
          // The announced length never comes: the connection ends in mid-body.
          return new Response(
            new ReadableStream({
              async pull(controller) {
                controller.enqueue(new TextEncoder().encode('{"cl'));
                await Bun.sleep(20);
                controller.close();
              },
            }),
            { status: 200, headers: { "Content-Type": "application/json", "Content-Length": "5000" } },
          );
        case "slow":
          await Bun.sleep(fault.ms ?? 3_000);
          return forward(request, body);
      }
    },
    error: () => new Response("proxy", { status: 502 }),
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    get faults() {
      return state.faults;
    },
    set faults(value) {
      state.faults = value;
    },
    get down() {
      return state.down;
    },
    set down(value) {
      state.down = value;
    },
    seen,
    hits: (fault) => counts.get(fault) ?? 0,
    stop: () => void server.stop(true),
  };
}
