import { z } from "zod";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import { type IdentityDoc, identityDoc } from "../internal/protocol/operator.ts";
import { type Command, operand } from "./lib/context.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { table } from "./lib/table.ts";

/** Shows whom a runner's token is given to by a proof of identity; with --identity or --remove it changes that first. */
export const runnersIdentities: Command = async (context) => {
  const { identity, remove, json } = context.values;
  if (identity !== null && remove !== null) {
    throw new RunnerError("usage", "--identity and --remove are one change each", {
      remedy: "Add the new identity first, and remove the old one when the new one has got its token.",
    });
  }
  const client = operatorFrom(context.values);
  const path = `/runners/${encodeURIComponent(operand(context))}/identities`;
  if (identity !== null) await client.send("POST", path, { identity });
  if (remove !== null) await client.send("DELETE", `${path}/${encodeURIComponent(remove)}`);
  const docs = await client.get(path, z.array(identityDoc));
  context.out(json ? JSON.stringify(docs) : textOf(docs));
  return EXIT.done;
};

function textOf(docs: readonly IdentityDoc[]): string {
  if (docs.length === 0) return "no identity: only the token that an operator made counts";
  const rows = docs.map(({ id, identity, tokens, last }) => [
    id,
    identity,
    String(tokens),
    last === null ? "" : `${last.at} ${last.subject} from ${last.address}`,
  ]);
  return table(["id", "identity", "tokens", "last token"], rows);
}
