import { afterEach, beforeEach, expect, test } from "bun:test";
import { until } from "../../../test/faults/lib/processes.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { SystemLog } from "../base/system-log.ts";
import { ecsTaskProtection, type TaskProtection } from "./task-protection.ts";

/** The agent's endpoint as the developer guide describes it. */
let asked: unknown[];
let answers: object[];
let warnings: string[];
let server: ReturnType<typeof Bun.serve>;
let protection: TaskProtection | null;
const slept: number[] = [];
const log: SystemLog = {
  debug: () => {},
  info: () => {},
  error: () => {},
  warn: (text, fields) => void warnings.push(`${text} ${fields?.reason}`),
};
/** Sleeps are noted and short. */
const quick: Clock = {
  ...systemClock,
  sleep: (ms, signal) => {
    slept.push(ms);
    return systemClock.sleep(Math.min(ms, ms > 3_600_000 ? ms : 20), signal);
  },
};

beforeEach(() => {
  [asked, answers, warnings, protection] = [[], [], [], null];
  slept.length = 0;
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: {
      "/api/task/task-protection/v1/state": {
        PUT: async (request) => {
          asked.push(await request.json());
          return Response.json(answers.shift() ?? { protection: { ProtectionEnabled: true } });
        },
      },
    },
  });
  protection = ecsTaskProtection({ agentUri: `http://127.0.0.1:${server.port}/api/task`, clock: quick, log });
});
afterEach(async () => {
  await protection?.end();
  await server.stop(true);
});

const ON = { ProtectionEnabled: true, ExpiresInMinutes: 60 };
const OFF = { ProtectionEnabled: false };

test("a task is protected while it has a job, for as long as it has one, and no longer", async () => {
  protection?.occupied(true);
  await until("asked for, and again before it expires", () => asked.length >= 2);
  expect(asked.slice(0, 2)).toEqual([ON, ON]);
  expect(slept).toContain(30 * 60_000);
  protection?.occupied(false);
  await until("taken back", () => JSON.stringify(asked.at(-1)) === JSON.stringify(OFF));
  const count = asked.length;
  await protection?.end();
  expect(asked).toHaveLength(count);
});

test("a runner that ends with a job behind it takes its protection back", async () => {
  protection?.occupied(true);
  await until("protected", () => asked.length > 0);
  await protection?.end();
  expect(asked.at(-1)).toEqual(OFF);
});

test("a role that may not is told once, and asked again while the job runs", async () => {
  const refused = { error: { Code: "AccessDeniedException", Message: "not authorized" } };
  answers = [refused, refused, { failure: { Reason: "TASK_NOT_VALID" } }];
  protection?.occupied(true);
  await until("granted at last", () => asked.length >= 4);
  expect(warnings).toEqual([expect.stringContaining("AccessDeniedException: not authorized")]);
});
