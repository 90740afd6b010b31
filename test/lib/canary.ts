import { Database } from "bun:sqlite";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** Every form in which a secret may stand in a text, by name. */
export function formsOf(secret: string): Readonly<Record<string, string>> {
  const json = JSON.stringify(secret).slice(1, -1);
  /** The part of a base64 text that does not hang on what stands before and behind. */
  const inner = (shift: number) => base64("x".repeat(shift) + secret).slice(shift === 0 ? 0 : 4, -4);
  return {
    raw: secret,
    json,
    "json with \\u003c": json.replaceAll(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`),
    url: encodeURIComponent(secret),
    "url, form": new URLSearchParams({ x: secret }).toString().slice(2),
    "base64 at 0": inner(0),
    "base64 at 1": inner(1),
    "base64 at 2": inner(2),
    base64url: Buffer.from(secret).toString("base64url"),
  };
}

/** Looks for one secret in texts; finds wrapped forms too. */
export function finderOf(secret: string): (text: string) => string[] {
  const forms = Object.entries(formsOf(secret));
  return (text) => {
    const joined = text.replaceAll(/\s+/g, "");
    return forms.filter(([, form]) => text.includes(form) || joined.includes(form)).map(([name]) => name);
  };
}

/** Every file below a folder that holds it, without those whose name `except` matches. */
export function filesWith(folder: string, find: (text: string) => readonly string[], except: RegExp = /^$/): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !except.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => find(textOf(path)).length > 0);
}

/** Empty for a file that was removed meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** What every process of this machine shows of itself now. */
export const commandLines = (): string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " "));

/** `table.column` of a coordinator's database that hold it. */
export function columnsWith(path: string, find: (text: string) => readonly string[]): string[] {
  const db = new Database(path, { readonly: true });
  const tables = db.query<{ name: string }, []>("select name from sqlite_master where type = 'table'").all();
  const found = new Set<string>();
  for (const { name } of tables) {
    for (const row of db.query<Record<string, unknown>, []>(`select * from "${name}"`).all()) {
      for (const [column, value] of Object.entries(row)) {
        const text = value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
        if (find(text).length > 0) found.add(`${name}.${column}`);
      }
    }
  }
  db.close();
  return [...found].sort();
}
