/**
 * Patterns of a .runnerignore, read as git reads a .gitignore: one a line, `#` starts a comment, `!` takes a file back,
 * a trailing `/` means folders only, a slash elsewhere ties the pattern to the root; the last match wins. What lies in
 * an ignored folder cannot be taken back.
 */
export interface IgnoreRules {
  /** `path` is relative to the root, with `/`. */
  ignores(path: string, isFolder: boolean): boolean;
}

interface Rule {
  readonly glob: Bun.Glob;
  readonly negated: boolean;
  readonly foldersOnly: boolean;
}

export function parseIgnore(text: string): IgnoreRules {
  const rules = text.split(/\r?\n/).flatMap((line) => parseLine(line) ?? []);
  return {
    ignores(path, isFolder) {
      const last = rules.findLast((rule) => (isFolder || !rule.foldersOnly) && rule.glob.match(path));
      return last !== undefined && !last.negated;
    },
  };
}

function parseLine(line: string): Rule | null {
  let pattern = line.replace(/(?<!\\)\s+$/, "");
  if (pattern === "" || pattern.startsWith("#")) return null;
  const negated = pattern.startsWith("!");
  if (negated) pattern = pattern.slice(1);
  // Our globs know braces, git's do not; a leading # or ! is escaped for the line, not for the glob.
  pattern = pattern.replace(/^\\([#!])/, "$1").replace(/[{}]/g, "\\$&");
  const foldersOnly = pattern.endsWith("/");
  if (foldersOnly) pattern = pattern.slice(0, -1);
  const anchored = pattern.includes("/");
  pattern = pattern.replace(/^\//, "");
  if (pattern === "") return null;
  return { glob: new Bun.Glob(anchored ? pattern : `**/${pattern}`), negated, foldersOnly };
}
