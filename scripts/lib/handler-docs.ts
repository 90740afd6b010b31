import { existsSync, readFileSync } from "node:fs";
import { BUN, ROOT, textOf } from "./spawn.ts";

/** What `runner explain --json` says of a type. */
interface Explained {
  readonly type: string;
  readonly summary: string;
  readonly built: boolean;
  readonly keys?: readonly {
    readonly path: string;
    readonly required: boolean;
    readonly takes: string;
    readonly meaning: string;
  }[];
}

/** The page of docs/handlers and the example of each type with a job file. A type without a row fails the build. */
export const PAGES: Readonly<Record<string, { readonly page: string; readonly example: string }>> = {
  "actions-workflow": { page: "actions.md", example: "quickstart/hello.yaml" },
  script: { page: "script.md", example: "report.yaml" },
  container: { page: "container.md", example: "container/report.yaml" },
  "terraform-deploy": { page: "terraform.md", example: "quickstart/network.yaml" },
  "helm-chart-deploy": { page: "helm.md", example: "helm-chart-deploy/job.yaml" },
  "kubernetes-manifest-deploy": { page: "manifest.md", example: "kubernetes-manifest-deploy/job.yaml" },
  "job-deploy": { page: "kubejob.md", example: "job-deploy/job.yaml" },
  "noop-deploy": { page: "operations.md", example: "operations/noop-deploy.yaml" },
  "health-check": { page: "operations.md", example: "operations/health-check.yaml" },
  "shut-down": { page: "operations.md", example: "operations/shut-down.yaml" },
  noop: { page: "operations.md", example: "operations/noop.yaml" },
};

/** `runner explain --json`, of the sources. */
function explained(): Explained[] {
  const text = textOf([BUN, `${ROOT}cmd/main.ts`, "explain", "--json"]);
  if (!text) throw new Error("`runner explain --json` says nothing");
  return JSON.parse(text);
}

/** File → its text with what is generated in it put in. Pages that are missing are begun. */
export function handlerDocs(): ReadonlyMap<string, string> {
  const docs = new Map<string, string>();
  const types = explained().filter((one) => one.built);
  for (const one of types) {
    const where = PAGES[one.type];
    if (!where) throw new Error(`scripts/lib/handler-docs.ts has no page for ${one.type}`);
    const file = `docs/handlers/${where.page}`;
    const before = docs.get(file) ?? (existsSync(ROOT + file) ? readFileSync(ROOT + file, "utf8") : `# ${one.type}\n`);
    docs.set(file, withPart(before, one));
  }
  const index = "docs/handlers/README.md";
  docs.set(index, putPart(readFileSync(ROOT + index, "utf8"), "types", typeTable(types)) ?? "");
  return docs;
}

function typeTable(types: readonly Explained[]): string {
  const rows = types.map(({ type, summary }) => {
    const { page = "", example = "" } = PAGES[type] ?? {};
    return `| [\`${type}\`](${page}) | ${cell(summary)} | [${example}](../../examples/${example}) |`;
  });
  return ["| type | does | example |", "|---|---|---|", ...rows].join("\n");
}

function withPart(text: string, one: Explained): string {
  const name = `keys ${one.type}`;
  const keys = (one.keys ?? []).filter(({ path }) => path.startsWith("spec."));
  const rows = keys.map(
    ({ path, required, takes, meaning }) =>
      `| \`${path.slice("spec.".length)}\`${required ? " \\*" : ""} | ${cell(takes)} | ${cell(meaning)} |`,
  );
  const table =
    rows.length === 0
      ? "It takes no `spec`."
      : ["| key (\\* is required) | takes | |", "|---|---|---|", ...rows].join("\n");
  const place = `\n## Keys of \`spec\`: ${one.type}\n\n<!-- generated: ${name} -->\n<!-- end -->\n`;
  return putPart(text, name, table) ?? putPart(`${text.trimEnd()}\n${place}`, name, table) ?? text;
}

/** null: the text has no place of this name. */
export function putPart(text: string, name: string, part: string): string | null {
  const begin = `<!-- generated: ${name} -->\n`;
  const from = text.indexOf(begin);
  const to = text.indexOf("<!-- end -->", from);
  if (from < 0 || to < 0) return null;
  return `${text.slice(0, from + begin.length)}${part}\n${text.slice(to)}`;
}

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
