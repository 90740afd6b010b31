import type { SystemLog } from "../../kit/base/system-log.ts";
import type { HttpWatch } from "../../kit/http/http.ts";
import type { ControlPlane } from "./control-plane.ts";
import { detectDialect } from "./detect.ts";
import type { DialectOptions } from "./dialect-http.ts";
import { createNativeControlPlane } from "./native.ts";
import { createNuonControlPlane } from "./nuon.ts";

export interface ControlPlaneChoice {
  readonly apiUrl: string;
  readonly runnerId: string;
  readonly token: string;
  readonly readToken?: DialectOptions["readToken"];
  /** null: found by asking the server. */
  readonly dialect: "native" | "nuon" | null;
  readonly version: string;
  /** Where the journal lies; its free space is reported. Default: the working directory. */
  readonly stateDir?: string;
  /** Certificate authorities (PEM) to trust instead of the system's. */
  readonly ca?: string | undefined;
  readonly log: SystemLog;
  /** Told of every request but the question for the dialect. */
  readonly watch?: HttpWatch;
  readonly held?: DialectOptions["held"];
  readonly signal: AbortSignal;
}

/** The control plane at `apiUrl` in its dialect. Waits while it is away; throws RunnerError when it is neither. */
export async function connectControlPlane(choice: ControlPlaneChoice): Promise<ControlPlane> {
  const { apiUrl, runnerId, token, readToken, version, ca, log, watch, held, signal } = choice;
  const found = choice.dialect ?? (await dialectAt(choice, signal));
  const more = { ...(watch && { watch }), ...(held && { held }) };
  const options = { url: apiUrl, runnerId, token, readToken, version, ca, log, ...more };
  if (found === "nuon") return createNuonControlPlane(options);
  return createNativeControlPlane({ ...options, stateDir: choice.stateDir ?? "." });
}

async function dialectAt({ apiUrl, ca, log }: ControlPlaneChoice, signal: AbortSignal): Promise<"native" | "nuon"> {
  // Foreign servers have their API at the host's root, whatever path the address has.
  const detected = await detectDialect({ baseUrl: apiUrl, ...(ca === undefined ? {} : { ca }), log }, signal);
  if (!detected.ok) throw detected.error;
  return detected.value;
}
