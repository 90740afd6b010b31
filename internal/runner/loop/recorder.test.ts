import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { AuditEvent } from "./audit.ts";
import type { Ended } from "./lifecycle.ts";
import { createRecorder } from "./recorder.ts";
import { manualClock, workOf } from "./test-bed.ts";
import { createVitals } from "./vitals.ts";

const FINISHED: Ended = {
  status: "finished",
  reason: "",
  code: "",
  result: null,
  outputs: null,
  sensitive_outputs: [],
};
const hidden = (text: string) => text.replaceAll("s3cret", "[redacted]");

function bed() {
  const clock = manualClock();
  const vitals = createVitals(clock);
  const lines: AuditEvent[] = [];
  const audit = { append: (event: AuditEvent) => void lines.push(event), missing: () => 0, close: () => {} };
  return { clock, vitals, lines, record: createRecorder({ vitals, audit, clock, runnerId: "run1" }) };
}

describe("what is kept of an execution", () => {
  test("programs with redacted arguments, names of their environment, the hash of the plan; no value of a secret", () => {
    const { lines, record } = bed();
    const one = record({ ...workOf("e1"), plan: '{"a":1}' }, { resumed: false, kept: false });
    const env = { PATH: "/bin", TOKEN: "s3cret" };
    one.program({ key: "a", argv: ["/bin/tool", "--token=s3cret", "x".repeat(9_000)], env, cwd: "/" }, hidden);
    one.over({ ...FINISHED, status: "failed", reason: "it said s3cret" }, null, hidden);
    expect(lines).toMatchObject([
      { event: "program", program: "/bin/tool", env: ["PATH", "TOKEN"] },
      {
        event: "job",
        programs: 1,
        env: ["PATH", "TOKEN"],
        outcome: "failed",
        reason: "it said [redacted]",
        plan_sha256: createHash("sha256").update('{"a":1}').digest("hex"),
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain("s3cret");
    expect(JSON.stringify(lines).length).toBeLessThan(4_000);
  });

  test("an execution over a restart has one end in the trail; one that is left to the next process has none yet", () => {
    const { lines, record } = bed();
    record(workOf("e1"), { resumed: false, kept: false }).over(null, { kind: "abandoned", why: "" }, hidden);
    record(workOf("e2"), { resumed: true, kept: true }).over(FINISHED, null, hidden);
    expect(lines).toEqual([]);
    record(workOf("e3"), { resumed: true, kept: false }).over(null, { kind: "fenced", why: "moved on" }, hidden);
    expect(lines).toMatchObject([{ execution: "e3", outcome: "lost", reason: "moved on" }]);
  });
});

test("a cleanup took as long as it took, whatever the report of its end takes", async () => {
  const { clock, vitals, record } = bed();
  const one = record(workOf("e1"), { resumed: false, kept: false });
  one.over(FINISHED, null, hidden);
  one.entering("cleanup");
  await clock.advance(1_000);
  one.left();
  await clock.advance(60_000);
  one.settled();
  expect(vitals.registry.text()).toContain('runner_step_seconds_sum{step="cleanup"} 1\n');
});

describe("liveness", () => {
  test("a loop that does not turn in time is named; one that waits for a control plane that is away is not", async () => {
    const { clock, vitals } = bed();
    expect(vitals.stuck()).toBeNull();
    vitals.turned(25_000);
    await clock.advance(39_000);
    expect(vitals.stuck()).toBeNull();
    vitals.http.tried("claims", 35_000);
    vitals.http.retrying("claims", 600_000);
    await clock.advance(610_000);
    expect(vitals.stuck()).toBeNull();
    vitals.http.tried("logs", 35_000);
    await clock.advance(30_000);
    expect(vitals.stuck()).toContain("overdue");
    vitals.resting();
    expect(vitals.stuck()).toBeNull();
  });
});
