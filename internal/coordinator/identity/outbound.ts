import { readText } from "../../kit/http/body.ts";
import { besidePublic } from "../../kit/http/certificate.ts";
import type { Fetch } from "../../kit/http/http.ts";
import { fail, ok, type Result, reasonOf } from "../../protocol/errors.ts";
import { EXCHANGE } from "./limits.ts";

/** A GET of what an issuer or AWS says. The error is one line. */
export type Outbound = (url: string, headers?: Readonly<Record<string, string>>) => Promise<Result<Said, string>>;

export interface Said {
  readonly status: number;
  /** JSON; undefined: it is none. */
  readonly json: unknown;
}

/**
 * Https only, no redirects, bounded in time and size. Proxy variables of this process are obeyed (Bun's fetch). `ca`:
 * PEM of a private authority beside the public ones. `patience`: milliseconds.
 */
export function createOutbound(ca: string | null, send: Fetch = fetch, patience: number = EXCHANGE.patience): Outbound {
  const tls = ca === null ? {} : { tls: { ca: besidePublic(ca) } };
  return async (url, headers = {}) => {
    const place = URL.parse(url);
    if (place?.protocol !== "https:" || place.username !== "" || place.password !== "") {
      return fail("only plain https addresses are asked");
    }
    try {
      const answer = await send(url, {
        headers: { accept: "application/json", ...headers },
        redirect: "manual",
        signal: AbortSignal.timeout(patience),
        ...tls,
      });
      const text = await readText(answer, EXCHANGE.answerBytes);
      if (answer.status >= 300 && answer.status < 400) return fail(`${place.host} redirects, which is not followed`);
      return ok({ status: answer.status, json: parsed(text) });
    } catch (error) {
      return fail(`${place.host} does not answer: ${reasonOf(error).slice(0, 200)}`);
    }
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
