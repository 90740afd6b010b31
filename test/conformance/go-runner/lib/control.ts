import { readFileSync, writeFileSync } from "node:fs";
import type { JobShow, LogLine, RunnerDoc, WorkspaceDoc } from "../../../../internal/protocol/operator.ts";
import { type Bed, freePort, until } from "../../../faults/lib/processes.ts";
import { selfSigned } from "./certificate.ts";

/** A real coordinator process, and its record as an operator reads it. */
export interface Control {
  readonly url: string;
  readonly ca: { readonly pem: string; readonly file: string } | null;
  /** Operator API, path below /api/v1. */
  api(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }>;
  get<T>(path: string): Promise<T>;
  /** `runner job submit`; the id of the job or change. */
  submit(job: object, runner?: string): Promise<string>;
  createRunner(name: string): Promise<{ readonly id: string; readonly token: string }>;
  show(job: string): Promise<JobShow>;
  /** The document once it has this status; fails after `limitMs`. */
  reaches(job: string, status: string, limitMs?: number): Promise<JobShow>;
  log(job: string): Promise<string>;
  logLines(job: string): Promise<LogLine[]>;
  runner(id: string): Promise<RunnerDoc>;
  workspace(name: string): Promise<WorkspaceDoc>;
  restart(): Promise<void>;
}

export async function startControl(
  bed: Bed,
  options: { readonly tls?: boolean; readonly flags?: readonly string[] } = {},
): Promise<Control> {
  const port = freePort();
  const files = options.tls ? tlsFiles(bed) : null;
  const url = `${files ? "https" : "http"}://127.0.0.1:${port}`;
  const keyFile = bed.path("admin.key");
  const tls = files ? { tls: { ca: files.pem } } : {};
  const start = async () => {
    const proc = bed.spawn([
      "coordinator",
      ...["--listen", `127.0.0.1:${port}`, "--data-dir", bed.path("coordinator"), "--admin-key-file", keyFile],
      ...(files ? ["--tls-cert", files.file, "--tls-key", files.key] : []),
      ...(options.flags ?? []),
    ]);
    const ready = async () => (await fetch(`${url}/readyz`, tls).catch(() => null))?.ok;
    const early = proc.exited.then((code) => {
      throw new Error(`the coordinator ended with ${code}: ${proc.stderr()}`);
    });
    await Promise.race([until("the coordinator is ready", ready), early]);
    return proc;
  };
  let proc = await start();
  const key = readFileSync(keyFile, "utf8").trim();
  const api: Control["api"] = async (method, path, body) => {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...tls,
    });
    return { status: answer.status, text: await answer.text() };
  };
  const get = async <T>(path: string): Promise<T> => {
    const { status, text } = await api("GET", path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`);
    return JSON.parse(text) as T;
  };
  const operator = {
    RUNNER_COORDINATOR_URL: url,
    RUNNER_ADMIN_KEY: key,
    ...(files ? { RUNNER_CA_FILE: files.file } : {}),
  };
  const command = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await bed.run(args, operator);
    if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${stderr}`);
    return JSON.parse(stdout);
  };
  let jobs = 0;
  const control: Control = {
    url,
    ca: files ? { pem: files.pem, file: files.file } : null,
    api,
    get,
    submit: async (job, runner) => {
      const file = bed.path(`job-${++jobs}.yaml`);
      writeFileSync(file, JSON.stringify(job));
      const to = runner === undefined ? [] : ["--runner", runner];
      return (await command(["job", "submit", "-f", file, "--json", ...to])).job;
    },
    createRunner: (name) => command(["runners", "create", name, "--json"]),
    show: (job) => get(`/jobs/${job}`),
    reaches: (job, status, limitMs = 20_000) =>
      until(
        `${job} is ${status}`,
        async () => {
          const doc = await control.show(job);
          return doc.status === status ? doc : null;
        },
        limitMs,
      ),
    log: async (job) => (await api("GET", `/jobs/${job}/logs?format=text`)).text,
    logLines: async (job) =>
      (await api("GET", `/jobs/${job}/logs`)).text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as LogLine),
    runner: (id) => get(`/runners/${id}`),
    workspace: (name) => get(`/workspaces/${name}`),
    restart: async () => {
      await proc.kill9();
      proc = await start();
    },
  };
  return control;
}

function tlsFiles(bed: Bed) {
  const { cert, key } = selfSigned();
  const files = { file: bed.path("tls.crt"), key: bed.path("tls.key"), pem: cert };
  writeFileSync(files.file, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  return files;
}
