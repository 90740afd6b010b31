import { dirname, resolve } from "node:path";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { newSecret } from "../../internal/protocol/ids.ts";
import type { SourceSpec } from "../../internal/protocol/job-file.ts";
import { type ParsedJob, parseJobFile } from "../../internal/protocol/job-file-parse.ts";
import { type Submission, submitted } from "../../internal/protocol/operator.ts";
import type { OperatorClient } from "./operator-client.ts";
import { readFile } from "./read-file.ts";
import { resolveSecrets } from "./resolve-secrets.ts";
import { uploadSource } from "./upload-source.ts";

/** A job file that was read and is valid. */
export interface JobInput {
  readonly parsed: ParsedJob;
  /** Paths in it count from here. */
  readonly folder: string;
}

/** Reads and checks a job file; `-` is stdin. Throws RunnerError usage that names file and key. */
export async function readJob(path: string, cwd: string): Promise<JobInput> {
  const text = path === "-" ? await Bun.stdin.text() : readFile(path, "job file");
  const parsed = parseJobFile(text, path === "-" ? "stdin" : path);
  if (!parsed.ok) throw parsed.error;
  return { parsed: parsed.value, folder: path === "-" ? cwd : dirname(resolve(cwd, path)) };
}

/** Hands a job to the coordinator with everything it names on this machine. Answers the id of the job or change. */
export async function submitJob(
  client: OperatorClient,
  input: JobInput,
  options: { readonly env: Readonly<Record<string, string | undefined>>; readonly runner: string | null },
): Promise<string> {
  const { parsed, folder } = input;
  const { document, sensitive } = resolveSecrets(parsed.document, { folder, env: options.env });
  const varsFiles = filesOf(parsed);
  const submission: Submission = {
    job: document,
    sources: await uploadSources(client, parsed, folder),
    sensitive: [...sensitive],
    ...(varsFiles ? { vars_files: varsFiles.map((name) => readFile(resolve(folder, name), "values file")) } : {}),
    ...(options.runner === null ? {} : { runner: options.runner }),
  };
  return (await client.make("/jobs", submitted, submission, newSecret())).job;
}

/** Files of values that a job names; their contents travel with it. */
export function filesOf({ work }: ParsedJob): readonly string[] | undefined {
  if (work.kind === "terraform") return work.spec.vars_files;
  return work.kind === "helm" ? work.spec.values_files : undefined;
}

async function uploadSources(client: OperatorClient, job: ParsedJob, folder: string) {
  const sources: NonNullable<Submission["sources"]> = {};
  const digests = new Map<string, Promise<string>>();
  for (const [place, source] of sourcesOf(job)) {
    const { root, path, include } = source;
    const packed = resolve(folder, root ?? path);
    // Steps often share one folder: it is packed once.
    const key = JSON.stringify([packed, include]);
    const digest = digests.get(key) ?? uploadSource(client, packed, include);
    digests.set(key, digest);
    sources[place] = { digest: await digest, path: root === undefined ? "" : path };
  }
  return sources;
}

type PathSource = Extract<SourceSpec, { path: string }>;

/** The folders a job names, by their place in the file. */
export function sourcesOf({ work }: ParsedJob): [string, PathSource][] {
  const all: [string, SourceSpec | undefined][] =
    work.kind === "terraform" ||
    work.kind === "script" ||
    work.kind === "container" ||
    work.kind === "helm" ||
    work.kind === "manifest"
      ? [["spec.source", work.spec.source]]
      : work.kind === "action"
        ? work.spec.steps.map((step, index) => [`spec.steps.${index}.source`, step.source])
        : [];
  return all.filter((pair): pair is [string, PathSource] => pair[1] !== undefined && "path" in pair[1]);
}

/** A job file names things of this machine, so a person is told before anything is sent. */
export function refuseMissing(path: string | null): string {
  if (path !== null) return path;
  throw new RunnerError("usage", "the job file is missing", { remedy: "Give it with -f FILE; `-` reads stdin." });
}
