const REDACTED = "[redacted]";

/** `kubectl apply` keeps the whole object in this annotation. */
const COPY = /^(\s*)("?kubectl\.kubernetes\.io\/last-applied-configuration"?:)/;

/**
 * Hides values in the YAML lines of one object, in order: of a Secret everything below `data` and `stringData`, and the
 * copy of the object that kubectl keeps. `path` is where a line stands when it does not say so itself.
 */
export function secretMasker(kind: string): (path: string, line: string) => string {
  if (kind !== "Secret") return (_path, line) => line;
  let within = false;
  /** Indentation of the keys below `data`: what lies deeper belongs to a value. null: none was seen yet. */
  let keys: number | null = null;
  /** Indentation of the copy's key while its lines go on; null: not in it. */
  let copy: number | null = null;
  return (path, line) => {
    const indent = line.length - line.trimStart().length;
    const copied = COPY.exec(line);
    if (copied) {
      copy = indent;
      return `${copied[1]}${copied[2]} ${REDACTED}`;
    }
    if (copy !== null && indent > copy) return `${" ".repeat(indent)}${REDACTED}`;
    copy = null;
    const inside = /^(string)?data\b/i.test(path);
    const top = /^"?(\w+)"?:(.*)$/.exec(line);
    if (top && !inside) {
      within = top[1] === "data" || top[1] === "stringData";
      keys = null;
      return within && top[2]?.trim() ? `${top[1]}: ${REDACTED}` : line;
    }
    if (inside || (within && indent > 0)) {
      keys ??= indent;
      const name = indent === keys ? /^\s*("?[\w.-]+"?:)/.exec(line)?.[1] : undefined;
      return `${" ".repeat(indent)}${name === undefined ? "" : `${name} `}${REDACTED}`;
    }
    // A line that cannot be placed (JSON, a fragment) may hold anything.
    return /^\s*[{[]/.test(line) ? REDACTED : line;
  };
}
