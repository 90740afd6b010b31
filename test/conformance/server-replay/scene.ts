import { expect } from "bun:test";
import { type NuonRunnerOptions, startNuonRunner } from "./nuon-runner.ts";
import { type Recorded, recorded, TOKEN } from "./recorded.ts";
import { type Arrived, type Replay, startReplay } from "./replay.ts";
import { faultsOf } from "./well-formed.ts";

export const RUNNER_ID = "run4i9lieclzc3l1oenj6f2zw3";

/** `cut`: the connection ends without an answer. A function makes the answer from what was asked. */
export type Answer = Recorded | "cut" | ((request: Omit<Arrived, "played">) => Recorded);
/** `METHOD /path?key=value` with `*` for one segment, and its answers in order; the last one is given again and again. */
export type Line = readonly [route: string, ...answers: Answer[]];

/** No job for this group. */
export const NOTHING = recorded("GetRunnerJobs", "200: actions (none available)");
export const SETTINGS = recorded("GetRunnerSettings", "200: install runner");
/** Asked by every runner, how often depends on how long things take. */
const ALWAYS: readonly Line[] = [
  ["GET /v1/runner-jobs/*", recorded("GetRunnerJob", "200: after reservation")],
  ["GET /v1/runners/*/jobs", NOTHING],
  ["POST /v1/runners/*/heart-beats", recorded("CreateRunnerHeartBeat", "201")],
  ["POST /v1/log-streams/*/logs", recorded("LogStreamWriteLogs", "201")],
];

/** The recording with texts replaced, for what is new in every run. Its length is told anew. */
export function altered(one: Recorded, ...replacements: readonly (readonly [from: string, to: string])[]): Recorded {
  let body = one.response.body ?? "";
  for (const [from, to] of replacements) {
    if (!body.includes(from)) throw new Error(`the recording has no ${from}`);
    body = body.replaceAll(from, to);
  }
  const { "Content-Length": _, ...headers } = one.response.headers;
  return { ...one, response: { ...one.response, headers, body } };
}

/** Real work instead of the sandbox mode that the server was recorded in. */
export const REAL_WORK = altered(SETTINGS, ['"sandbox_mode":true,', ""]);

/** The recording that says the status that was sent. */
export const byStatus =
  (answers: Readonly<Record<string, Recorded>>) =>
  ({ body }: Pick<Arrived, "body">): Recorded => {
    const { status } = JSON.parse(body.toString());
    const found = answers[status];
    if (found === undefined) throw new Error(`nothing is recorded for status ${status}`);
    return found;
  };

export interface Scene extends Replay {
  /** Lines of the runner's own log. */
  readonly said: readonly string[];
  /** Exit code once the process has ended. */
  readonly ended: Promise<number>;
  /** Waits for a request; then drains the runner and checks that all was played and every request well formed. */
  over(last: (request: Arrived) => boolean): Promise<void>;
  /** Requests about jobs in order, as `METHOD /path-after-the-job {status}`; repeats of a look left out. */
  story(): string[];
}

/** The real runner in front of a server that plays these lines. */
export async function startScene(
  lines: readonly Line[],
  tools: Pick<NuonRunnerOptions, "find" | "source" | "mode"> = {},
): Promise<Scene> {
  const queues = [...lines, ...ALWAYS].map(([route, ...answers]) => ({ route, answers, played: 0 }));
  const server = await startReplay((request) => {
    const line = queues.find((one) => matches(one.route, request));
    const answer = line?.answers[Math.min(line.played, line.answers.length - 1)];
    if (line === undefined || answer === undefined) return null;
    line.played += 1;
    return typeof answer === "function" ? answer(request) : answer;
  });
  const one = startNuonRunner({ url: server.url, runnerId: RUNNER_ID, token: TOKEN, factor: 10, ...tools });
  const { runner, said } = one;
  const stop = async () => {
    await one.stop();
    await server.stop();
  };
  return {
    ...server,
    stop,
    said,
    ended: runner.ended,
    story: () => storyOf(server.arrived),
    async over(last) {
      const reported = () =>
        server.arrived.filter((one) => one.path.endsWith("/result")).map((one) => String(one.body));
      const done = () => server.arrived.some(last) && runner.status().executions.length === 0;
      await until(done, () => [...said, ...reported()].join("\n"));
      runner.drain("the scene is over");
      await runner.ended;
      const unforeseen = server.arrived.filter((one) => one.played === null);
      expect(unforeseen.map((one) => `${one.method} ${one.path}`)).toEqual([]);
      const due = (one: (typeof queues)[number]) => one.answers.length - (one.answers.at(-1) === NOTHING ? 1 : 0);
      const unplayed = queues.slice(0, lines.length).filter((one) => one.played < due(one));
      expect(unplayed.map((one) => one.route)).toEqual([]);
      expect(server.arrived.flatMap(faultsOf)).toEqual([]);
    },
  };
}

function matches(route: string, request: { readonly method: string; readonly path: string }): boolean {
  const [method, pattern = ""] = route.split(" ");
  const [path = "", query = ""] = pattern.split("?");
  const asked = new URL(request.path, "http://x");
  const wanted = path.split("/");
  const given = asked.pathname.split("/");
  return (
    method === request.method &&
    wanted.length === given.length &&
    wanted.every((part, n) => part === "*" || part === given[n]) &&
    [...new URLSearchParams(query)].every(([key, value]) => asked.searchParams.get(key) === value)
  );
}

function storyOf(arrived: readonly Arrived[]): string[] {
  const about = arrived.flatMap((one) => {
    const { pathname } = new URL(one.path, "http://x");
    const job = /^\/v1\/runner-jobs\/[^/]+(?<rest>.*)$/.exec(pathname);
    const step = /\/action-workflow-runs\/[^/]+(?<rest>\/steps\/[^/]+)$/.exec(pathname);
    const rest = job?.groups?.rest ?? step?.groups?.rest;
    if (rest === undefined || (one.method === "GET" && rest === "")) return [];
    const { status } = (JSON.parse(one.body.toString() || "null") ?? {}) as { status?: string };
    return [`${one.method} ${rest.replace(/executions\/[^/]+/, "execution")} ${status ?? ""}`.trim()];
  });
  return about.filter((line, n) => line !== about[n - 1]);
}

async function until(condition: () => boolean, said: () => string): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1_500) throw new Error(`it did not happen within 15 s; the runner said:\n${said()}`);
    await Bun.sleep(10);
  }
}
