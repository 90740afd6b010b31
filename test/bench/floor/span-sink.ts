import { answers } from "../lib/plane.ts";
import type { Bed } from "../lib/processes.ts";
import { freePort, until } from "../lib/processes.ts";

const PROGRAM = `Bun.serve({ hostname: "127.0.0.1", port: Number(process.argv[2]), async fetch(request) {
  await request.arrayBuffer();
  return new Response(null, { headers: { "content-type": "application/x-protobuf" } });
} });`;

/** A collector that reads what comes and keeps nothing, in a process of its own. */
export async function startSpanSink(bed: Bed): Promise<{ readonly url: string }> {
  const port = freePort();
  const file = bed.path("span-sink.js");
  await Bun.write(file, PROGRAM);
  bed.spawn([process.execPath, file, String(port)]);
  const url = `http://127.0.0.1:${port}`;
  await until("the span sink answers", () => answers(url));
  return { url };
}
