import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { archiveAddress, inWords } from "../../../internal/kit/tools/archive-address.ts";
import {
  buildConfig,
  createToolFinder,
  platformName,
  type ToolName,
  type ToolSums,
} from "../../../internal/kit/tools/index.ts";
import { type Finding, findings } from "./finding.ts";

export interface ToolPlaces {
  readonly path: string;
  readonly cacheDir: string;
  readonly mirror: string | null;
  /** Checksums of the operator's own file. */
  readonly sums: ToolSums;
  /** PEM, for the mirror. */
  readonly ca: string | null;
}

/** Which jobs go without it. */
const NEEDED_BY = {
  terraform: "terraform-deploy",
  tofu: "terraform-deploy with OpenTofu",
  git: "sources in git",
  helm: "helm-chart-deploy",
  kubectl: "actions and scripts that call it",
  oras: "actions and scripts that call it",
} as const satisfies Partial<Record<ToolName, string>>;
type Tool = keyof typeof NEEDED_BY;
const TOOLS = Object.keys(NEEDED_BY) as Tool[];
/** A runner without these does part of its work all the same, and most need none of them. */
const OPTIONAL: readonly Tool[] = ["tofu", "helm", "kubectl", "oras"];

/** What each tool's jobs would meet: the one of PATH, of the cache, a download, or nothing. Nothing is fetched. */
export async function checkTools(places: ToolPlaces): Promise<Finding[]> {
  return Promise.all(TOOLS.map((tool) => checkTool(tool, places)));
}

async function checkTool(tool: Tool, { path, cacheDir, mirror, sums, ca }: ToolPlaces): Promise<Finding> {
  const say = findings(tool);
  const finder = createToolFinder({ path, cacheDir, allowDownload: false });
  try {
    const found = await finder.locate(tool, null);
    const others = named(sums, tool);
    return say.ok(
      `${found.version ?? "of an unknown version"}, ${found.path}${found.from === "cache" ? " (fetched)" : ""}${others}`,
    );
  } catch {
    return absent(tool, mirror, ca);
  }
}

/** Versions that could be fetched by a sum of the operator's file. */
function named(sums: ToolSums, tool: Tool): string {
  const versions = [...sums.keys()].flatMap((file) =>
    file.startsWith(`${tool}-`) || file.startsWith(`${tool}_`)
      ? (/\d+\.\d+\.\d+(?:-[a-z]+\.\d+)?/.exec(file)?.[0] ?? [])
      : [],
  );
  return versions.length === 0 ? "" : `; ${[...new Set(versions)].join(", ")} may be fetched by --tools-sums`;
}

async function absent(tool: Tool, mirror: string | null, ca: string | null): Promise<Finding> {
  const say = findings(tool);
  const { default: version, download, sha256 } = buildConfig().tools[tool];
  if (OPTIONAL.includes(tool) && !version) return say.ok(`not on PATH; only ${NEEDED_BY[tool]} would need it`);
  const install = `Install ${tool} and put it on PATH.`;
  if (!version || !download || !sha256?.[version]?.[platformName()]) {
    return say.warning(`not on PATH: jobs that need it (${NEEDED_BY[tool]}) would fail`, install);
  }
  const from = mirror ?? download.from;
  if (from.startsWith("/")) {
    const file = fileURLToPath(archiveAddress(from, inWords(download.archive, tool, version, platformName())));
    if (existsSync(file)) return say.ok(`not on PATH; ${version} would be taken from the folder ${from}`);
    return say.warning(
      `not on PATH, and ${from}, from which ${version} would be taken, has no ${file}`,
      `Copy the folder \`tools\` of a release made with --tools there, or: ${install}`,
    );
  }
  if (await answers(from, ca))
    return say.ok(`not on PATH; ${version} would be fetched from ${from} when a job needs it`);
  const text = `not on PATH, and ${from}, from which ${version} would be fetched, does not answer`;
  return say.warning(text, `${install} Or name a mirror with --tools-mirror (RUNNER_TOOLS_MIRROR).`);
}

const ANSWER_MS = 5_000;

/** Any answer at all: whether the file is there is the download's to find out. */
async function answers(url: string, ca: string | null): Promise<boolean> {
  try {
    const tls = ca === null ? {} : { tls: { ca } };
    const answer = await fetch(url, {
      method: "HEAD",
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_MS),
      ...tls,
    });
    return answer.status > 0;
  } catch {
    return false;
  }
}
