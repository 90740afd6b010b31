import type { Plugin } from "./handler.d.ts";

/** What a job file says under `spec`. */
interface Plan {
  readonly folders: readonly string[];
  readonly fail_above_percent: number;
}

/** Job type `x-disk-report`: how full the disks of the runner's machine are. Try it: see disk-report.yaml. */
export const handler: Plugin<Plan> = ({ z }) => ({
  types: ["x-disk-report"],
  summary: "how full the disks of the runner's machine are",
  plan: z.strictObject({
    folders: z.array(z.string().startsWith("/")).min(1).describe("folders whose disks are looked at"),
    fail_above_percent: z.number().min(1).max(100).default(100).describe("a fuller disk fails the job. Default: 100"),
  }),

  async execute(ctx) {
    const file = ctx.workspace.path("df.txt");
    await ctx.step({ name: "measure" }, () =>
      ctx.exec({
        key: "df",
        argv: ["df", "-P", ...ctx.plan.folders],
        env: ctx.tools.env({}),
        cwd: ctx.workspace.root,
        capture: file,
      }),
    );
    const fullest = Math.max(...used(await Bun.file(file).text()));
    ctx.log.info(`the fullest disk is used to ${fullest} %`);
    if (fullest > ctx.plan.fail_above_percent) {
      throw new Error(`a disk is used to ${fullest} %, allowed are ${ctx.plan.fail_above_percent} %`);
    }
  },

  async outputs(ctx) {
    return { used_percent: Math.max(...used(await Bun.file(ctx.workspace.path("df.txt")).text())) };
  },
});

/** The fifth column of `df -P`, without its heading. */
function used(text: string): number[] {
  const lines = text.trim().split("\n").slice(1);
  return lines.map((line) => Number.parseInt(line.split(/\s+/)[4] ?? "0", 10));
}
