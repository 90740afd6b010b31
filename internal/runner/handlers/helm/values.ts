import { writeFileSync } from "node:fs";
import type { JobContext } from "../../handler.ts";
import { sha256 } from "./bind.ts";
import type { HelmWork, SingleValue } from "./helm-work.ts";
import { setValue, type ValueTree } from "./set-value.ts";

type Workspace = JobContext<unknown>["workspace"];

/**
 * Values as files that only this user reads, never as arguments: other users of a machine see those. Answers the flags
 * of helm, lowest first.
 */
export function writeValues(workspace: Workspace, work: HelmWork): string[] {
  const flags = work.valuesFiles.map((text, index) => fileFlag(workspace, `values-${index}.yaml`, text));
  const tree = singleValues(work);
  return tree === null ? flags : [...flags, fileFlag(workspace, "values-single.json", JSON.stringify(tree))];
}

function fileFlag(workspace: Workspace, name: string, text: string): string {
  const path = workspace.path(name);
  writeFileSync(path, text, { mode: 0o600 });
  return `--values=${path}`;
}

export const valuesSum = ({ valuesFiles, values }: HelmWork): string => sha256(JSON.stringify([valuesFiles, values]));

/** Single values as one document; null: there are none. A list they reach into is taken from the files first. */
function singleValues({ valuesFiles, values }: HelmWork): ValueTree | null {
  if (values.length === 0) return null;
  const tree: ValueTree = {};
  const below = () => valuesFiles.map((text) => Bun.YAML.parse(text));
  for (const one of values) setValue(tree, one.name, typed(one), below);
  return tree;
}

/** As `helm --set` and `--set-string` read a value: types of YAML's core, `{a,b}` a list, a backslash for what follows. */
export function typed({ value, type, literal }: Omit<SingleValue, "name">): unknown {
  if (literal) return type === "string" ? value : scalar(value);
  const list = /^\{(.*)\}$/s.exec(value);
  if (list) {
    const items = (list[1] ?? "").split(/(?<!\\),/).map(unescaped);
    return list[1] === "" ? [] : items.map((item) => (type === "string" ? item : scalar(item)));
  }
  return type === "string" ? unescaped(value) : scalar(unescaped(value));
}

const unescaped = (text: string) => text.replace(/\\(.)/gs, "$1");

function scalar(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  if (text === "null") return null;
  // A leading zero is kept as text: postal codes and commit ids.
  const number = /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : text;
}
