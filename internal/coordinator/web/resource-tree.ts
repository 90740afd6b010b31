import type { StateJson, StateModule, StateResource } from "./api/state-json.ts";

/** Resources of one module, as the page lists them. */
export interface ModuleResources {
  /** Empty: the root module. */
  readonly address: string;
  readonly resources: readonly StateResource[];
}

/** Modules with resources in the order of the document, parents first. `text` narrows them by address. */
export function resourceTree(state: StateJson, text = ""): readonly ModuleResources[] {
  const wanted = text.trim().toLowerCase();
  const found: ModuleResources[] = [];
  const walk = (module: StateModule) => {
    const resources = (module.resources ?? []).filter((one) => one.address.toLowerCase().includes(wanted));
    if (resources.length > 0) found.push({ address: module.address ?? "", resources });
    for (const child of module.child_modules ?? []) walk(child);
  };
  if (state.values?.root_module) walk(state.values.root_module);
  return found;
}

/** Stands in the place of a sensitive value. */
export const MASK = "[redacted]";

/**
 * A value without what `marks` calls sensitive: `true` hides all of it, an object or a list hides by member. A mark of a
 * form that is not known hides, because a secret that is shown cannot be taken back.
 */
export function masked(value: unknown, marks: unknown): unknown {
  if (marks === undefined || marks === null || marks === false) return value;
  if (Array.isArray(marks) && Array.isArray(value)) return value.map((one, index) => masked(one, marks[index]));
  if (isRecord(marks) && isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, masked(one, marks[name])]));
  }
  const marksNothing = typeof marks === "object" && Object.keys(marks).length === 0;
  return marksNothing ? value : MASK;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Attributes that say something, masked; `empty` is how many were left out because they are null or empty. */
export function attributesOf(resource: StateResource, secrets: readonly string[] = []) {
  const all = Object.entries(resource.values ?? {});
  const shown = all.filter(([, value]) => !isEmpty(value));
  const marks = resource.sensitive_values;
  const hide = (name: string, value: unknown) =>
    withoutSecrets(masked(value, isRecord(marks) ? marks[name] : marks), secrets);
  return {
    shown: shown.map(([name, value]) => [name, hide(name, value)] as const),
    empty: all.length - shown.length,
  };
}

/** Shorter ones are words like any other: hiding them would hide half the state and keep no secret. */
const SECRET_LENGTH = 4;

/**
 * Texts that the state calls sensitive at one place. Terraform does not mark what a provider computes from them (the
 * output of a `terraform_data` is its input once more), so they are hidden wherever they stand.
 */
export function secretsOf(state: StateJson): readonly string[] {
  const found = new Set<string>();
  const collect = (value: unknown, hidden: unknown) => {
    if (hidden === MASK && value !== MASK) {
      for (const text of textsIn(value)) if (text.length >= SECRET_LENGTH) found.add(text);
    } else if (typeof value === "object" && value !== null) {
      const inside: object = typeof hidden === "object" && hidden !== null ? hidden : {};
      for (const [name, one] of Object.entries(value)) collect(one, Reflect.get(inside, name));
    }
  };
  for (const { resources } of resourceTree(state)) {
    for (const { values, sensitive_values: marks } of resources) collect(values, masked(values, marks));
  }
  for (const { sensitive, value } of Object.values(state.values?.outputs ?? {})) if (sensitive) collect(value, MASK);
  return [...found];
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** A value in which no text holds one of these. */
export function withoutSecrets(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === "string") return secrets.some((secret) => value.includes(secret)) ? MASK : value;
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(one, secrets));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withoutSecrets(one, secrets)]));
}

const isEmpty = (value: unknown): boolean =>
  value === null || value === "" || (typeof value === "object" && Object.keys(value ?? {}).length === 0);

/** A value for reading: text as it is, the rest as JSON. */
export const valueWords = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value, null, 2);
