import { z } from "zod";
import { RunnerError } from "../../../protocol/errors.ts";
import type { HandlerOutputs } from "../../handler.ts";

const output = z.looseObject({ value: z.unknown(), sensitive: z.boolean().nullish() });
const outputs = z.record(z.string(), output);
/** `terraform show -json` of the state: `values` is absent when it is empty. */
const stateDocument = z.looseObject({ values: z.looseObject({ outputs: outputs.nullish() }).nullish() });

export type TerraformOutputs = HandlerOutputs<Record<string, unknown>>;

/** Outputs from `terraform output -json`. Throws RunnerError (job). */
export function outputsOfCommand(text: string): TerraformOutputs {
  return split(read(outputs, text, "terraform output"));
}

/** Outputs and emptiness from `terraform show -json` of the state: the same values without starting terraform again. */
export function readState(text: string): { readonly outputs: TerraformOutputs; readonly empty: boolean } {
  const { values } = read(stateDocument, text, "terraform show");
  return { outputs: split(values?.outputs ?? {}), empty: !values };
}

function split(found: z.infer<typeof outputs>): TerraformOutputs {
  const entries = Object.entries(found);
  return {
    values: Object.fromEntries(entries.map(([name, { value }]) => [name, value ?? null])),
    sensitive: entries.flatMap(([name, { sensitive }]) => (sensitive ? [name] : [])),
  };
}

function read<T>(schema: z.ZodType<T>, text: string, what: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // The parser's message quotes what it read, which may be a secret.
    throw new RunnerError("job", `the answer of ${what} -json cannot be read`);
  }
}
