import { z } from "zod";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";

/** What every registry of Azure calls a user that comes with a token. */
const USER = "00000000-0000-0000-0000-000000000000";
const ASK_MS = 30_000;
const answered = z.looseObject({ refresh_token: z.string().min(1) });

/**
 * User and password of an Azure registry for a token of Entra ID: the registry exchanges it for one of its own. `server`
 * with its scheme. Throws RunnerError (job).
 */
export async function acrToken(server: string, token: string, tenant: string | undefined) {
  const url = new URL("/oauth2/exchange", server);
  const form = { grant_type: "access_token", service: url.host, access_token: token, ...(tenant ? { tenant } : {}) };
  try {
    const answer = await fetch(url, {
      method: "POST",
      body: new URLSearchParams(form),
      signal: AbortSignal.timeout(ASK_MS),
    });
    if (!answer.ok) {
      await answer.body?.cancel();
      throw new Error(`it answers ${answer.status}`);
    }
    return { username: USER, password: answered.parse(await answer.json()).refresh_token };
  } catch (cause) {
    throw new RunnerError("job", `${url.host} gives no login: ${reasonOf(cause).split("\n")[0]?.slice(0, 200)}`, {
      remedy: "The identity of the runner's machine needs the role AcrPull on this registry.",
      cause,
    });
  }
}
