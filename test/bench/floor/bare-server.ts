import { fsyncSync, openSync, writeSync } from "node:fs";

/**
 * The floor of the queue: submit, held claim, report and event stream between two Bun processes, with one fsynced
 * write where a coordinator commits. No schema, no database, no check. Prints its port.
 */
const fd = openSync(process.argv[2] ?? "bare.log", "a");
const store = (text: string) => {
  writeSync(fd, `${text}\n`);
  fsyncSync(fd);
};
const encoder = new TextEncoder();
const listeners = new Set<ReadableStreamDefaultController<Uint8Array>>();
const tell = (what: string, ids: readonly string[]) => {
  const text = ids.map((id) => `data: ${JSON.stringify({ job_id: id, what, at: Date.now() })}\n\n`).join("");
  for (const listener of listeners) listener.enqueue(encoder.encode(text));
};

let queue: string[] = [];
let held: (() => void) | null = null;
let made = 0;
let done = 0;
let first = 0;
let last = 0;

async function claim(count: number): Promise<Response> {
  if (queue.length === 0) {
    const { promise, resolve } = Promise.withResolvers<void>();
    held = resolve;
    await promise;
  }
  const ids = queue.slice(0, count);
  queue = queue.slice(count);
  first ||= performance.now();
  store(`claim ${ids}`);
  tell("in-progress", ids);
  return Response.json({ ids });
}

function submit(count: number): Response {
  const ids = Array.from({ length: count }, () => `job${++made}`);
  store(`submit ${count}`);
  queue.push(...ids);
  held?.();
  held = null;
  return Response.json({ ids: ids.slice(0, 1) });
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  async fetch(request) {
    const url = new URL(request.url);
    const count = Number(url.searchParams.get("count") ?? 1);
    switch (url.pathname) {
      case "/claim":
        return claim(count);
      case "/submit":
        return submit(count);
      case "/done": {
        const { ids } = (await request.json()) as { ids: string[] };
        store(`done ${ids}`);
        last = performance.now();
        done += ids.length;
        tell("finished", ids);
        return Response.json({});
      }
      case "/took": {
        const took = done === made ? last - first : 0;
        if (took > 0) first = 0;
        return Response.json({ took });
      }
      case "/events":
        return new Response(
          new ReadableStream<Uint8Array>({
            start: (controller) => {
              listeners.add(controller);
              controller.enqueue(encoder.encode(": open\n\n"));
            },
          }),
          { headers: { "content-type": "text/event-stream" } },
        );
      default:
        return new Response("bare", { status: 404 });
    }
  },
});
console.log(server.port);
