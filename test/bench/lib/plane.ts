import { readFileSync } from "node:fs";
import type { RunnerDoc } from "../../../internal/protocol/operator.ts";
import { createOperator, type Operator } from "../../lib/operator.ts";
import type { Watched } from "./live-events.ts";
import { type Bed, freePort, type Proc, until } from "./processes.ts";

/** A coordinator process, asked over HTTP. */
export interface Coordinator extends Watched {
  readonly url: string;
  readonly adminKey: string;
  readonly proc: Proc;
  readonly operator: Operator;
}

export async function startCoordinator(
  bed: Bed,
  binary: string,
  name = "coordinator",
  env: Readonly<Record<string, string>> = {},
): Promise<Coordinator> {
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const data = bed.path(name);
  const proc = bed.spawn([binary, "coordinator", "--listen", `127.0.0.1:${port}`, "--data-dir", data], env);
  await until(`the coordinator is ready (${name})`, () => answers(`${url}/readyz`));
  const adminKey = readFileSync(`${data}/admin.key`, "utf8").trim();
  const operator = createOperator({ url, adminKey });
  return { url, adminKey, proc, operator, open: () => operator.raw("/events/stream") };
}

export async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

export interface Identity {
  readonly id: string;
  readonly token: string;
}

export async function createRunner(coordinator: Coordinator, name: string): Promise<Identity> {
  const { status, body } = await coordinator.operator.send("POST", "/runners", { name });
  if (status !== 200 && status !== 201) throw new Error(`runner ${name}: ${status} ${JSON.stringify(body)}`);
  return body;
}

export interface RunnerOptions {
  readonly binary: string;
  readonly name: string;
  /** Where it finds the control plane, when not at the coordinator itself. */
  readonly url?: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export function spawnRunner(bed: Bed, coordinator: Coordinator, identity: Identity, options: RunnerOptions): Proc {
  const flags = ["--state-dir", bed.path(`state-${options.name}`), ...(options.flags ?? [])];
  return bed.spawn([options.binary, "run", ...flags], {
    ...options.env,
    RUNNER_API_URL: options.url ?? coordinator.url,
    RUNNER_ID: identity.id,
    RUNNER_API_TOKEN: identity.token,
  });
}

/** A runner process that is online. */
export async function startRunner(
  bed: Bed,
  coordinator: Coordinator,
  options: RunnerOptions,
): Promise<{ readonly proc: Proc; readonly identity: Identity }> {
  const identity = await createRunner(coordinator, options.name);
  const proc = spawnRunner(bed, coordinator, identity, options);
  await online(coordinator, identity.id);
  return { proc, identity };
}

export const online = (coordinator: Coordinator, id: string) =>
  until("the runner is online", async () => {
    const doc = await coordinator.operator.get<RunnerDoc>(`/runners/${id}`);
    return doc.contact === "online" && doc.session;
  });
