import { beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { errorBody } from "../../../internal/protocol/nuon/base.ts";
import { DEVIATIONS } from "../deviations.ts";
import { unnamedKeys } from "../named-keys.ts";
import { OPERATIONS, type Operation, type OperationName } from "../operations.ts";
import { goRunnerScenarios, isRemark } from "../recordings.ts";
import { FAULTS } from "./faults.ts";
import { serverShapes } from "./order.ts";
import { documentsOf, type Replayed, replay } from "./replay.ts";
import { SMALL_SERVER, VOLATILE } from "./volatile.ts";

/** Every request the real Go runner was recorded to send, sent to our coordinator in the order it was sent. */
const scenarios = await goRunnerScenarios();
const documents = documentsOf(scenarios);
const shapes = await serverShapes();
let replayed: Replayed[] = [];

beforeAll(async () => {
  for (const scenario of scenarios) replayed = replayed.concat(await replay(scenario, documents));
}, 120_000);

describe("every recorded request of the Go runner", () => {
  test("gets the status the runner was content with, or one of a listed deviation", () => {
    expect(report(replayed.filter((one) => !allowed(one).includes(one.status)))).toEqual([]);
    expect(replayed.length).toBeGreaterThan(1_300);
  });

  test("gets the content type by which the runner picks its decoder", () => {
    expect(report(replayed.filter((one) => one.contentType !== typeOf(one)))).toEqual([]);
  });

  test("gets a body that fits the schema of its operation and names every field", () => {
    expect(report(replayed.filter((one) => !fits(one)))).toEqual([]);
  });

  test("gets fields in the order of the real server, with every one that is always there", () => {
    const problems = replayed.flatMap((one) => {
      const ours = one.operation !== undefined && one.status < 300 && !GIVEN.has(one.operation);
      const shape = ours ? shapes.get(one.operation) : undefined;
      return (shape?.problemsOf(parsed(one.text)) ?? []).map((problem) => `${one.operation} ${problem}`);
    });
    expect([...new Set(problems)]).toEqual([]);
  });

  test("gets the recorded values, but for a listed set of volatile fields", () => {
    const different = replayed
      .filter(isComparable)
      .flatMap((one) =>
        differences(one.recordedBody, parsed(one.text)).map((what) => `${one.scenario}: ${one.operation} ${what}`),
      );
    expect([...new Set(different)]).toEqual([]);
  });
});

test("each operation the Go runner calls is among them", () => {
  const seen = new Set(replayed.map((one) => one.operation));
  const never = (Object.keys(OPERATIONS) as OperationName[]).filter((name) => !seen.has(name));
  expect(never.sort()).toEqual([
    "CreateRunnerHealthCheck",
    "CreateTerraformWorkspace",
    "DeleteTerraformState",
    "DeleteTerraformStateJSON",
    "DeleteTerraformWorkspace",
    "GetActionWorkflowLatestConfig",
    "GetHelmReleases",
    "GetInstallComponenetLastActivePlan",
    "GetRunnerJobCompositePlan",
    "GetRunnerJobExecution",
    "GetRunnerJobExecutions",
    "GetRunnerJobPlanV2",
    "GetRunnerJobV2",
    "GetTerraformWorkspace",
    "GetTerraformWorkspaces",
    "PublishMetrics",
    "RunnerOtelWriteMetrics",
    "RunnerOtelWriteTraces",
    "UpdateRunnerJobV2Broken",
  ]);
});

test("no fault and no replayed deviation is listed that the recordings do not show", () => {
  const shown = new Set(replayed.map((one) => `${one.scenario} ${one.operation}`));
  expect(FAULTS.filter((one) => !shown.has(`${one.scenario} ${one.operation}`))).toEqual([]);
  const names = new Set(scenarios.map((one) => one.name));
  expect(DEVIATIONS.flatMap((one) => one.replayed ?? []).filter((one) => !names.has(one.scenario))).toEqual([]);
});

/** Documents that stand in our database as the recorded server gave them: compiled ones have a test of their own. */
const GIVEN: ReadonlySet<string | undefined> = new Set([
  "GetRunnerJobPlan",
  "GetInstallActionWorkflowRun",
  "GetActionWorkflowConfig",
  "GetRunnerAppConfig",
  "GetTerraformCurrentStateData",
  "GetHelmRelease",
  "QueryHelmRelease",
]);
/** Scenarios whose plan is wrong on purpose. */
const PLANS_OF_NO_KIND = new Set(["plan_not_json", "plan_wrong_types"]);

/** Calls of run-local to the admin API: not ours to serve. */
const isAdmin = (one: Replayed) => one.operation === undefined && one.recordedStatus !== 404;

const successOf = (name: OperationName) => Math.min(...Object.keys(OPERATIONS[name].answers).map(Number));

function allowed(one: Replayed): number[] {
  if (isAdmin(one)) return [404];
  const { operation } = one;
  const fault = FAULTS.find((known) => known.scenario === one.scenario && known.operation === operation);
  if (operation !== undefined && fault)
    return [...(fault.statuses ?? []), successOf(operation), one.recordedStatus ?? 0];
  const listed = DEVIATIONS.filter((known) => operation !== undefined && known.operations.includes(operation))
    .flatMap((known) => known.replayed ?? [])
    .filter((known) => known.scenario === one.scenario)
    .flatMap((known) => known.statuses);
  return [...listed, one.recordedStatus ?? 0];
}

const JSON_TYPE = "application/json";
const TEXT_TYPE = "text/plain; charset=utf-8";
const PAGE_NOT_FOUND = "404 page not found";

function typeOf(one: Replayed): string {
  if (one.text === PAGE_NOT_FOUND) return "text/plain";
  if (one.status === 204) return "";
  if (
    one.status === 200 &&
    (one.operation === "GetRunnerJobPlan" || one.operation === "GetTerraformCurrentStateData")
  ) {
    return TEXT_TYPE;
  }
  return one.contentType.startsWith(`${JSON_TYPE};`) ? `${JSON_TYPE}; charset=utf-8` : JSON_TYPE;
}

/** An error body for an error, else what the table says. */
function fits(one: Replayed): boolean {
  if (one.operation === undefined || one.status === 204 || one.text === PAGE_NOT_FOUND) return true;
  if (PLANS_OF_NO_KIND.has(one.scenario) && one.operation === "GetRunnerJobPlan") return true;
  const answers: Operation["answers"] = OPERATIONS[one.operation].answers;
  const body = parsed(one.text);
  const found = answers[one.status];
  const schema = typeof found === "function" ? found(body) : found;
  if (schema !== undefined) return z.safeParse(schema, body).success && unnamedKeys(schema, body).length === 0;
  return one.status >= 400 && errorBody.safeParse(body).success;
}

/** Both are a success with a document that stands in the recording in full. */
function isComparable(one: Replayed): boolean {
  const good =
    one.status < 300 && one.recordedStatus !== null && one.recordedStatus < 300 && one.recordedStatus !== 204;
  const told = FAULTS.some((known) => known.scenario === one.scenario && known.operation === one.operation);
  if (one.operation === undefined || one.operation in SMALL_SERVER) return false;
  return good && !told && one.recordedBody !== undefined && !isRemark(one.recordedBody);
}

/** Where values that both have differ. A document with remarks inside is compared as far as it stands there. */
function differences(recorded: unknown, ours: unknown, at = ""): string[] {
  if (Array.isArray(recorded) && Array.isArray(ours)) {
    return recorded.flatMap((item, n) => (n < ours.length ? differences(item, ours[n], `${at}[]`) : []));
  }
  if (isObject(recorded) && isObject(ours)) {
    return Object.keys(recorded)
      .filter((key) => key in ours && !VOLATILE.has(key))
      .flatMap((key) => differences(recorded[key], ours[key], `${at}.${key}`));
  }
  const text = typeof recorded === "string" ? parsed(recorded) : undefined;
  const same = Bun.deepEquals(recorded, ours) || (text !== undefined && Bun.deepEquals(text, ours));
  return same
    ? []
    : [`${at}: ${JSON.stringify(ours)?.slice(0, 80)} in place of ${JSON.stringify(recorded)?.slice(0, 80)}`];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === "object" && !Array.isArray(value);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Each kind of trouble once, so that a failure can be read. */
function report(found: readonly Replayed[]): string[] {
  const lines = found.map(
    (one) =>
      `${one.scenario}: ${one.operation ?? `${one.method} ${one.path}`} ${one.status} ${one.contentType}, recorded ${one.recordedStatus}: ${one.text.slice(0, 160)}`,
  );
  return [...new Set(lines)];
}
