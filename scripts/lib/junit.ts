/** Names of tests by outcome, from the JUnit file that `bun test` writes. */
export interface Report {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
  /** Of those that failed. */
  readonly failedFiles: ReadonlySet<string>;
}

export function readReport(xml: string): Report {
  const failed: string[] = [];
  const skipped: string[] = [];
  const failedFiles = new Set<string>();
  const passed: string[] = [];
  for (const [, attributes = "", , body = ""] of xml.matchAll(/<testcase\b([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const file = attribute(attributes, "file");
    const name = [file, attribute(attributes, "name")].filter(Boolean).join(": ");
    if (/<(failure|error)\b/.test(body)) {
      failed.push(name);
      failedFiles.add(file);
    } else if (/<skipped\b/.test(body)) skipped.push(name);
    else passed.push(name);
  }
  return { passed, failed, skipped, failedFiles };
}

const ENTITIES: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: "<", gt: ">", amp: "&" };

function attribute(attributes: string, name: string): string {
  const found = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return found.replace(/&(quot|apos|lt|gt|amp);/g, (_, entity: string) => ENTITIES[entity] ?? "");
}
