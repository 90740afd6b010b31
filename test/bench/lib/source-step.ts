import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LiveEvents } from "./live-events.ts";
import type { Coordinator } from "./plane.ts";

const FILES = 200;
const WARM_UP = 2;

/** A folder such as modules are: small files in a few folders. */
export function writeSource(folder: string): void {
  for (let n = 0; n < FILES; n++) {
    const inner = join(folder, `part-${n % 10}`);
    mkdirSync(inner, { recursive: true });
    writeFileSync(join(inner, `file-${n}.tf`), `# ${n}\n${`locals { value_${n} = "${"x".repeat(60)}" }\n`.repeat(30)}`);
  }
}

/**
 * An action of one step that works in the source, in turn with the same by hand: `bare` fetches into a folder, then the
 * step's command runs there. Milliseconds.
 */
export async function measureSource(
  at: {
    readonly coordinator: Coordinator;
    readonly events: LiveEvents;
    readonly folder: string;
    readonly runs: number;
  },
  source: object,
  bare: (into: string) => Promise<void>,
): Promise<{ readonly ours: readonly number[]; readonly floor: readonly number[] }> {
  const command = "test -e part-0/file-0.tf";
  const job = { type: "actions-workflow", name: "bench", spec: { steps: [{ name: "use", source, run: command }] } };
  const ours: number[] = [];
  const floor: number[] = [];
  for (let run = -WARM_UP; run < at.runs; run++) {
    const into = join(at.folder, `bare-${run}`);
    const began = performance.now();
    await bare(into);
    const done = await Bun.spawn(["sh", "-eu", "-c", command], { cwd: into, stdin: "ignore" }).exited;
    const ended = performance.now();
    if (done !== 0 || !existsSync(into)) throw new Error("the source could not be had by hand");
    rmSync(into, { recursive: true });
    const id = await at.coordinator.operator.submit(job);
    const finished = await at.events.of(id, "finished");
    if (run >= 0) {
      floor.push(ended - began);
      ours.push(finished.seenAt - ended);
    }
    await at.events.of(id, "cleanup");
    await Bun.sleep(20);
  }
  return { ours, floor };
}

/** Runs a program to its end with a plain environment; throws with what it said when it fails. */
export async function runBare(argv: readonly string[], env: Readonly<Record<string, string>>, cwd: string) {
  const child = Bun.spawn([...argv], {
    cwd,
    env: { PATH: process.env.PATH ?? "", ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${argv.slice(0, 2).join(" ")} failed: ${said}`);
}
