import { z } from "zod";
import { RunnerError } from "../../protocol/errors.ts";
import { placeOf, readAtMost } from "./fetch-retry.ts";
import type { ArtifactSource, Credentials } from "./reference.ts";

const tokenAnswer = z.looseObject({ token: z.string().nullish(), access_token: z.string().nullish() });

/**
 * The Authorization header that a 401 asks for: Basic, or a Bearer token fetched from the realm it names. Throws
 * RunnerError `refused` when there is nothing to log in with, `protocol` for a challenge nobody can meet.
 */
export async function authorize(
  challenge: string,
  source: ArtifactSource,
  base: string,
  get: (url: string, headers: Readonly<Record<string, string>>) => Promise<Response>,
): Promise<string> {
  const scheme = /^\s*(\w+)/.exec(challenge)?.[1]?.toLowerCase();
  if (scheme === "bearer") return `Bearer ${await fetchToken(parameters(challenge), source, base, get)}`;
  if (scheme !== "basic" && challenge !== "") {
    throw new RunnerError(
      "protocol",
      `the registry ${source.host} asks for an unknown way to log in (${scheme ?? "?"})`,
    );
  }
  if (!source.credentials) {
    throw new RunnerError("refused", `the registry ${source.host} wants a user name and password`, {
      remedy: "give credentials for this registry in the plan",
    });
  }
  return basic(source.credentials);
}

async function fetchToken(
  parts: ReadonlyMap<string, string>,
  source: ArtifactSource,
  base: string,
  get: (url: string, headers: Readonly<Record<string, string>>) => Promise<Response>,
): Promise<string> {
  const realm = URL.parse(parts.get("realm") ?? "", base);
  // A password goes to the realm: not without TLS, unless the registry itself has none.
  if (!realm || (realm.protocol !== "https:" && !(realm.protocol === "http:" && base.startsWith("http:")))) {
    throw new RunnerError("protocol", `the registry ${source.host} names no usable token server`);
  }
  const service = parts.get("service");
  if (service !== undefined) realm.searchParams.set("service", service);
  realm.searchParams.set("scope", parts.get("scope") ?? `repository:${source.repository}:pull`);
  const response = await get(realm.href, source.credentials ? { authorization: basic(source.credentials) } : {});
  if (!response.ok) {
    await response.body?.cancel();
    throw new RunnerError("refused", `the token server ${placeOf(realm.href)} answered ${response.status}`, {
      remedy: "check user name and password of this registry",
    });
  }
  const body = await readAtMost(response, TOKEN_LIMIT);
  const answer = tokenAnswer.safeParse(parsed(body));
  const token = answer.success ? (answer.data.token ?? answer.data.access_token) : null;
  if (!token) throw new RunnerError("protocol", `the token server ${placeOf(realm.href)} sent no token`);
  return token;
}

const TOKEN_LIMIT = 1_048_576;

function parsed(body: Uint8Array | null): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body ?? undefined));
  } catch {
    return null;
  }
}

/** `key="value"` pairs of a challenge; names in lower case. */
function parameters(challenge: string): ReadonlyMap<string, string> {
  const pairs = challenge.matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g);
  return new Map([...pairs].map(([, key = "", quoted, plain]) => [key.toLowerCase(), quoted ?? plain ?? ""]));
}

function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
