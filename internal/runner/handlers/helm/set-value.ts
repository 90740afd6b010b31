import { isRecord } from "../../../kit/diff/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";

export type ValueTree = { [key: string]: unknown };

/** A list longer than this is a slip of the pen. Helm has the same limit. */
const MAX_INDEX = 65_536;

/**
 * Sets `value` at `name`, a path such as `db.password`, `hosts[0].name` or `labels.a\.b`. Values files replace a list as
 * a whole, so the first step into one copies it from the last of `below` that has it. Throws RunnerError (job).
 */
export function setValue(tree: ValueTree, name: string, value: unknown, below: () => readonly unknown[]): void {
  const steps = stepsOf(name);
  let at: ValueTree | unknown[] = tree;
  for (const [index, step] of steps.entries()) {
    const last = index === steps.length - 1;
    const next = steps[index + 1];
    const held = read(at, step);
    const wanted = typeof next === "number" ? Array.isArray(held) : isRecord(held);
    const inside: unknown = last
      ? value
      : wanted
        ? held
        : typeof next === "number"
          ? listBelow(steps.slice(0, index + 1), below)
          : {};
    write(at, step, inside);
    if (!last) at = inside as ValueTree | unknown[];
  }
}

type Step = string | number;

function stepsOf(name: string): Step[] {
  const steps = [...name.matchAll(/((?:\\.|[^.[\]\\])+)|\[(\d+)\]|(\.)/gs)];
  if (steps.map(([text]) => text).join("") !== name || /^$|^\[|^\.|\.$|\.\./.test(name)) throw bad(name);
  return steps.flatMap(([, key, index]): Step[] => {
    if (key !== undefined) return [key.replace(/\\(.)/gs, "$1")];
    if (index === undefined) return [];
    if (Number(index) > MAX_INDEX) throw bad(name);
    return [Number(index)];
  });
}

const bad = (name: string) =>
  new RunnerError("job", `the name ${JSON.stringify(name)} of a value is no path`, {
    remedy: "Write it as a.b or a[0].b; a dot inside of a key is \\. there.",
  });

const read = (at: ValueTree | unknown[], step: Step): unknown =>
  Array.isArray(at) ? at[Number(step)] : Object.hasOwn(at, step) ? at[String(step)] : undefined;

function write(at: ValueTree | unknown[], step: Step, value: unknown): void {
  if (Array.isArray(at)) {
    while (at.length < Number(step)) at.push(null);
    at[Number(step)] = value;
  } else {
    Object.defineProperty(at, step, { value, enumerable: true, configurable: true, writable: true });
  }
}

function listBelow(steps: readonly Step[], below: () => readonly unknown[]): unknown[] {
  const found = below()
    .map((file) =>
      steps.reduce<unknown>(
        (at, step) => (isRecord(at) || Array.isArray(at) ? read(at as ValueTree, step) : undefined),
        file,
      ),
    )
    .findLast(Array.isArray);
  return structuredClone(found ?? []);
}
