import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { z } from "zod";
import { type Cloud, findCloud, machineProof } from "../internal/kit/cloud/index.ts";
import { besidePublic } from "../internal/kit/http/certificate.ts";
import { EXIT, RunnerError, reasonOf } from "../internal/protocol/errors.ts";
import { readCa } from "./lib/ca-file.ts";
import { type Command, type Context, need } from "./lib/context.ts";

const PATIENCE_MS = 30_000;
const answer = z.object({ token: z.string().regex(/^\S{8,8192}$/, "a token") });

/** `POST /v1/runners/{id}/token-exchange` `{cloud, kind, proof}` → `{token}`; see docs/rotate-keys.md. */
export const mngFetchToken: Command = async (context) => {
  const { values, env, log } = context;
  const apiUrl = need(values.apiUrl, "the address of the control plane", "api-url", "RUNNER_API_URL");
  const runnerId = need(values.runnerId, "the id of this runner", "runner-id", "RUNNER_ID");
  const file = need(values.tokenFile, "the file for the token", "token-file", "RUNNER_TOKEN_FILE");
  const cloud = values.cloud ?? (await cloudOf(context));
  const audience = new URL(apiUrl).origin;
  const proof = await machineProof(cloud, { audience, env });
  const token = await exchange(context, `${apiUrl.replace(/\/+$/, "")}/v1/runners/${runnerId}/token-exchange`, proof);
  writeToken(file, token);
  log.info("a new token is in place", { file, cloud });
  return EXIT.done;
};

async function cloudOf({ env }: Context): Promise<Cloud> {
  const found = await findCloud({ env });
  if (found !== null) return found;
  throw new RunnerError("environment", "no metadata service of a cloud answers on this machine", {
    remedy: "Name the cloud with --cloud, or make a token with `runner runners create`.",
  });
}

async function exchange({ values }: Context, url: string, proof: object): Promise<string> {
  const ca = readCa(values.caFile);
  let said: Response;
  try {
    said = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(proof),
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
      ...(ca === null ? {} : { tls: { ca: besidePublic(ca) } }),
    });
  } catch (cause) {
    throw new RunnerError("unreachable", `${new URL(url).origin} does not answer: ${reasonOf(cause)}`, { cause });
  }
  if (said.status === 404) {
    throw new RunnerError("refused", "the control plane gives no tokens for a cloud identity", {
      remedy: "Make one with `runner runners create` or `runner runners rotate` and put it into the token file.",
    });
  }
  if (!said.ok) {
    throw new RunnerError("refused", `the control plane refuses this machine's identity: it answered ${said.status}`, {
      remedy: "Its operator has to trust the account, project or tenant of this machine for this runner.",
    });
  }
  const parsed = answer.safeParse(await said.json().catch(() => null));
  if (parsed.success) return parsed.data.token;
  throw new RunnerError("protocol", "the control plane's answer holds no token");
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
