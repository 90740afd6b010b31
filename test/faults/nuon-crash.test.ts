import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type NuonServer, startNuonServer } from "../lib/nuon-server.ts";
import { type Bed, makeBed, until } from "./lib/processes.ts";

/** `kill -9` at each step of the lifecycle, on a server without leases, sessions or idempotent calls. */
const STEPS = [
  "claim",
  "fetch",
  "initialize",
  "execute",
  "exec.intent",
  "exec.spawned",
  "exec.ended",
  "outputs",
  "report",
  "cleanup",
  "cleaned",
  "delivered",
];

let bed: Bed;
let server: NuonServer;
beforeEach(async () => {
  bed = makeBed();
  server = await startNuonServer();
});
afterEach(async () => {
  await bed.end();
  await server.stop();
});

/** An action of one step that leaves a trace each time it works. */
function addAction() {
  const script = `#!/bin/sh\necho worked >> "${bed.path("trace")}"\necho answer=42 >> "$NUON_ACTIONS_OUTPUT_FILEPATH"\n`;
  server.documents["/v1/installs/inl1/action-workflows/runs/iar1"] = {
    id: "iar1",
    action_workflow_config_id: "acc1",
    steps: [{ id: "iars1", step_id: "acs1" }],
  };
  server.documents["/v1/action-workflows/configs/acc1"] = { id: "acc1", steps: [{ id: "acs1", name: "one" }] };
  const plan = {
    id: "iar1",
    install_id: "inl1",
    steps: [{ run_id: "iars1", interpolated_inline_contents: script, interpolated_env_vars: {} }],
  };
  return server.addJob({
    type: "actions-workflow",
    group: "actions",
    metadata: { install_id: "inl1", action_workflow_id: "acw1" },
    plan: JSON.stringify(plan),
  });
}

const start = (more: Record<string, string> = {}) =>
  bed.spawn(["run", "--dialect", "nuon", "--state-dir", bed.path("state")], {
    RUNNER_API_URL: server.url,
    RUNNER_ID: server.runnerId,
    RUNNER_API_TOKEN: server.token,
    ...more,
  });
const beats = () => server.of("POST /v1/runners/*/heart-beats");

describe("on a Nuon server a runner killed with SIGKILL", () => {
  for (const step of STEPS) {
    test(`at ${step}: after its restart the job ends once, and its work was done once`, async () => {
      const job = addAction();
      const killed = start({ RUNNER_FAILPOINT: `runner.${step}` });
      expect(await killed.exited).toBe(137);
      const beatsBefore = beats().length;
      start();
      await until("the job has ended", () => server.executions[0]?.status === "finished", 30_000);
      expect(server.executions).toHaveLength(1);
      expect(server.of("POST /v1/runner-jobs/*/executions")).toHaveLength(1);
      expect(server.executions[0]?.outputs).toEqual({ answer: "42", steps: { one: { answer: "42" } } });
      expect(readFileSync(bed.path("trace"), "utf8")).toBe("worked\n");
      expect(job.status).toBe("in-progress"); // the server ends it by itself
      const folder = bed.path("state", "executions");
      await until("nothing is left over", () => !existsSync(folder) || readdirSync(folder).length === 0);
      await until("a beat after the restart", () => beats().length > beatsBefore);
    }, 60_000);
  }

  test("counts as alive since the work it takes up again began, so that the server does not cancel it", async () => {
    addAction();
    expect(await start({ RUNNER_FAILPOINT: "runner.exec.spawned" }).exited).toBe(137);
    const created = Date.parse(server.executions[0]?.createdAt ?? "");
    const beatsBefore = beats().length;
    start();
    await until("a beat after the restart", () => beats().length > beatsBefore, 30_000);
    const { alive_time } = JSON.parse(beats()[beatsBefore]?.body.toString() ?? "{}");
    // The server takes "now - alive_time" for the start; a minute after the creation it would be a restart.
    expect(Date.now() - alive_time / 1_000_000).toBeLessThan(created + 60_000);
    expect(alive_time / 1_000_000).toBeGreaterThan(0);
  }, 60_000);
});

/** A gateway's or a newer server's word that is neither an outage nor a refusal of the token. */
test("a Nuon server that answers every status with 409 holds up no other job, and the next start delivers", async () => {
  const patch = "PATCH /v1/runner-jobs/*/executions/*";
  server.always(patch, { status: 409, body: '{"error":"conflict"}' });
  addAction();
  const first = start();
  const refused = () => first.stderr().split("the outcome could not be delivered").length - 1;
  await until("its end is refused", () => refused() === 1, 30_000);
  addAction();
  await until("another job has worked", () => refused() === 2, 30_000);
  expect(readFileSync(bed.path("trace"), "utf8")).toBe("worked\nworked\n");
  first.signal("SIGTERM");
  expect(await first.exited).toBe(0);

  server.always(patch, null);
  start();
  await until("both are told", () => server.executions.every(({ status }) => status === "finished"), 30_000);
  expect(server.executions).toMatchObject([{ outputs: { answer: "42" } }, { outputs: { answer: "42" } }]);
  expect(readFileSync(bed.path("trace"), "utf8")).toBe("worked\nworked\n");
}, 60_000);
