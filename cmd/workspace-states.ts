import { z } from "zod";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import { type StateDoc, stateDiff, stateDoc } from "../internal/protocol/operator.ts";
import { type Command, type Context, need, operand } from "./lib/context.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { table } from "./lib/table.ts";

const pathOf = (context: Context) => `/workspaces/${encodeURIComponent(operand(context))}`;

/** Versions of a state as a table, newest first. */
export function statesTable(states: readonly StateDoc[]): string {
  const rows = states.map((one) => [
    `${one.serial}${one.current ? " (current)" : ""}`,
    one.created_at,
    `${one.bytes} B`,
    one.job_id ?? one.by,
    one.restored_from === null ? one.why : `serial ${one.restored_from} restored: ${one.why}`,
  ]);
  return table(["serial", "created", "size", "by", "why"], rows);
}

export const workspacesStates: Command = async (context) => {
  const states = await operatorFrom(context.values).get(`${pathOf(context)}/states`, z.array(stateDoc));
  context.out(context.values.json ? JSON.stringify(states) : statesTable(states));
  return EXIT.done;
};

/** The bytes as they are stored: for a file, or for another program. */
export const workspacesState: Command = async (context) => {
  const client = operatorFrom(context.values);
  const serial = context.values.serial ?? (await currentSerial(context));
  const text = await client.text(`${pathOf(context)}/states/${serial}`);
  context.out(text.endsWith("\n") ? text.slice(0, -1) : text);
  return EXIT.done;
};

async function currentSerial(context: Context): Promise<number> {
  const states = await operatorFrom(context.values).get(`${pathOf(context)}/states`, z.array(stateDoc));
  const current = states.find((state) => state.current);
  if (current !== undefined) return current.serial;
  const remedy = "`runner workspaces states` lists the versions that are kept; name one with --serial.";
  throw new RunnerError("usage", `workspace ${operand(context)} has no state now`, { remedy });
}

/** Without --to the current version, without --from the one before that. */
export const workspacesDiff: Command = async (context) => {
  const { from, to, json } = context.values;
  const after = to ?? (await currentSerial(context));
  const query = from === null ? "" : `?from=${from}`;
  const diff = await operatorFrom(context.values).get(`${pathOf(context)}/states/${after}/diff${query}`, stateDiff);
  context.out(json ? JSON.stringify(diff) : diff.text.trimEnd());
  return EXIT.done;
};

export const workspacesRestore: Command = async (context) => {
  const serial = need(context.values.serial, "the version to restore", "serial", "RUNNER_SERIAL");
  const why = need(context.values.why, "the reason", "why", "RUNNER_WHY");
  const client = operatorFrom(context.values);
  const made = await client.make(`${pathOf(context)}/restore`, stateDoc, { serial, why }, crypto.randomUUID());
  const said = `serial ${serial} of ${operand(context)} is the current state again, as serial ${made.serial}`;
  context.out(context.values.json ? JSON.stringify(made) : said);
  return EXIT.done;
};
