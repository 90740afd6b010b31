import { z } from "zod";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import { type DriftDoc, stateDoc, submitted, type WorkspaceDoc, workspaceDoc } from "../internal/protocol/operator.ts";
import { awaitJob } from "./lib/await-job.ts";
import { type Command, type Context, operand } from "./lib/context.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { facts, table } from "./lib/table.ts";
import { statesTable } from "./workspace-states.ts";

const pathOf = (context: Context) => `/workspaces/${encodeURIComponent(operand(context))}`;
const holder = ({ lock }: WorkspaceDoc) => (lock ? `${lock.ID} (${lock.Operation}, ${lock.job_id ?? lock.Who})` : "");

export const workspacesList: Command = async (context) => {
  const workspaces = await operatorFrom(context.values).get("/workspaces", z.array(workspaceDoc));
  const rows = workspaces.map((one) => [one.name, String(one.serial ?? ""), one.updated_at ?? "", holder(one)]);
  context.out(context.values.json ? JSON.stringify(workspaces) : table(["name", "serial", "updated", "lock"], rows));
  return EXIT.done;
};

export const workspacesShow: Command = async (context) => {
  const client = operatorFrom(context.values);
  const workspace = await client.get(pathOf(context), workspaceDoc);
  const states = await client.get(`${pathOf(context)}/states`, z.array(stateDoc));
  if (context.values.json) {
    context.out(JSON.stringify({ ...workspace, versions: states }));
    return EXIT.done;
  }
  const { lock } = workspace;
  context.out(
    facts({
      name: workspace.name,
      id: workspace.id,
      serial: String(workspace.serial ?? "none"),
      lineage: workspace.lineage,
      updated: workspace.updated_at,
      lock: lock ? lock.ID : "free",
      "locked by": lock ? [lock.Who, lock.job_id, lock.runner_id].filter(Boolean).join(", ") : null,
      "locked at": lock?.locked_at ?? null,
      drift: workspace.drift ? driftText(workspace.drift) : null,
    }),
  );
  if (states.length > 0) context.out(`\n${statesTable(states)}`);
  return EXIT.done;
};

const driftText = ({ status, summary, job, checked_at }: DriftDoc) =>
  [status, summary, checked_at === null ? `job ${job}` : `${checked_at}, job ${job}`].filter(Boolean).join("; ");

/** Exit code with --wait: 0 only when there is no drift. */
export const workspacesDrift: Command = async (context) => {
  const client = operatorFrom(context.values);
  const { json, wait } = context.values;
  const { job } = await client.make(`${pathOf(context)}/drift`, submitted, {});
  if (!wait) {
    const look = `  runner workspaces show ${operand(context)}\n  runner job show ${job}`;
    context.out(json ? JSON.stringify({ job }) : `${job}\n${look}`);
    return EXIT.done;
  }
  const ended = await awaitJob(context, client, job);
  const { drift } = await client.get(pathOf(context), workspaceDoc);
  if (json) context.out(JSON.stringify(drift));
  else if (drift !== null) {
    if (drift.status === "drifted" && ended.diff !== null) context.out(`\n${ended.diff.trimEnd()}`);
    context.out(`\n${drift.status}: ${drift.summary}`);
  }
  return drift?.status === "none" ? EXIT.done : EXIT.failed;
};

export const workspacesUnlock: Command = async (context) => {
  const client = operatorFrom(context.values);
  const { lock } = await client.get(pathOf(context), workspaceDoc);
  const id = context.values.lockId ?? lock?.ID ?? null;
  if (id === null) {
    throw new RunnerError("conflict", `workspace ${operand(context)} is not locked`, {
      remedy: "There is nothing to free.",
    });
  }
  await client.send("POST", `${pathOf(context)}/unlock`, {
    lock_id: id,
    ...(context.values.force ? { force: true } : {}),
  });
  context.out(
    context.values.json ? JSON.stringify({ lock_id: id }) : `${operand(context)} is free; lock ${id} is gone`,
  );
  return EXIT.done;
};
