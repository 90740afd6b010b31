import { z } from "zod";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { GcpAuth } from "../../protocol/nuon/plans.ts";
import { type Renewed, renewed } from "./renewed.ts";

const SCOPES = ["https://www.googleapis.com/auth/cloud-platform"];
/** The library does not always say when a token ends; Google's live an hour, and it hands out no dead one. */
const LIFE_MS = 5 * 60_000;

/** Bearer token of a GKE cluster: a key file's text, else the default credentials of the machine. Throws RunnerError. */
export function gcpToken(auth: GcpAuth): Renewed<string> {
  const credentials = auth.credentials_json ? keyFile(auth.credentials_json) : null;
  return renewed(async () => {
    const { GoogleAuth } = await import("google-auth-library");
    try {
      const google = new GoogleAuth({ scopes: SCOPES, ...(credentials === null ? {} : { credentials }) });
      const client = await google.getClient();
      const { token } = await client.getAccessToken();
      if (!token) throw new RunnerError("environment", "the answer holds no token");
      return { value: token, untilMs: client.credentials.expiry_date ?? Date.now() + LIFE_MS };
    } catch (cause) {
      const kind = credentials === null ? "environment" : "job";
      throw new RunnerError(kind, `no Google credentials: ${reasonOf(cause).split("\n")[0]?.slice(0, 300)}`, {
        remedy: "Give the machine a service account, or the job a key file (cluster.gke.credentials).",
        cause,
      });
    }
  });
}

function keyFile(text: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    throw new RunnerError("job", "the Google credentials are no key file (JSON)", {
      remedy: "Give the whole text of the key file: credentials: { file: key.json }.",
    });
  }
}
