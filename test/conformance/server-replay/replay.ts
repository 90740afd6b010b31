import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { bodyOf, type Recorded } from "./recorded.ts";

/** A request as it arrived; the path with its query, nothing decoded. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly played: Recorded | "cut" | null;
}

export interface Replay {
  readonly url: string;
  readonly arrived: readonly Arrived[];
  stop(): Promise<void>;
}

/** Chooses what answers a request: a recording, a cut of the connection, or null for what nobody foresaw. */
export type Script = (request: Omit<Arrived, "played">) => Recorded | "cut" | null;

/** A server that plays recorded answers: status, header fields and body exactly as the real server sent them. */
export async function startReplay(script: Script): Promise<Replay> {
  const arrived: Arrived[] = [];
  const server = createServer((incoming, outgoing) => {
    void read(incoming).then((request) => {
      const played = script(request);
      arrived.push({ ...request, played });
      if (played === "cut") incoming.socket.destroy();
      else if (played) play(played, outgoing);
      else outgoing.writeHead(599, { "Content-Type": "text/plain" }).end("nothing on the script");
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    arrived,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function play({ response }: Recorded, outgoing: ServerResponse): void {
  outgoing.sendDate = false;
  for (const [name, value] of Object.entries(response.headers)) outgoing.setHeader(name, value);
  outgoing.writeHead(response.status);
  outgoing.end(bodyOf(response));
}

async function read(incoming: IncomingMessage): Promise<Omit<Arrived, "played">> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(Buffer.from(part));
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]);
  return {
    method: incoming.method ?? "",
    path: incoming.url ?? "",
    headers: Object.fromEntries(headers),
    body: Buffer.concat(parts),
  };
}
