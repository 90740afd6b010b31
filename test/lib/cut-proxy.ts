import { connect, createServer, type Socket } from "node:net";

/** A wire between a client and a server that can be cut: every open connection ends at once, new ones are taken. */
export interface CutProxy {
  readonly url: string;
  /** Cuts every open connection; answers how many there were. */
  cut(): number;
  stop(): void;
}

export async function startCutProxy(target: string): Promise<CutProxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const end = () => {
      open.delete(client);
      client.destroy();
      upstream.destroy();
    };
    open.add(client);
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const own = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${own}`,
    cut() {
      const cut = [...open];
      for (const socket of cut) socket.destroy();
      return cut.length;
    },
    stop() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
