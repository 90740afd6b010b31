import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { platformName } from "../../internal/kit/tools/index.ts";
import { goProgram } from "../bed/go-program.ts";
import { makeBed } from "../faults/lib/processes.ts";

setDefaultTimeout(60_000);
const bed = makeBed();
const [helm3, helm4, oras] = [goProgram("helm3"), goProgram("helm4"), goProgram("oras")];
const skip = [helm3, helm4, oras].includes(null) && process.env.CI !== "true";
const [os = "", arch = ""] = platformName().split("_");
const ARCHIVE = `helm-v4.3.1-${os}-${arch}.tar.gz`;

/** Says which helm it was given, by running it. */
const PLUGIN = `
export const handler = ({ z }) => ({
  types: ["x-tool"],
  plan: z.strictObject({ tool: z.string(), version: z.string().nullable() }),
  async execute(ctx) {
    const path = await ctx.tools.find(ctx.plan.tool, ctx.plan.version);
    ctx.log.info("path " + path);
    await ctx.exec({
      key: "ask", argv: [path, "version"], env: ctx.tools.env({}), cwd: ctx.workspace.root,
      capture: ctx.workspace.path("said"),
    });
  },
  async outputs(ctx) { return { said: await Bun.file(ctx.workspace.path("said")).text() }; },
});
`;

let mirror: ReturnType<typeof Bun.serve>;
let requests: string[] = [];
const read = (path: string) => new Uint8Array(readFileSync(path));

beforeAll(() => {
  mkdirSync(bed.path("handlers"), { mode: 0o755 });
  writeFileSync(bed.path("handlers/tool.ts"), PLUGIN);
  if (skip) return;
  mkdirSync(bed.path("bin"));
  symlinkSync(helm3 ?? "", bed.path("bin/helm"));
  symlinkSync(oras ?? "", bed.path("bin/oras"));
  mkdirSync(bed.path(`pack/${os}-${arch}`), { recursive: true });
  cpSync(helm4 ?? "", bed.path(`pack/${os}-${arch}/helm`));
  const packed = Bun.spawnSync(["tar", "-czf", bed.path(ARCHIVE), "-C", bed.path("pack"), `${os}-${arch}`]);
  expect(packed.exitCode).toBe(0);
  mirror = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      requests.push(pathname);
      return pathname === `/${ARCHIVE}` ? new Response(Bun.file(bed.path(ARCHIVE))) : new Response("", { status: 404 });
    },
  });
});
afterAll(async () => {
  await bed.end();
  await mirror?.stop(true);
});

async function ask(name: string, tool: string, version: string | null, sum: string | null, cache = "tools") {
  writeFileSync(bed.path(`${name}.json`), JSON.stringify({ type: "x-tool", spec: { tool, version } }));
  const sums = bed.path(`${name}.sums`);
  writeFileSync(sums, sum === null ? "" : `${sum}  ${ARCHIVE}\n`);
  requests = [];
  const { code, stdout, stderr } = await bed.run(
    ["run-local", `${name}.json`, "--json", "--handlers-dir", bed.path("handlers")],
    {
      PATH: `${bed.path("bin")}:${process.env.PATH ?? ""}`,
      RUNNER_TOOLS_DIR: bed.path(cache),
      RUNNER_TOOLS_MIRROR: `http://127.0.0.1:${mirror.port}`,
      RUNNER_TOOLS_SUMS: sums,
    },
  );
  const end = JSON.parse(stdout.trimEnd().split("\n").at(-1) || "null");
  return { code, end, log: stderr, said: String(end?.outputs?.said) };
}
const sumOf = () =>
  createHash("sha256")
    .update(read(bed.path(ARCHIVE)))
    .digest("hex");

describe.skipIf(skip)("a job that asks for a tool", () => {
  test("in the version on PATH gets that one, and nothing is fetched", async () => {
    const { said, log } = await ask("path", "helm", "3.19.0", null);
    expect(said).toContain("v3.19.0");
    expect(log).toContain(`path ${bed.path("bin/helm")}`);
    expect(requests).toBeEmpty();
  });

  test("without a version gets the one on PATH", async () => {
    expect((await ask("any", "oras", null, null)).said).toContain("1.3.1");
    expect(requests).toBeEmpty();
  });

  test("in another version gets exactly that one from the mirror, checked, and only once", async () => {
    const first = await ask("fetched", "helm", "4.3.1", sumOf());
    expect([first.code, first.said]).toEqual([0, expect.stringContaining("v4.3.1")]);
    expect(requests).toEqual([`/${ARCHIVE}`]);
    const second = await ask("again", "helm", "4.3.1", sumOf());
    expect([second.code, second.said]).toEqual([0, expect.stringContaining("v4.3.1")]);
    expect(requests).toBeEmpty();
  });

  test("by two runners at once has it fetched once", async () => {
    const both = await Promise.all(
      ["left", "right"].map((name) => ask(name, "helm", "4.3.1", sumOf(), "shared-tools")),
    );
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(requests).toEqual([`/${ARCHIVE}`]);
  });

  test("whose archive has another sum fails, and says what to check", async () => {
    const { code, end } = await ask("wrong", "helm", "4.3.1", "0".repeat(64), "other-tools");
    expect([code, end.status]).toEqual([1, "failed"]);
    expect(end.reason).toContain(`has SHA-256 ${sumOf()}, expected ${"0".repeat(64)}: not used`);
    expect(end.reason).toContain("check the mirror or proxy");
  });

  test("whose sum nobody named fails, and says the line to write", async () => {
    const { code, end } = await ask("nobody", "helm", "4.3.1", null, "other-tools");
    expect([code, end.status]).toEqual([1, "failed"]);
    expect(end.reason).toContain(`${bed.path("bin/helm")} is version 3.19.0`);
    expect(end.reason).toContain(`"<sum>  ${ARCHIVE}"`);
    expect(requests).toBeEmpty();
  });
});
