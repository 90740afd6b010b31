import { resolve } from "node:path";
import { isPluginType } from "../../internal/protocol/enums.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { secretRef } from "../../internal/protocol/job-file.ts";
import { readFile } from "./read-file.ts";

/** A job document whose secret references are replaced, and the names that were. */
export interface Resolved {
  readonly document: Readonly<Record<string, unknown>>;
  /** Names of the env or vars entries whose values are secret. */
  readonly sensitive: readonly string[];
}

/** The maps of a job file whose entries may be `{ env: NAME }` or `{ file: PATH }`. */
const PLACES = ["env", "vars", "credentials", "set", "files"];
/** Blocks in which any value may be one. */
const WHOLE = ["cluster"];
/** Where such a map may lie deeper. */
const ON_THE_WAY = ["source", "git", "oci", "hooks"];

/** Replaces secret references with their values, on this machine. Throws RunnerError usage that names the reference. */
export function resolveSecrets(
  document: Readonly<Record<string, unknown>>,
  from: { readonly folder: string; readonly env: Readonly<Record<string, string | undefined>> },
): Resolved {
  const sensitive = new Set<string>();
  const secret = (value: unknown, place: string): string | null => {
    const found = secretRef.safeParse(value);
    if (!found.success) return null;
    if ("file" in found.data)
      return readFile(resolve(from.folder, found.data.file), `${place}: secret file`).replace(/\r?\n$/, "");
    const text = from.env[found.data.env];
    if (text !== undefined) return text;
    throw new RunnerError("usage", `${place}: environment variable ${found.data.env} is not set`, {
      remedy: "Set it where this command runs; the job file only names it.",
    });
  };
  const map = (entries: Record<string, unknown>, place: string) =>
    Object.fromEntries(
      Object.entries(entries).map(([name, value]) => {
        const text = secret(value, `${place}.${name}`);
        if (text !== null) sensitive.add(name);
        return [name, text ?? value];
      }),
    );
  const deep = (value: unknown, place: string): unknown => {
    const text = secret(value, place);
    if (text !== null || !isRecord(value)) return text ?? value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, deep(one, `${place}.${name}`)]));
  };
  // What a plug-in takes is its own: a reference may stand anywhere, and makes the nearest key secret.
  const anywhere = (value: unknown, place: string, key: string): unknown => {
    const text = secret(value, place);
    if (text !== null) sensitive.add(key);
    if (text !== null || value === null || typeof value !== "object") return text ?? value;
    if (Array.isArray(value)) return value.map((one, index) => anywhere(one, `${place}[${index}]`, key));
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, anywhere(one, `${place}.${name}`, name)]),
    );
  };
  const inSpec = (spec: Record<string, unknown>, place: string): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(spec).map(([key, value]) => {
        const here = `${place}.${key}`;
        if (WHOLE.includes(key)) return [key, deep(value, here)];
        if (PLACES.includes(key) && isRecord(value)) return [key, map(value, here)];
        if (ON_THE_WAY.includes(key) && isRecord(value)) return [key, inSpec(value, here)];
        // Keys of hosts are nobody's secret.
        if (key === "known_hosts") return [key, secret(value, here) ?? value];
        if (key !== "steps" || !Array.isArray(value)) return [key, value];
        return [key, value.map((step, index) => (isRecord(step) ? inSpec(step, `${here}[${index}]`) : step))];
      }),
    );
  const opaque = typeof document.type === "string" && isPluginType(document.type);
  const ofPlugin = (found: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(found).map(([name, one]) => [name, anywhere(one, `spec.${name}`, name)]));
  const spec = isRecord(document.spec)
    ? { spec: opaque ? ofPlugin(document.spec) : inSpec(document.spec, "spec") }
    : {};
  return { document: { ...document, ...spec }, sensitive: [...sensitive] };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
