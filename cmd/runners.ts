import { z } from "zod";
import { EXIT } from "../internal/protocol/errors.ts";
import { type RunnerDoc, runnerCreated, runnerDoc } from "../internal/protocol/operator.ts";
import { isVersion } from "../internal/protocol/runner-wishes.ts";
import { type Command, type Context, operand } from "./lib/context.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { facts, table } from "./lib/table.ts";

const pathOf = (context: Context) => `/runners/${encodeURIComponent(operand(context))}`;
const versionOf = ({ session, expected_version: wanted }: RunnerDoc) =>
  session && !isVersion(wanted, session.version) ? `${session.version} (wanted: ${wanted})` : (session?.version ?? "");
const state = (runner: RunnerDoc) => `${runner.contact}${runner.draining ? ", draining" : ""}`;

export const runnersList: Command = async (context) => {
  const runners = await operatorFrom(context.values).get("/runners", z.array(runnerDoc));
  const rows = runners.map((one) => [
    one.id,
    one.name,
    state(one),
    one.session?.mode ?? "",
    versionOf(one),
    String(one.session?.busy ?? 0),
    one.last_contact_at ?? "",
  ]);
  const header = ["id", "name", "contact", "mode", "version", "busy", "last contact"];
  context.out(context.values.json ? JSON.stringify(runners) : table(header, rows));
  return EXIT.done;
};

export const runnersShow: Command = async (context) => {
  const runner = await operatorFrom(context.values).get(pathOf(context), runnerDoc);
  const { session } = runner;
  const text = () =>
    facts({
      id: runner.id,
      name: runner.name,
      contact: state(runner),
      "last contact": runner.last_contact_at,
      labels: Object.entries(runner.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(", "),
      dialect: session?.dialect ?? null,
      mode: session?.mode ?? null,
      version: versionOf(runner),
      instance: session?.instance_id ?? null,
      host: session?.inventory
        ? `${session.inventory.hostname}, ${session.inventory.os}/${session.inventory.arch}`
        : null,
      gpus: session?.inventory?.gpus.length
        ? `${session.inventory.gpus.length}, ${session.gpus_in_use.length} in use`
        : null,
      busy: session ? String(session.busy) : null,
    });
  context.out(context.values.json ? JSON.stringify(runner) : text());
  return EXIT.done;
};

/** Prints what is shown once. */
function printToken(context: Context, created: z.infer<typeof runnerCreated>): void {
  if (context.values.json) {
    context.out(JSON.stringify(created));
    return;
  }
  context.out(facts({ id: created.id, token: created.token }));
  context.say("The token is shown this once. Start the runner with RUNNER_ID and RUNNER_API_TOKEN set to these.");
}

export const runnersCreate: Command = async (context) => {
  const { label, identity } = context.values;
  const body = {
    name: operand(context),
    ...(label === null ? {} : { labels: label }),
    ...(identity === null ? {} : { identity }),
  };
  printToken(context, await operatorFrom(context.values).make("/runners", runnerCreated, body));
  return EXIT.done;
};

export const runnersRotate: Command = async (context) => {
  printToken(context, await operatorFrom(context.values).make(`${pathOf(context)}/rotate`, runnerCreated, {}));
  return EXIT.done;
};

export const runnersDelete: Command = async (context) => {
  await operatorFrom(context.values).send("DELETE", pathOf(context));
  context.out(context.values.json ? JSON.stringify({ id: operand(context) }) : `${operand(context)} is deleted`);
  return EXIT.done;
};

export const runnersDrain: Command = async (context) => {
  const { reason } = context.values;
  await operatorFrom(context.values).send("POST", `${pathOf(context)}/drain`, reason === null ? {} : { reason });
  context.out(context.values.json ? JSON.stringify({ id: operand(context) }) : `${operand(context)} takes no new work`);
  return EXIT.done;
};
