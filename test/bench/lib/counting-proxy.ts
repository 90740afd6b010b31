/** Between a runner and its control plane: passes everything on and counts the requests. */
export interface CountingProxy {
  readonly url: string;
  count(): number;
  stop(): void;
}

export function countingProxy(target: string): CountingProxy {
  let seen = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, self) {
      self.timeout(request, 0);
      seen++;
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.delete("host");
      headers.set("accept-encoding", "identity");
      const { method, signal } = request;
      const body = await request.arrayBuffer();
      return fetch(target + pathname + search, { method, headers, signal, body: body.byteLength > 0 ? body : null });
    },
    // The runner gave the request up, or the coordinator is gone.
    error: () => new Response("gone", { status: 502 }),
  });
  return { url: `http://127.0.0.1:${server.port}`, count: () => seen, stop: () => void server.stop(true) };
}
