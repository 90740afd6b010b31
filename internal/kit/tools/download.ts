import { createHash } from "node:crypto";
import { chmod, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import type { RetryRule } from "../../protocol/retry.ts";
import type { Clock } from "../base/clock.ts";
import { type Fetch, fetchRetry, resumingBody } from "../oci/index.ts";
import { withFileLock } from "./file-lock.ts";
import { untarOne } from "./untar-one.ts";
import { unzipOne } from "./unzip.ts";

export interface DownloadOptions {
  readonly url: string;
  /** Of the archive, lower-case hex. */
  readonly sha256: string;
  /** Path of the program in the archive. */
  readonly entry: string;
  /** Where the program goes. */
  readonly into: string;
  readonly rule: RetryRule;
  readonly clock: Clock;
  readonly fetch: Fetch;
  readonly ca?: string | undefined;
}

const MAX_BYTES = 512 * 1_048_576;
const LOCK_WAIT_MS = 600_000;

/**
 * Fetches an archive to a temporary file, checks its SHA-256 before anything in it is touched, unpacks the program
 * beside its place and moves it there in one step. Processes that want the same wait for the first.
 */
export async function downloadTool(options: DownloadOptions): Promise<void> {
  const { into, clock } = options;
  await mkdir(dirname(into), { recursive: true, mode: 0o700 });
  await withFileLock(`${into}.lock`, { clock, maxWaitMs: LOCK_WAIT_MS }, async () => {
    if (await Bun.file(into).exists()) return;
    const mark = `${process.pid}.${Math.random().toString(36).slice(2)}`;
    const archive = join(dirname(into), `.archive.${mark}`);
    const program = join(dirname(into), `.program.${mark}`);
    try {
      await fetchArchive(options, archive);
      await takeProgram(archive, options, program);
      await rename(program, into);
    } finally {
      await rm(archive, { force: true });
      await rm(program, { force: true });
    }
  });
}

/** By what the address ends in. What is neither zip nor gzipped tar is the program itself. */
async function takeProgram(archive: string, { url, entry }: DownloadOptions, program: string): Promise<void> {
  const { pathname } = new URL(url);
  if (pathname.endsWith(".zip")) return await unzipOne(archive, entry, program, 0o755);
  if (/\.t(?:ar\.)?gz$/.test(pathname)) return await untarOne(archive, entry, program, 0o755);
  await chmod(archive, 0o755);
  await rename(archive, program);
}

/** Fetches the archive as it is into a new file. Throws RunnerError when it is not what the SHA-256 says. */
export async function fetchArchive(
  options: Pick<DownloadOptions, "url" | "sha256" | "rule" | "clock" | "fetch" | "ca">,
  archive: string,
): Promise<void> {
  const { url, rule, clock } = options;
  const init = options.ca === undefined ? {} : { tls: { ca: options.ca } };
  const get = (headers: Record<string, string>) =>
    fetchRetry(url, { ...init, headers }, { rule, clock, fetch: options.fetch });
  const first = await get({});
  if (!first.ok) {
    await first.body?.cancel();
    throw new RunnerError("environment", `${url} answered ${first.status}`);
  }
  const hash = createHash("sha256");
  const file = await open(archive, "wx", 0o600);
  try {
    let size = 0;
    for await (const chunk of resumingBody(first, (from) => get({ range: `bytes=${from}-` }), rule)) {
      size += chunk.length;
      if (size > MAX_BYTES) throw new RunnerError("environment", `${url} is larger than ${MAX_BYTES} bytes`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  const digest = hash.digest("hex");
  if (digest !== options.sha256) {
    throw new RunnerError("environment", `${url} has SHA-256 ${digest}, expected ${options.sha256}: not used`, {
      remedy: "check the mirror or proxy: it delivers something else than the vendor",
    });
  }
}
