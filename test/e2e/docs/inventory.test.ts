import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readPolicy } from "../../../internal/kit/policy/read-policy.ts";
import { inWords } from "../../../internal/kit/tools/archive-address.ts";
import { buildConfig } from "../../../internal/kit/tools/build-config.ts";
import { parseJobDocument, parseJobFile } from "../../../internal/protocol/job-file-parse.ts";
import { type DocBlock, docBlocks, docPages } from "../../lib/doc-blocks.ts";

const ROOT = join(import.meta.dir, "../../..");

/** What `run=NAME` stands for: the suite that runs such blocks, or files that are written as a page has them. */
const SUITES: Readonly<Record<string, string>> = {
  docs: "test/e2e/docs/pages.test.ts",
  update: "test/e2e/docs/update.test.ts",
  cluster: "test/e2e/docs/cluster.test.ts",
  examples: "test/e2e/examples.test.ts",
  clone: "test/e2e/cli-clone.test.ts",
  install: "test/e2e/install/docs.test.ts",
  "by-hand": "test/e2e/install/docs.test.ts",
  service: "test/e2e/service/doctor.test.ts",
  compose: "test/e2e/images/compose.test.ts",
  image: "test/e2e/images/runner-image.test.ts",
  release: "test/e2e/release.test.ts",
  authority: "test/e2e/tls.test.ts",
  identity: "test/integration/identity/fetch-token.test.ts",
};

/** Commands that no test runs, by page and first words: each was read by a person, for the reason given. */
const NOT_RUN: readonly (readonly [page: string, begins: string, why: string])[] = [
  ["docs/images.md", "docker buildx build", "Debian has no package of buildx; the context is built by podman"],
  ["docs/images.md", "npm run images", "minutes of builds: test/e2e/images runs them with one small tool"],
  ["docs/releases.md", "npm run release -- --tools", "fetches the vendors' archives, which a CI may not reach"],
  ["docs/air-gapped.md", "npm run release", "as before; its second line is run from docs/releases.md"],
  ["docs/install-ecs.md", "cp bundle/terraform-ecs", "wants the AWS provider and an account of AWS"],
];

const pages = docPages();
const blocks = pages.flatMap(docBlocks);
const where = (block: DocBlock) => `${block.page}:${block.line}`;
const words = z.array(z.string()).min(1);
const SHELLS = ["sh", "bash", "console", "powershell"];

