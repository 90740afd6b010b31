import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "./processes.ts";

/** A wire between a client and a TLS server that is cut, held or taken away, whatever passes over it. */
export interface Wire {
  readonly port: number;
  /** Connections are cut after so many bytes of the server's; null: never. */
  cutAfter: number | null;
  /** So many connections are cut, then no more. */
  cuts: number;
  /** Bytes of the server's after which nothing more passes until `release`; null: never. */
  holdAfter: number | null;
  /** A connection has come to its hold. */
  readonly held: () => boolean;
  readonly connections: () => number;
  release(): void;
  stop(): void;
}

export async function startWire(target: { readonly port: number }): Promise<Wire> {
  const port = freePort();
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  let connections = 0;
  const wire: { -readonly [K in "cutAfter" | "cuts" | "holdAfter"]: Wire[K] } = {
    cutAfter: null,
    cuts: 0,
    holdAfter: null,
  };
  const server: Server = createServer((client) => {
    connections++;
    const upstream = connect(target.port, "127.0.0.1");
    let passed = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk: Buffer) => {
      if (wire.cutAfter !== null && wire.cuts > 0 && passed + chunk.length > wire.cutAfter) {
        wire.cuts--;
        client.write(chunk.subarray(0, Math.max(0, wire.cutAfter - passed)), () => client.destroy());
        return;
      }
      passed += chunk.length;
      client.write(chunk);
      if (wire.holdAfter !== null && passed >= wire.holdAfter) {
        upstream.pause();
        waiting.add(() => upstream.resume());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return Object.assign(wire, {
    port,
    held: () => waiting.size > 0,
    connections: () => connections,
    release: () => {
      wire.holdAfter = null;
      for (const resume of waiting) resume();
      waiting.clear();
    },
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
}
