import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { RETRY, type RetryRule } from "../../protocol/retry.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { besidePublic } from "../http/certificate.ts";
import { type Fetch, fetchRetry, placeOf, resumingBody } from "../oci/index.ts";

/** Where the files of a release come from: a folder or a web server. Nothing it delivers is trusted. */
export interface ReleaseSource {
  /** For messages: no credentials, no query. */
  readonly place: string;
  /** The bytes of a file; null: there is none. Reading throws RunnerError. */
  open(file: string): Promise<Result<AsyncIterable<Uint8Array> | null>>;
  /** The same for a folder below it. */
  below(folder: string): ReleaseSource;
}

export interface HttpSourceOptions {
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly rule?: RetryRule;
  /** PEM of a private CA, trusted beside the public ones. */
  readonly ca?: string | null;
  readonly signal?: AbortSignal;
}

/** One file, however slowly it trickles. */
const LONGEST_MS = 3_600_000;
/** A person or a maintenance window waits. */
const RULE: RetryRule = { ...RETRY.fetch, tries: 4, cap_ms: 5_000 };

/** `http(s)://…` or a folder (also as `file://`). Error `usage`: it is neither. */
export function openSource(base: string, options: HttpSourceOptions = {}): Result<ReleaseSource> {
  if (/^https?:\/\//i.test(base)) {
    return URL.canParse(base) ? ok(httpSource(base, options)) : fail(noAddress(base));
  }
  if (/^file:\/\/\//i.test(base)) {
    const folder = folderOf(base);
    return folder === null ? fail(noAddress(base)) : ok(folderSource(folder));
  }
  if (base === "" || /^[a-z][a-z0-9+.-]*:\/\//i.test(base)) return fail(noAddress(base));
  return ok(folderSource(base));
}

/** null: an escape in it is none. */
function folderOf(address: string): string | null {
  try {
    return decodeURIComponent(new URL(address).pathname);
  } catch {
    return null;
  }
}

function noAddress(base: string): RunnerError {
  return new RunnerError("usage", `${JSON.stringify(base)} is no place of a release`, {
    remedy: "Give a folder, or an address that begins with https:// or http:// (file:///, with escapes in order).",
  });
}

function folderSource(folder: string): ReleaseSource {
  return {
    place: folder,
    async open(file) {
      const path = join(folder, file);
      try {
        if (!(await stat(path)).isFile()) throw new Error("it is no file");
        return ok(createReadStream(path, { highWaterMark: 1_048_576 }));
      } catch (cause) {
        if (isMissing(cause)) return ok(null);
        return fail(new RunnerError("environment", `${path} cannot be read: ${reasonOf(cause)}`, { cause }));
      }
    },
    below: (name) => folderSource(join(folder, name)),
  };
}

const isMissing = (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOENT";

function httpSource(base: string, options: HttpSourceOptions): ReleaseSource {
  const { rule = RULE, clock = systemClock, signal, ca } = options;
  const init = ca ? { tls: { ca: besidePublic(ca) } } : {};
  const send: Fetch = options.fetch ?? ((url, request) => fetch(url, request));
  return {
    place: placeOf(base),
    async open(file) {
      const url = addressOf(base, file);
      const get = (headers: Record<string, string>) =>
        fetchRetry(url, { ...init, headers }, { rule, clock, fetch: send, signal });
      try {
        // What was compressed on the way could not be resumed by its offset.
        const first = await get({ "accept-encoding": "identity" });
        if (first.status === 404 || first.status === 410) {
          await first.body?.cancel();
          return ok(null);
        }
        const fault = faultOf(first, url);
        if (fault !== null) {
          await first.body?.cancel();
          return fail(fault);
        }
        const again = (from: number) => get({ range: `bytes=${from}-`, "accept-encoding": "identity" });
        return ok(bounded(resumingBody(first, again, rule), clock, url));
      } catch (error) {
        if (error instanceof RunnerError) return fail(error);
        return fail(new RunnerError("unreachable", `${placeOf(url)}: ${reasonOf(error)}`, { cause: error }));
      }
    },
    below: (name) => httpSource(addressOf(base, name), options),
  };
}

async function* bounded(parts: AsyncIterable<Uint8Array>, clock: Clock, url: string): AsyncGenerator<Uint8Array> {
  const start = clock.monotonic();
  for await (const part of parts) {
    if (clock.monotonic() - start > LONGEST_MS) {
      throw new RunnerError("unreachable", `${placeOf(url)} took longer than ${LONGEST_MS / 60_000} minutes`, {
        remedy: "Take a server that is nearer, or carry the release folder here.",
      });
    }
    yield part;
  }
}

/** `+` is a space to some servers (S3), so every name is escaped. A query (a signed address) stays at the end. */
function addressOf(base: string, path: string): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${path.split("/").map(encodeURIComponent).join("/")}`;
  return url.href;
}

function faultOf(answer: Response, url: string): RunnerError | null {
  if (!answer.ok) {
    const refused = answer.status === 401 || answer.status === 403;
    return new RunnerError(refused ? "refused" : "unreachable", `${placeOf(url)} answered ${answer.status}`, {
      remedy: "Check the base address and who may read there.",
    });
  }
  if (!/^(text\/html|application\/xhtml)/i.test(answer.headers.get("content-type") ?? "")) return null;
  return new RunnerError("protocol", `${placeOf(url)} answered with a web page instead of the file`, {
    remedy: "Check the base address; a proxy or a login page may stand before it.",
  });
}
