import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { systemClock } from "../internal/kit/base/clock.ts";
import { type Cloud, findCloud, machineProof } from "../internal/kit/cloud/index.ts";
import { waitMs } from "../internal/kit/http/back-off.ts";
import { besidePublic } from "../internal/kit/http/certificate.ts";
import type { HttpFailure } from "../internal/kit/http/failure.ts";
import { createHttp } from "../internal/kit/http/http.ts";
import { EXIT, RunnerError, reasonOf } from "../internal/protocol/errors.ts";
import { RETRY } from "../internal/protocol/retry.ts";
import { type TokenExchange, tokenExchanged } from "../internal/protocol/token-exchange.ts";
import { readCa } from "./lib/ca-file.ts";
import { type Command, type Context, need } from "./lib/context.ts";
import { readLine } from "./lib/read-file.ts";

/** `POST /v1/runners/{id}/token-exchange`; see docs/cloud-identity.md. */
export const mngFetchToken: Command = async (context) => {
  const { values, env, log } = context;
  const apiUrl = need(values.apiUrl, "the address of the control plane", "api-url", "RUNNER_API_URL");
  const runnerId = need(values.runnerId, "the id of this runner", "runner-id", "RUNNER_ID");
  const file = need(values.tokenFile, "the file for the token", "token-file", "RUNNER_TOKEN_FILE");
  const cloud = values.cloud ?? (await cloudOf(context));
  const { origin } = new URL(apiUrl);
  const prove = (): Promise<TokenExchange> =>
    cloud === "oidc"
      ? Promise.resolve({ cloud, kind: "jwt", proof: identityToken(context) })
      : machineProof(cloud, { origin, runnerId, audience: values.audience, env });
  writeToken(file, await exchange(context, { apiUrl, runnerId, prove }));
  log.info("a new token is in place", { file, cloud });
  return EXIT.done;
};

async function cloudOf({ values, env }: Context): Promise<Cloud | "oidc"> {
  if (values.identityFile !== null) return "oidc";
  const found = await findCloud({ env });
  if (found !== null) return found;
  throw new RunnerError("environment", "no metadata service of a cloud answers on this machine", {
    remedy: "Name the cloud with --cloud, or make a token with `runner runners create`.",
  });
}

const identityToken = ({ values }: Context): string =>
  readLine(
    need(values.identityFile, "the file with the identity token", "identity-file", "RUNNER_IDENTITY_FILE"),
    "identity file",
  );

interface Asked {
  readonly apiUrl: string;
  readonly runnerId: string;
  readonly prove: () => Promise<TokenExchange>;
}

/** Each try shows a proof of its own: one may count once. */
async function exchange({ values }: Context, { apiUrl, runnerId, prove }: Asked): Promise<string> {
  const ca = readCa(values.caFile);
  const http = createHttp({ baseUrl: apiUrl, endOnDistrust: true, ...(ca === null ? {} : { ca: besidePublic(ca) }) });
  const rule = RETRY.exchange;
  for (let failed = 0; ; ) {
    const request = { method: "POST", path: `/v1/runners/${encodeURIComponent(runnerId)}/token-exchange` } as const;
    const json = await prove();
    const said = await http.request({ ...request, json, rule: { ...rule, tries: 1 }, decode: tokenExchanged });
    if (said.ok) return said.value.value.token;
    failed += 1;
    if (!isPassing(said.error) || failed >= rule.tries) throw explain(said.error, new URL(apiUrl).origin);
    await systemClock.sleep(waitMs(rule, failed, Math.random, said.error.retryAfterMs ?? 0));
  }
}

/** An answer that is none of this exchange will be none the next time. */
const isPassing = ({ retryable, kind }: HttpFailure) => retryable && kind !== "protocol";

function explain(cause: HttpFailure, origin: string): RunnerError {
  if (cause.status === 404) {
    return new RunnerError("refused", "the control plane gives no tokens for a cloud identity", {
      remedy: "Make one with `runner runners create` or `runner runners rotate` and put it into the token file.",
      cause,
    });
  }
  if (cause.status !== null && cause.status >= 400 && cause.status < 500) {
    return new RunnerError(
      "refused",
      `the control plane refuses this machine's identity: it answered ${cause.status}`,
      {
        remedy:
          "`runner runners identities RUNNER` shows whom it trusts for this runner; its log says what did not fit.",
        cause,
      },
    );
  }
  const remedy = cause.remedy === undefined ? {} : { remedy: cause.remedy };
  return new RunnerError(cause.kind, `no token from ${origin}: ${cause.message}`, { ...remedy, cause });
}

/** 0600 and whole, or as it was. */
function writeToken(file: string, token: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    const fd = openSync(aside, "w", 0o600);
    try {
      fchmodSync(fd, 0o600);
      writeSync(fd, `${token}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(aside, file);
  } catch (cause) {
    rmSync(aside, { force: true });
    throw new RunnerError("environment", `the token cannot be written to ${file}: ${reasonOf(cause)}`, {
      remedy: "Check the folder and who may write there.",
      cause,
    });
  }
}
