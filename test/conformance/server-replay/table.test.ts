import { expect, test } from "bun:test";
import { z } from "zod";
import { NUON } from "../../../internal/runner/controlplane/nuon/operations.ts";
import { OPERATION_NAMES, OPERATIONS, type Operation } from "../operations.ts";

/** What both tables say of an operation, in one form. */
const wire = (one: { readonly method: string; readonly path: string; readonly query?: readonly string[] }) => ({
  route: `${one.method} ${one.path}`,
  query: [...(one.query ?? [])].sort(),
});
const protocol: Readonly<Record<string, Operation>> = OPERATIONS;
/** Bodies that are sent as the bytes they are, or have no document. */
const AS_BYTES = ["LogStreamWriteLogs", "UpdateTerraformState"];

/** Without `null`, which others send and we do not. */
const documentOf = (schema: z.ZodType | undefined) => (schema instanceof z.ZodNullable ? schema.unwrap() : schema);

test("the runner calls the operations that the protocol has: the same routes, queries, statuses and bodies", () => {
  expect(Object.keys(NUON).sort()).toEqual([...OPERATION_NAMES].sort());
  for (const name of OPERATION_NAMES) {
    const [ours, theirs] = [NUON[name], protocol[name]];
    if (theirs === undefined) throw new Error(`${name} is missing`);
    expect({ name, ...wire(ours) }).toEqual({ name, ...wire(theirs) });
    const done = Object.keys(theirs.answers)
      .map(Number)
      .filter((status) => status < 300);
    // 204 has no document, so it stands in one of the tables only.
    expect({ name, success: ours.success.filter((status) => status !== 204) }).toEqual({ name, success: done });
    if (AS_BYTES.includes(name)) continue;
    const [body, document]: unknown[] = [ours.body, documentOf(theirs.request)];
    // What is no document of its own (a list, null) is made anew in each table.
    const same = body instanceof z.ZodObject ? body === document : (body === "nothing") === (document === undefined);
    expect({ name, same }).toEqual({ name, same: true });
  }
});
