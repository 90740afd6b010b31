import { isRecord } from "./values.ts";

const HIDDEN = "[redacted]";
const KEPT_COPY = "kubectl.kubernetes.io/last-applied-configuration";

/**
 * Two versions of one Kubernetes object as they may be shown: values of a Secret are hidden, and whether each of them
 * differs stays visible. null: there is no such version.
 */
export function maskedPair<T extends Readonly<Record<string, unknown>> | null>(before: T, after: T): readonly [T, T] {
  if (!isSecret(before) && !isSecret(after)) return [before, after];
  const hide = (side: T, other: T, mark: string): T => {
    if (side === null) return side;
    const masked: Record<string, unknown> = { ...side };
    for (const key of ["data", "stringData"]) {
      if (side[key] !== undefined) masked[key] = hiddenMap(side[key], other?.[key], other === null ? "" : mark);
    }
    return { ...masked, ...withoutCopy(side.metadata) } as typeof side;
  };
  return [hide(before, after, " (before)"), hide(after, before, " (after)")];
}

const isSecret = (object: Readonly<Record<string, unknown>> | null) => object?.kind === "Secret";

function hiddenMap(value: unknown, other: unknown, mark: string): unknown {
  if (!isRecord(value)) return HIDDEN;
  const there = isRecord(other) ? other : {};
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => [
      key,
      key in there && !Bun.deepEquals(there[key], text) ? `${HIDDEN}${mark}` : HIDDEN,
    ]),
  );
}

/** kubectl keeps the whole object in an annotation. */
function withoutCopy(metadata: unknown): Record<string, unknown> {
  if (!isRecord(metadata) || !isRecord(metadata.annotations) || !(KEPT_COPY in metadata.annotations)) return {};
  return { metadata: { ...metadata, annotations: { ...metadata.annotations, [KEPT_COPY]: HIDDEN } } };
}

/** Every value a Secret holds, as stored and as meant, for redaction. */
export function secretValues(object: Readonly<Record<string, unknown>>): string[] {
  if (!isSecret(object)) return [];
  const texts = (map: unknown) =>
    isRecord(map) ? Object.values(map).filter((one): one is string => typeof one === "string" && one !== "") : [];
  const stored = texts(object.data);
  return [
    ...stored,
    ...stored.map((text) => Buffer.from(text, "base64").toString("utf8")),
    ...texts(object.stringData),
  ];
}
