import { afterEach, expect, test } from "bun:test";
import { addRunner, startControl } from "../faults/lib/control.ts";
import { action } from "../faults/lib/jobs.ts";
import { type Bed, makeBed, until } from "../faults/lib/processes.ts";

let bed: Bed;
afterEach(() => bed.end());

/** The agent's endpoint inside a task, as the developer guide of ECS describes it. */
function agent() {
  const asked: { ProtectionEnabled: boolean }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: {
      "/api/task/task-protection/v1/state": {
        PUT: async (request) => {
          asked.push((await request.json()) as { ProtectionEnabled: boolean });
          return Response.json({ protection: asked.at(-1) });
        },
      },
    },
  });
  return { asked, uri: `http://127.0.0.1:${server.port}/api/task`, stop: () => server.stop(true) };
}

for (const wanted of [true, false]) {
  test(`a runner in a task of ECS ${wanted ? "has it protected while a job runs" : "told not to leaves its task unprotected"}`, async () => {
    bed = makeBed();
    const ecs = agent();
    try {
      const control = await startControl(bed);
      const env = { ECS_AGENT_URI: ecs.uri, RUNNER_ECS_TASK_PROTECTION: String(wanted) };
      const runner = await addRunner(bed, control, { env });
      const sample = action(bed, { wait: true });
      const job = await control.submit(sample.file);
      await until("the job works", () => sample.traces().includes("begin"));
      if (wanted) await until("the task is protected", () => ecs.asked.at(-1)?.ProtectionEnabled === true);
      sample.release();
      expect((await control.ended(job)).status).toBe("finished");
      runner.proc.signal("SIGTERM");
      expect(await runner.proc.exited).toBe(0);
      expect(ecs.asked.map((one) => one.ProtectionEnabled)).toEqual(wanted ? [true, false] : []);
    } finally {
      await ecs.stop();
    }
  }, 60_000);
}