/** Readers of what is no command, by the word behind `as=`. Each throws when the text is not that. */
const READERS: Readonly<Record<string, (text: string) => void>> = {
  job: (text) => {
    const read = parseJobFile(filled(text), "job.yaml");
    if (!read.ok) throw read.error;
  },
  policy: (text) => {
    const read = readPolicy(text, "policy.yaml");
    if (!read.ok) throw read.error;
  },
  /** Keys that any job file may have. */
  part: (text) => {
    const document = Bun.YAML.parse(text) as object;
    const read = parseJobDocument({ type: "noop", ...document }, "job.yaml");
    if (!read.ok) throw read.error;
  },
  /** One job for each way to a cluster. */
  cluster: (text) => {
    const { spec } = Bun.YAML.parse(filled(text)) as { spec: { cluster: Record<string, unknown> } };
    for (const [kind, cluster] of Object.entries(spec.cluster)) {
      const job = { type: "job-deploy", spec: { image: "alpine", command: ["true"], cluster: { [kind]: cluster } } };
      const read = parseJobDocument(job, "job.yaml");
      if (!read.ok) throw read.error;
    }
  },
  /** NAME=value lines, as the shell and systemd read them. */
  settings: (text) => {
    const lines = text.trimEnd().split("\n");
    const wrong = lines.filter((line) => !/^RUNNER_[A-Z_]+=(?:"[^"]*"|\S+)(?:\s+#.*)?$/.test(line));
    if (wrong.length > 0) throw new Error(`no settings: ${wrong.join(", ")}`);
  },
  /** Folders of this repository. */
  layout: (text) => {
    const gone = text.match(/^\S+/gm)?.filter((path) => !existsSync(join(ROOT, path)));
    if (gone === undefined || gone.length > 0) throw new Error(`not there: ${gone}`);
  },
  values: (text) => {
    const schema = JSON.parse(readFileSync(join(ROOT, "bundle/helm/runner/values.schema.json"), "utf8"));
    z.fromJSONSchema(schema).parse(Bun.YAML.parse(text));
  },
  role: (text) => {
    const rule = z.strictObject({ apiGroups: words, resources: words, verbs: words });
    const head = { apiVersion: z.literal("rbac.authorization.k8s.io/v1"), metadata: z.record(z.string(), z.string()) };
    z.strictObject({ ...head, kind: z.literal("Role"), rules: z.array(rule).min(1) }).parse(Bun.YAML.parse(text));
  },
  /** The vendors' layout, as our programs ask a mirror for it. */
  mirror: (text) => {
    const tools = Object.entries(buildConfig().tools);
    const wrong = text
      .trimEnd()
      .split("\n")
      .filter((path) => {
        const version = /\d+\.\d+\.\d+/.exec(path)?.[0] ?? "";
        return !tools.some(
          ([tool, { download }]) => inWords(download?.archive ?? "", tool, version, "linux_amd64") === path,
        );
      });
    if (wrong.length > 0) throw new Error(`nobody asks for ${wrong.join(", ")}`);
  },
  /** Words of a program, which the suite of the page compares. */
  said: (text) => {
    if (!readFileSync(join(ROOT, SUITES.docs ?? ""), "utf8").includes('says.as === "said"')) throw new Error(text);
  },
};

/** With digests and addresses in place of the dots of the pages. */
function filled(text: string): string {
  return text.replaceAll("sha256:…", `sha256:${"0".repeat(64)}`).replaceAll("…", "0");
}

describe("every block of every page", () => {
  test("says what it is", () => {
    const silent = blocks.filter((block) => block.language === "");
    expect(silent.map(where)).toEqual([]);
  });

  test("of commands is run by a suite, or stands in the list of those that cannot be", () => {
    const nobody = blocks.filter(({ page, language, says, text }) => {
      if (!SHELLS.includes(language) || says.remedy !== undefined || says.as !== undefined) return false;
      if (says.run !== undefined) return SUITES[says.run] === undefined;
      return !NOT_RUN.some(([of, begins]) => of === page && text.startsWith(begins));
    });
    // Mark it with `run=` and run it there, by commandsOf of test/lib/doc-blocks.ts.
    expect(nobody.map((block) => `${where(block)} ${block.text.split("\n")[0]}`)).toEqual([]);
  });

  for (const [suite, file] of Object.entries(SUITES)) {
    test(`marked ${suite} is asked for by ${file}`, () => {
      const source = readFileSync(join(ROOT, file), "utf8");
      const marked = new Set(blocks.filter(({ says }) => says.run === suite).map(({ page }) => page));
      expect(marked.size).toBeGreaterThan(0);
      const base = (page: string) => page.replace(/^.*\//, "").replace(/\.md$/, "");
      expect([...marked].filter((page) => !source.includes(base(page)))).toEqual([]);
      expect(source).toContain(`"${suite}"`);
      expect(source).toMatch(/\b(?:commandsOf|runPage)\(/);
    });
  }

  test("that is not run is still there", () => {
    const gone = NOT_RUN.filter(
      ([page, begins]) => !blocks.some((block) => block.page === page && block.text.startsWith(begins)),
    );
    expect(gone).toEqual([]);
  });

  for (const block of blocks.filter(({ language }) => !SHELLS.includes(language) && language !== "mermaid")) {
    if (block.says.symptom !== undefined || block.says.run !== undefined) continue;
    test(`${where(block)} is a ${block.says.as ?? "?"} that our programs read`, () => {
      const read = READERS[block.says.as ?? ""];
      if (read === undefined) throw new Error("say with `as=` what reads it");
      read(block.text);
    });
  }

  for (const block of blocks.filter(({ language, says }) => SHELLS.includes(language) && says.as !== undefined)) {
    test(`${where(block)} holds ${block.says.as}`, () => READERS[block.says.as ?? ""]?.(block.text));
  }
});
