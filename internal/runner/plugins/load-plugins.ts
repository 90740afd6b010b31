import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { PluginType } from "../../protocol/enums.ts";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { type CheckedPlugin, checkPlugin } from "./check-plugin.ts";
import { changeableBy } from "./only-ours.ts";

export interface LoadedPlugin extends CheckedPlugin {
  readonly file: string;
}

/** A file, or the folder itself, of which nothing is used. */
export interface RefusedPlugin {
  readonly file: string;
  readonly reason: string;
  readonly remedy: string;
}

export interface Plugins {
  readonly loaded: readonly LoadedPlugin[];
  readonly refused: readonly RefusedPlugin[];
}

export const NO_PLUGINS: Plugins = { loaded: [], refused: [] };

/** A module that waits for something before it is loaded must not keep the runner from starting. */
const LOAD_MS = 10_000;

/**
 * Loads every `*.ts` of a folder, in the order of their names. What cannot be used is refused with file, reason and
 * remedy and does not stop the others. Never throws. `uid`: the user of this process.
 */
export async function loadPlugins(folder: string, uid: number, loadMs = LOAD_MS): Promise<Plugins> {
  const loaded: LoadedPlugin[] = [];
  const refused: RefusedPlugin[] = [];
  const refuse = (file: string, error: unknown) => {
    const own =
      error instanceof RunnerError && error.remedy ? error.remedy : "Mend the file and start the runner again.";
    refused.push({ file, reason: reasonOf(error), remedy: own });
  };
  let names: readonly string[];
  try {
    trust(folder, uid);
    names = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
  } catch (error) {
    refuse(folder, error);
    return { loaded, refused };
  }
  for (const name of [...names].sort()) {
    const file = join(folder, name);
    try {
      trust(file, uid);
      const plugin = checkPlugin(await importFile(file, loadMs), file);
      refuseSecond(plugin.types, file, loaded);
      loaded.push({ ...plugin, file });
    } catch (error) {
      refuse(file, error);
    }
  }
  return { loaded, refused };
}

/** Job type → handler. */
export function pluginHandlers({ loaded }: Plugins): Readonly<Partial<Record<PluginType, LoadedPlugin["handler"]>>> {
  return Object.fromEntries(loaded.flatMap(({ types, handler }) => types.map((type) => [type, handler])));
}

function trust(path: string, uid: number): void {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (!facts)
    throw new RunnerError("usage", `${path} does not exist`, { remedy: "Make it, or leave the setting out." });
  const why = changeableBy(path, uid);
  if (why === null) return;
  throw new RunnerError("usage", `${why}, and what is in it runs with the rights of the runner`, {
    remedy: `chown and chmod go-w it, so that only root or the runner's user can write it.`,
  });
}

async function importFile(file: string, limitMs: number): Promise<unknown> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`did not load within ${limitMs / 1_000} s`)), limitMs);
  try {
    return await Promise.race([import(file), late.promise]);
  } catch (error) {
    throw inWords(error, file);
  } finally {
    clearTimeout(timer);
  }
}

/** Faults of the language come as a report of several lines with the source in it: the first fault and its place do. */
function inWords(error: unknown, file: string): RunnerError {
  const text = reasonOf(error);
  const missing = /Cannot find (?:package|module) ['"]([^'"]+)['"]/.exec(text)?.[1];
  if (missing !== undefined) {
    return new RunnerError("usage", `imports ${missing}, which this program does not have`, {
      remedy: "A plug-in gets zod as `z` and may import files beside it and node: modules, but no package.",
      cause: error,
    });
  }
  const said = syntaxFault(error);
  return new RunnerError("usage", said ?? text.split("\n")[0]?.slice(0, 300) ?? text, {
    remedy: `Mend ${file} and start the runner again.`,
    cause: error,
  });
}

/** `line 1: Expected identifier but found "{"` of an error of the parser; null: another error. */
function syntaxFault(error: unknown): string | null {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  if (first === null || typeof first !== "object" || !("position" in first)) return null;
  const place = first.position;
  const line = place !== null && typeof place === "object" && "line" in place ? place.line : null;
  return `line ${String(line)}: ${reasonOf(first)}`;
}

function refuseSecond(types: readonly PluginType[], file: string, loaded: readonly LoadedPlugin[]): void {
  const seen = new Set<string>();
  for (const type of types) {
    const first = loaded.find((one) => one.types.includes(type))?.file ?? (seen.has(type) ? file : null);
    seen.add(type);
    if (first === null) continue;
    throw new RunnerError("usage", `job type ${type} is that of ${first} already`, {
      remedy: "Give one of them another type.",
    });
  }
}
