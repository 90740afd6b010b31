import { isRecord } from "../../../kit/diff/index.ts";

/** Key of list items by the list's own name, as in Kubernetes' patch strategies; the first that all items have counts. */
const ITEM_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ["name"],
  initContainers: ["name"],
  ephemeralContainers: ["name"],
  volumes: ["name"],
  env: ["name"],
  imagePullSecrets: ["name"],
  volumeMounts: ["mountPath"],
  volumeDevices: ["devicePath"],
  ports: ["containerPort", "port"],
  hostAliases: ["ip"],
  topologySpreadConstraints: ["topologyKey"],
  ownerReferences: ["uid"],
};

/**
 * What helm makes of a live object without server-side apply: what the chart says wins, what it said before and says no
 * more goes, what others added stays (nuon-handlers.md 10.1).
 */
export function mergeThree(before: unknown, target: unknown, live: unknown, listName = ""): unknown {
  if (isRecord(target)) return mergeMaps(isRecord(before) ? before : {}, target, isRecord(live) ? live : {});
  if (!Array.isArray(target) || !Array.isArray(live)) return target;
  const lists = [before, target, live].filter((one): one is unknown[] => Array.isArray(one));
  const key = (ITEM_KEYS[listName] ?? []).find((name) =>
    lists.every((list) => list.every((item) => isRecord(item) && item[name] !== undefined)),
  );
  return key === undefined ? target : mergeItems(key, Array.isArray(before) ? before : [], target, live);
}

type Map = Readonly<Record<string, unknown>>;

function mergeMaps(before: Map, target: Map, live: Map): Record<string, unknown> {
  const merged: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(live)) {
    const gone = !(key in target) && key in before;
    if (!gone) merged[key] = value;
  }
  for (const [key, value] of Object.entries(target)) {
    // An explicit null asks for removal.
    if (value === null) delete merged[key];
    else merged[key] = mergeThree(before[key], value, live[key], key);
  }
  return merged;
}

function mergeItems(key: string, before: unknown[], target: unknown[], live: unknown[]): unknown[] {
  const idOf = (item: unknown) => JSON.stringify(isRecord(item) ? item[key] : null);
  const find = (list: unknown[], id: string) => list.find((item) => idOf(item) === id);
  const wanted = target.map((item) => mergeThree(find(before, idOf(item)), item, find(live, idOf(item)) ?? {}));
  const others = live.filter((item) => !find(target, idOf(item)) && !find(before, idOf(item)));
  // In the order of the live object, so that a mere difference of order is none.
  const all = [...wanted, ...others];
  const rank = (item: unknown) => {
    const at = live.findIndex((one) => idOf(one) === idOf(item));
    return at === -1 ? live.length : at;
  };
  return all.toSorted((a, b) => rank(a) - rank(b));
}

/** The patch (RFC 7386) that makes `to` of `from`; undefined: they are the same. */
export function mergePatch(from: unknown, to: unknown): unknown {
  if (Bun.deepEquals(from, to)) return undefined;
  if (!isRecord(from) || !isRecord(to)) return to;
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(from)) if (!(key in to)) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    const inner = mergePatch(from[key], value);
    if (inner !== undefined) patch[key] = inner;
  }
  return patch;
}
