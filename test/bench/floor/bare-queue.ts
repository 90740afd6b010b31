import { join } from "node:path";
import type { Watched } from "../lib/live-events.ts";
import { type Bed, until } from "../lib/processes.ts";

/** The processes of bare-server.ts and bare-runner.ts. */
export interface BareQueue extends Watched {
  submit(count: number): Promise<string>;
  /** Starts the runner process; it claims up to `count` jobs at a time. */
  runner(count: number): void;
  /** Waits until everything is reported: milliseconds between the first claim and the last report since the last call. */
  took(): Promise<number>;
}

export async function startBareQueue(bed: Bed): Promise<BareQueue> {
  const file = (name: string) => join(import.meta.dir, name);
  const server = bed.spawn([process.execPath, file("bare-server.ts"), bed.path("bare.log")]);
  const port = await until("the bare server listens", () => /^\d+/.exec(server.output())?.[0]);
  const url = `http://127.0.0.1:${port}`;
  return {
    open: () => fetch(`${url}/events`),
    submit: async (count) => {
      const answer = await fetch(`${url}/submit?count=${count}`, { method: "POST" });
      const { ids } = (await answer.json()) as { ids: string[] };
      return ids[0] ?? "";
    },
    runner: (count) => void bed.spawn([process.execPath, file("bare-runner.ts"), url, String(count)]),
    took: () =>
      until(
        "the bare jobs are done",
        async () => ((await (await fetch(`${url}/took`)).json()) as { took: number }).took,
      ),
  };
}
