/**
 * Values of a plan as text. Sensitive and unknown marks mirror the shape of the value: `true` at any level covers
 * everything below it. A hidden value is never printed, not even to say whether it changed inside.
 */
export interface MarkedValue {
  readonly value: unknown;
  readonly marks?: unknown;
  readonly unknown?: unknown;
  /** Texts that the plan marks sensitive somewhere: hidden wherever they are a whole value. */
  readonly secrets?: ReadonlySet<string>;
}

/** `forced`: paths that force a replacement, joined by dots. */
export interface MarkedChange {
  readonly before?: unknown;
  readonly after?: unknown;
  readonly unknown?: unknown;
  readonly beforeMarks?: unknown;
  readonly afterMarks?: unknown;
  readonly forced: readonly string[];
  readonly secrets: ReadonlySet<string>;
}

const HIDDEN = "(sensitive)";
const UNKNOWN = "(known after apply)";
/** Longest text shown of one value; a page with a whole file in one attribute helps nobody. */
const LONGEST = 2_000;

/** Attribute lines of one resource, aligned; unchanged attributes of an update are counted, not listed. */
export function renderChange(change: MarkedChange, indent = 6, path = ""): string[] {
  const keys = [...new Set([...keysOf(change.before), ...keysOf(change.after), ...keysOf(change.unknown)])].sort();
  const lines = keys.map((key) => attribute(key, change, indent, path)).filter((line) => line !== null);
  const shown = lines.filter((line) => line !== "unchanged");
  const width = Math.max(0, ...shown.map((line) => line.key.length));
  const pad = " ".repeat(indent);
  const text = shown.map((line) => `${pad}${line.mark} ${line.key.padEnd(width)} = ${line.text}${line.note}`);
  const quiet = lines.length - shown.length;
  const word = quiet === 1 ? "attribute" : "attributes";
  return quiet === 0 ? text : [...text, `${pad}  # (${quiet} unchanged ${word} hidden)`];
}

interface Line {
  readonly mark: "+" | "-" | "~";
  readonly key: string;
  readonly text: string;
  readonly note: string;
}

function attribute(name: string, change: MarkedChange, indent: number, path: string): Line | "unchanged" | null {
  const { secrets } = change;
  const before = { value: at(change.before, name), marks: markAt(change.beforeMarks, name), secrets };
  const unknown = markAt(change.unknown, name);
  const after = { value: at(change.after, name), marks: markAt(change.afterMarks, name), unknown, secrets };
  const comes = after.value != null || isMarked(unknown);
  const goes = before.value != null;
  if (!comes && !goes) return null;
  const key = nameOf(name);
  const place = path === "" ? name : `${path}.${name}`;
  const forces = change.forced.some((one) => one === place || (one.startsWith(`${place}.`) && !isMap(after.value)));
  const note = forces ? " # forces replacement" : "";
  if (!goes) return { mark: "+", key, text: renderValue(after, indent), note };
  if (!comes) return { mark: "-", key, text: renderValue(before, indent), note };
  if (Bun.deepEquals(before.value, after.value) && !isMarked(unknown)) {
    return before.marks === true || after.marks !== true ? "unchanged" : { mark: "~", key, text: HIDDEN, note };
  }
  const open = before.marks !== true && after.marks !== true && unknown !== true;
  if (open && isMap(before.value) && isMap(after.value)) {
    const inner = { ...change, before: before.value, after: after.value, unknown };
    const marks = { beforeMarks: before.marks, afterMarks: after.marks };
    const lines = renderChange({ ...inner, ...marks }, indent + 4, place);
    return { mark: "~", key, text: `{\n${lines.join("\n")}\n${" ".repeat(indent + 2)}}`, note };
  }
  return { mark: "~", key, text: `${renderValue(before, indent)} -> ${renderValue(after, indent)}`, note };
}

/** One value; maps and lists over several lines, `indent` is the column of their closing bracket. */
export function renderValue(marked: MarkedValue, indent: number): string {
  if (marked.marks === true) return HIDDEN;
  if (marked.unknown === true) return UNKNOWN;
  const { value } = marked;
  const inner = (key: string | number): MarkedValue => ({
    value: at(value, key),
    marks: markAt(marked.marks, key),
    unknown: markAt(marked.unknown, key),
    ...(marked.secrets === undefined ? {} : { secrets: marked.secrets }),
  });
  const pad = " ".repeat(indent + 4);
  const close = " ".repeat(indent + 2);
  if (Array.isArray(value)) {
    const unknowns = Array.isArray(marked.unknown) ? marked.unknown.length : 0;
    const length = Math.max(value.length, unknowns);
    if (length === 0) return "[]";
    const items = Array.from({ length }, (_, i) => `${pad}${renderValue(inner(i), indent + 2)},`);
    return `[\n${items.join("\n")}\n${close}]`;
  }
  if (value !== null && typeof value === "object") {
    const keys = [...new Set([...Object.keys(value), ...keysOf(marked.unknown)])].sort();
    if (keys.length === 0) return "{}";
    const items = keys.map((key) => `${pad}${nameOf(key)} = ${renderValue(inner(key), indent + 2)}`);
    return `{\n${items.join("\n")}\n${close}}`;
  }
  if (value === undefined && isMarked(marked.unknown)) return UNKNOWN;
  if (typeof value === "string" && marked.secrets?.has(value)) return HIDDEN;
  const text = JSON.stringify(value ?? null);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length} characters)` : text;
}

const nameOf = (key: string) => (/^[A-Za-z_][\w-]*$/.test(key) ? key : JSON.stringify(key));
const keysOf = (value: unknown) => (value !== null && typeof value === "object" ? Object.keys(value) : []);

function at(value: unknown, key: string | number): unknown {
  if (value === null || typeof value !== "object") return undefined;
  return Object.hasOwn(value, key) ? (value as Record<string | number, unknown>)[key] : undefined;
}

/** The mark of a member: what stands above it counts for it too. */
const markAt = (marks: unknown, key: string | number): unknown => (marks === true ? true : at(marks, key));

/** true anywhere inside. */
function isMarked(mark: unknown): boolean {
  if (mark === true) return true;
  return mark !== null && typeof mark === "object" && Object.values(mark).some(isMarked);
}

const isMap = (value: unknown) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Shorter texts are left alone: hiding every "a" makes a plan unreadable and keeps no secret. */
const SHORTEST_SECRET = 4;

/** Texts below a sensitive mark: a provider may copy a secret into an attribute that it does not mark. */
export function collectSecrets(value: unknown, marks: unknown, into: Set<string>): void {
  if (typeof value === "string") {
    if (marks === true && value.length >= SHORTEST_SECRET) into.add(value);
    return;
  }
  if (value === null || typeof value !== "object" || !isMarked(marks)) return;
  for (const key of Object.keys(value)) collectSecrets(at(value, key), markAt(marks, key), into);
}
