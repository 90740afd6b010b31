import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { RetryRule } from "../../protocol/retry.ts";
import type { Clock } from "../base/clock.ts";
import { authorize } from "./authorize.ts";
import { type Fetch, fetchRetry, placeOf, untrusted } from "./fetch-retry.ts";
import { type ArtifactSource, isLoopback } from "./reference.ts";

export interface RegistryOptions {
  /** PEM of a private CA. */
  readonly ca?: string | undefined;
  /** Hosts (with port) that may be spoken to without TLS when they have none. */
  readonly insecureHosts?: readonly string[];
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  readonly rule: RetryRule;
}

/** GET of a path below `/v2/<repository>/`; a 2xx answer, or RunnerError saying what is wrong. */
export type RegistryGet = (path: string, headers?: Readonly<Record<string, string>>) => Promise<Response>;

const MAX_REDIRECTS = 5;

/**
 * A read-only registry client for one repository. Credentials are sent only after a 401 that asks for them, and never
 * to another origin that a redirect leads to.
 */
export async function openRegistry(
  source: ArtifactSource,
  options: RegistryOptions,
): Promise<{ readonly get: RegistryGet }> {
  const fetcher: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const tls = options.ca === undefined ? {} : { tls: { ca: options.ca } };
  const retry = { rule: options.rule, fetch: fetcher, signal: options.signal, clock: options.clock };
  const raw = (url: string, headers: Readonly<Record<string, string>>) =>
    fetchRetry(url, { headers, redirect: "manual", ...tls }, retry);
  const base = `${await schemeOf(source, raw, options)}://${source.host}`;
  let authorization: string | null = null;

  const follow = async (start: string, headers: Readonly<Record<string, string>>): Promise<Response> => {
    let url = start;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const home = new URL(url).origin === new URL(base).origin;
      const response = await raw(url, home && authorization !== null ? { ...headers, authorization } : headers);
      const location = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
      if (location === null) return response;
      await response.body?.cancel();
      const next = URL.parse(location, url);
      // Our fetch would read a file of this machine, too.
      if (next === null || (next.protocol !== "https:" && next.protocol !== "http:")) {
        throw new RunnerError("protocol", `${placeOf(url)} redirects to something that is no web address`);
      }
      if (next.protocol !== "https:" && new URL(url).protocol === "https:") {
        throw new RunnerError("protocol", `${placeOf(url)} redirects to an address without TLS`);
      }
      url = next.href;
    }
    throw new RunnerError("protocol", `${placeOf(start)} redirects too often`);
  };

  const get: RegistryGet = async (path, headers = {}) => {
    const url = `${base}/v2/${source.repository}/${path}`;
    let response = await follow(url, headers);
    if (response.status === 401) {
      const challenge = response.headers.get("www-authenticate") ?? "";
      await response.body?.cancel();
      authorization = await authorize(challenge, source, base, raw);
      response = await follow(url, headers);
    }
    if (response.ok) return response;
    await response.body?.cancel();
    throw refusal(response.status, source);
  };
  return { get };
}

type Raw = (url: string, headers: Readonly<Record<string, string>>) => Promise<Response>;

/** TLS unless the plan says http; a loopback or named host without TLS answers nothing sensible to it. */
async function schemeOf(source: ArtifactSource, raw: Raw, options: RegistryOptions): Promise<string> {
  if (source.scheme !== null) return source.scheme;
  if (!isLoopback(source.host) && !options.insecureHosts?.includes(source.host)) return "https";
  const once: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const tls = options.ca === undefined ? {} : { tls: { ca: options.ca } };
  try {
    const response = await once(`https://${source.host}/v2/`, {
      redirect: "manual",
      signal: options.signal ?? null,
      ...tls,
    });
    await response.body?.cancel();
    return "https";
  } catch (error) {
    if (untrusted(reasonOf(error))) return "https"; // it does speak TLS: the next request says what is wrong
    const response = await raw(`http://${source.host}/v2/`, {});
    await response.body?.cancel();
    return "http";
  }
}

function refusal(status: number, source: ArtifactSource): RunnerError {
  const name = `${source.host}/${source.repository}:${source.reference}`;
  if (status === 401 || status === 403) {
    const who = source.credentials ? "the given credentials" : "a client without credentials";
    return new RunnerError("refused", `the registry does not let ${who} read ${name} (${status})`, {
      remedy: "check user name, password and the rights on this repository",
    });
  }
  if (status === 404) {
    return new RunnerError("job", `${name} does not exist in the registry`, {
      remedy: "check repository and tag, and whether the build has pushed it",
    });
  }
  return new RunnerError("protocol", `the registry answered ${status} for ${name}`);
}
