/**
 * Just enough HCL to find blocks, attributes and the texts in them. It never fails: what it does not understand it
 * skips, and terraform itself says what is wrong with a file.
 */
export interface HclBody {
  readonly blocks: readonly HclBlock[];
  readonly attributes: ReadonlyMap<string, readonly HclToken[]>;
}
export interface HclBlock {
  readonly type: string;
  readonly labels: readonly string[];
  readonly body: HclBody;
}
export interface HclToken {
  readonly kind: "name" | "text" | "newline" | "mark";
  readonly value: string;
}

export function parseHcl(text: string): HclBody {
  return parseBody(tokens(text), { at: 0 }, 0);
}

/** Real modules nest a handful of blocks; a file made to exhaust the stack is cut off. */
const DEPTH_LIMIT = 100;
const OPENING = new Set(["{", "[", "("]);
const CLOSING = new Set(["}", "]", ")"]);

function parseBody(all: readonly HclToken[], cursor: { at: number }, depth: number): HclBody {
  const blocks: HclBlock[] = [];
  const attributes = new Map<string, readonly HclToken[]>();
  while (cursor.at < all.length) {
    const token = all[cursor.at++];
    if (token?.kind === "mark" && token.value === "}") break;
    if (token?.kind !== "name") continue;
    if (isMark(all[cursor.at], "=")) {
      cursor.at += 1;
      attributes.set(token.value, readValue(all, cursor));
      continue;
    }
    const labels: string[] = [];
    for (let next = all[cursor.at]; next?.kind === "name" || next?.kind === "text"; next = all[++cursor.at]) {
      labels.push(next.value);
    }
    if (!isMark(all[cursor.at], "{") || depth >= DEPTH_LIMIT) continue;
    cursor.at += 1;
    blocks.push({ type: token.value, labels, body: parseBody(all, cursor, depth + 1) });
  }
  return { blocks, attributes };
}

const isMark = (token: HclToken | undefined, value: string) => token?.kind === "mark" && token.value === value;

/** Tokens up to the end of the line, going on over lines inside brackets. */
function readValue(all: readonly HclToken[], cursor: { at: number }): HclToken[] {
  const value: HclToken[] = [];
  for (let open = 0; cursor.at < all.length; cursor.at += 1) {
    const token = all[cursor.at];
    if (token === undefined || (token.kind === "newline" && open === 0)) break;
    if (token.kind === "mark" && CLOSING.has(token.value) && open-- === 0) break;
    if (token.kind === "mark" && OPENING.has(token.value)) open += 1;
    if (token.kind !== "newline") value.push(token);
  }
  return value;
}

const SKIPPED = /[^\S\n]+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const NAME = /[\p{L}_][\p{L}\p{N}_-]*/uy;
const HEREDOC = /<<-?([\p{L}_][\p{L}\p{N}_-]*)[^\S\n]*\n([\s\S]*?)(?:^[^\S\n]*\1[^\S\n]*$|(?![\s\S]))/muy;

function tokens(text: string): HclToken[] {
  const found: HclToken[] = [];
  const take = (pattern: RegExp, at: number) => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  for (let at = 0; at < text.length; ) {
    const skipped = take(SKIPPED, at);
    const char = text.charAt(at);
    if (skipped) at += skipped[0].length;
    else if (char === "\n") at = push(found, "newline", "\n", at + 1);
    else if (char === '"') at = readText(text, at, found);
    else {
      const heredoc = char === "<" ? take(HEREDOC, at) : null;
      const name = heredoc ? null : take(NAME, at);
      if (heredoc) at = push(found, "text", (heredoc[2] ?? "").replace(/\n$/, ""), at + heredoc[0].length);
      else if (name) at = push(found, "name", name[0], at + name[0].length);
      else at = push(found, "mark", char, at + 1);
    }
  }
  return found;
}

function push(found: HclToken[], kind: HclToken["kind"], value: string, next: number): number {
  found.push({ kind, value });
  return next;
}

/** A quoted text; quotes inside `${…}` and `%{…}` belong to it. */
function readText(text: string, start: number, found: HclToken[]): number {
  let templates = 0;
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === "\\") at += 1;
    else if ((char === "$" || char === "%") && text.charAt(at + 1) === "{") {
      templates += 1;
      at += 1;
    } else if (char === "}" && templates > 0) templates -= 1;
    else if (char === "\n" || (char === '"' && templates === 0)) break;
  }
  return push(found, "text", withoutEscapes(text.slice(start + 1, at)), at + 1);
}

function withoutEscapes(raw: string): string {
  if (!raw.includes("\\")) return raw;
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    return raw;
  }
}
