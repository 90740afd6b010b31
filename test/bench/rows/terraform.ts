import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { liveEvents } from "../lib/live-events.ts";
import { startCoordinator, startRunner } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import { overFloor, type Row } from "../lib/row.ts";

const MODULE = join(import.meta.dir, "../../../examples/quickstart/module/main.tf");
const VARS = { cidr: "10.0.0.0/16", zones: 3 };

/** A whole change (plan job, approval by itself, apply job) over the same commands by hand. */
export const terraform: Row = {
  name: "terraform",
  why: "A change is two jobs: the apply job initialises again in a workspace of its own, and both ask terraform for the plan or the outputs as JSON; each of these is a start of terraform.",
  async measure({ binary, runs, say }) {
    const bed = makeBed();
    try {
      const coordinator = await startCoordinator(bed, binary);
      await startRunner(bed, coordinator, { binary, name: "terraform" });
      const events = await liveEvents(coordinator);
      const main = readFileSync(MODULE, "utf8");
      const digest = await coordinator.operator.upload({ "main.tf": main });
      const ours: number[] = [];
      const bare: number[] = [];
      for (let run = -1; run < runs; run++) {
        const folder = bed.path(`bare-${run}`);
        mkdirSync(folder);
        writeFileSync(join(folder, "main.tf"), main);
        const theirs = await timed(() => byHand(folder));
        rmSync(folder, { recursive: true });
        const mine = await timed(async () => {
          const id = await coordinator.operator.submit(change(`run-${run + 1}`), {
            sources: { "spec.source": { digest, path: "" } },
          });
          await events.of(id, "finished");
        });
        if (run < 0) continue;
        bare.push(theirs);
        ours.push(mine);
        say(`terraform: run ${run + 1}: ${mine.toFixed(2)} s, bare ${theirs.toFixed(2)} s`);
      }
      return [
        {
          what: "terraform change",
          unit: "s",
          values: ours,
          floor: { what: "`terraform init`, `plan -out`, `apply` of the same module, local backend", values: bare },
          goals: [overFloor("median ≤ 0.5 s over the floor", 0.5)],
          how: "from sending the POST that submits the change (a module without providers, uploaded before; approval auto; a new workspace) until its `finished` is read from the live event stream.",
        },
      ];
    } finally {
      await bed.end();
    }
  },
};

const change = (workspace: string) => ({
  type: "terraform-deploy",
  operation: "apply",
  name: "bench",
  spec: { source: { path: "./module" }, workspace, vars: VARS },
});

async function byHand(folder: string): Promise<void> {
  const vars = Object.entries(VARS).flatMap(([name, value]) => ["-var", `${name}=${value}`]);
  for (const args of [["init"], ["plan", "-out=plan", ...vars], ["apply", "plan"]]) {
    const [command = "", ...rest] = args;
    const argv = ["terraform", command, "-input=false", "-no-color", ...rest];
    const env = { PATH: process.env.PATH ?? "", HOME: folder, CHECKPOINT_DISABLE: "1" };
    const child = Bun.spawn(argv, { cwd: folder, env, stdout: "ignore", stderr: "inherit", stdin: "ignore" });
    if ((await child.exited) !== 0) throw new Error(`terraform ${command} failed`);
  }
}

/** Seconds. */
async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1_000;
}
