import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

/** A forward proxy that knows only CONNECT: names lead to ports of this machine, and every wish is kept. */
export interface ConnectProxy {
  readonly url: string;
  /** `host:port` of each CONNECT, in order. */
  readonly seen: readonly string[];
  /** From now on `host` is what listens on `port` here. */
  name(host: string, port: number): void;
  stop(): void;
}

export async function startConnectProxy(): Promise<ConnectProxy> {
  const seen: string[] = [];
  const names = new Map<string, number>();
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    client.on("error", () => client.destroy());
    client.once("data", (head) => {
      const wish = /^CONNECT (\S+) HTTP\/1/.exec(head.toString("latin1"))?.[1] ?? "";
      seen.push(wish);
      const port = names.get(wish.replace(/:\d+$/, ""));
      if (port === undefined) {
        client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
        return;
      }
      const far = connect({ host: "127.0.0.1", port }, () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        client.pipe(far).pipe(client);
      });
      sockets.add(far);
      far.on("error", () => client.destroy());
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    name: (host, to) => void names.set(host, to),
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
