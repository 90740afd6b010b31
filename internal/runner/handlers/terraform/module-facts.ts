import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type HclBlock, parseHcl } from "./hcl.ts";

/** What the runner has to know about a module before terraform sees it. Only the root module's own files are read. */
export interface ModuleFacts {
  /** Number of configuration files. */
  readonly files: number;
  /** First file that configures a backend (or `cloud`) of its own, null when there is none. */
  readonly ownBackend: { readonly file: string; readonly kind: string } | null;
  /** Variables that the module declares `sensitive`. */
  readonly sensitiveVariables: readonly string[];
}

/** Larger files are left to terraform: they are generated and declare no variables by hand. */
const READ_LIMIT_BYTES = 8 * 1024 * 1024;

export function moduleFacts(folder: string): ModuleFacts {
  const names = readdirSync(folder).filter((name) => /\.tf(\.json)?$/.test(name) && !name.startsWith("."));
  let ownBackend: ModuleFacts["ownBackend"] = null;
  const sensitiveVariables: string[] = [];
  for (const file of names.sort()) {
    const bytes = readFileSync(join(folder, file));
    if (bytes.length > READ_LIMIT_BYTES) continue;
    const facts = file.endsWith(".json") ? jsonFacts(bytes.toString()) : hclFacts(bytes.toString());
    if (facts.backend !== null) ownBackend ??= { file, kind: facts.backend };
    sensitiveVariables.push(...facts.sensitive);
  }
  return { files: names.length, ownBackend, sensitiveVariables };
}

interface FileFacts {
  readonly backend: string | null;
  readonly sensitive: readonly string[];
}

function hclFacts(text: string): FileFacts {
  const { blocks } = parseHcl(text);
  const settings = blocks.filter((block) => block.type === "terraform").flatMap((block) => block.body.blocks);
  const backend = settings.find((block) => block.type === "backend" || block.type === "cloud");
  return {
    backend: backend ? (backend.labels[0] ?? backend.type) : null,
    sensitive: blocks.filter(isSensitive).flatMap((block) => block.labels.slice(0, 1)),
  };
}

function isSensitive(block: HclBlock): boolean {
  return block.type === "variable" && block.body.attributes.get("sensitive")?.[0]?.value === "true";
}

/** The JSON form allows an object or a list of objects everywhere. */
function jsonFacts(text: string): FileFacts {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return { backend: null, sensitive: [] };
  }
  const settings = members(root, "terraform");
  const backends = settings.flatMap((value) => members(value, "backend")).flatMap(names);
  const cloud = settings.some((value) => members(value, "cloud").length > 0);
  const declared = members(root, "variable").flatMap((group) => names(group).map((name) => [name, group] as const));
  return {
    backend: backends[0] ?? (cloud ? "cloud" : null),
    sensitive: declared.flatMap(([name, group]) => (members(group, name).some(marked) ? [name] : [])),
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const names = (value: unknown): string[] => (isObject(value) ? Object.keys(value) : []);
const marked = (value: unknown) => isObject(value) && (value.sensitive === true || value.sensitive === "true");

function members(value: unknown, key: string): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => members(item, key));
  if (!isObject(value) || !Object.hasOwn(value, key)) return [];
  const member = value[key];
  return Array.isArray(member) ? member : [member];
}
