import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobShow } from "../../../internal/protocol/operator.ts";
import { goProgram } from "../../bed/go-program.ts";
import { type KubeNode, startNode } from "../../bed/node/node.ts";
import { addRunner, type Control, cleanAfter, type RunnerHandle, startControl } from "../../faults/lib/control.ts";
import { type Bed, makeBed } from "../../faults/lib/processes.ts";
import { chartOf, skip } from "./bed.ts";

setDefaultTimeout(120_000);
const CANARY = "helm-canary-0b5de1";

const mountable = (() => {
  const probe = mkdtempSync(join(tmpdir(), "mount-probe-"));
  const able = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]).status === 0;
  if (able) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true });
  return able;
})();

/** Two processes of the program itself, a real cluster and the real helm; the registry says what it wants. */
describe.skipIf(skip)("a helm job on a bad day fails once, in one line with a remedy, and leaves nothing", () => {
  let node: KubeNode;
  let bed: Bed;
  let control: Control;
  let runner: RunnerHandle;
  let registry: ReturnType<typeof startLiar>;
  /** Tried for half a minute, beside everything else. */
  let unanswered: Promise<JobShow>;
  let count = 0;
  beforeAll(async () => {
    node = await startNode();
    bed = makeBed();
    registry = startLiar();
    mkdirSync(bed.path("bin"));
    symlinkSync(goProgram("helm3") ?? "helm", bed.path("bin/helm"));
    cpSync(chartOf(), bed.path("chart"), { recursive: true });
    control = await startControl(bed);
    runner = await addRunner(bed, control, { env: env() });
    const other = await addRunner(bed, control, { name: "other", env: env() });
    unanswered = ended({ source: { oci: { ref: "127.0.0.1:1/charts/web:1" } }, set: {} }, other.id);
  }, 120_000);
  afterAll(async () => {
    registry?.stop();
    await bed?.end();
    await node?.end();
  });

  const env = () => ({ PATH: `${bed.path("bin")}:${process.env.PATH ?? ""}`, RUNNER_KUBECONFIG: node.kubeconfig });
  const ended = async (spec: object, to?: string) => {
    const set = { password: { env: "CANARY" } };
    const job = {
      type: "helm-chart-deploy",
      spec: { source: { path: "chart" }, release: "web", namespace: "bad-day", set, ...spec },
    };
    const file = bed.path(`job-${count++}.yaml`);
    writeFileSync(file, JSON.stringify(job));
    return control.ended(await control.submit(file, to, { CANARY }), 90_000);
  };
  const kubeconfig = (text: string) => {
    writeFileSync(bed.path("kubeconfig"), text, { mode: 0o600 });
    return { kubeconfig: { file: "kubeconfig" } };
  };
  const away = () => node.configFor("admin").replace(/https:\/\/127\.0\.0\.1:\d+/, "https://127.0.0.1:1");

  type Row = readonly [what: string, spec: () => object, reason: RegExp, remedy: string];
  const rows: readonly Row[] = [
    [
      "when the chart is not what its digest says",
      () => ({ source: { oci: { ref: `127.0.0.1:${registry.port}/charts/web@sha256:${"a".repeat(64)}` } } }),
      /the manifest of \S+ does not match its digest/,
      "The registry, or what lies between",
    ],
    [
      "when a layer of the chart is not what its manifest says",
      () => ({ source: { oci: { ref: `127.0.0.1:${registry.port}/charts/web:1` } } }),
      /the content of "chart.tgz" does not match its digest/,
      "pack and upload the source again",
    ],
    [
      "when helm is wanted in a version nobody has",
      () => ({ version: "3.0.99" }),
      /helm 3\.0\.99 was not found/,
      "install helm 3.0.99",
    ],
    [
      "when the cluster does not answer",
      () => ({ cluster: kubeconfig(away()) }),
      /the cluster at https:..127\.0\.0\.1:1: GET/,
      "network",
    ],
    [
      "when the account has no right to",
      () => ({ cluster: kubeconfig(node.configFor("limited")) }),
      /is forbidden|User "limited" cannot/,
      "RoleBinding",
    ],
  ];
  test.each([...rows])("%s", async (_what, spec, reason, remedy) => {
    const doc = await ended(spec(), runner.id);
    expect(doc.status).toBe("failed");
    expect(doc.reason).toMatch(reason);
    expect(doc.reason).toContain(remedy);
    expect(doc.reason).not.toContain("\n");
    expect(await node.kubectl(["get", "namespace", "bad-day", "--ignore-not-found", "-o", "name"])).toBe("");
    rmSync(bed.path("kubeconfig"), { force: true });
    await cleanAfter(bed, control, runner, [CANARY]);
  });

  test("when the registry does not answer", async () => {
    const doc = await unanswered;
    expect(doc.status).toBe("failed");
    expect(doc.reason).toMatch(/127\.0\.0\.1:1\/v2\/ could not be fetched: .*; check the network/);
  });

  test.skipIf(!mountable && process.env.CI !== "true")("when the disk is full, and the next one works", async () => {
    const disk = bed.path("disk");
    mkdirSync(disk);
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=5m", "tmpfs", disk]).status).toBe(0);
    try {
      const small = await addRunner(bed, control, {
        name: "small",
        stateDir: `${disk}/state`,
        flags: ["--min-free", "64KiB"],
        env: env(),
      });
      const text = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toString("hex");
      const big = Array.from({ length: 12 }, () => text).join("\n");
      cpSync(chartOf({ "files/big.txt": big }), bed.path("big"), { recursive: true });
      const doc = await ended({ source: { path: "big" } }, small.id);
      expect(doc.status).toBe("failed");
      expect(doc.reason).toContain("no space left on device; Free space");
      await cleanAfter(bed, control, small);
      const next = await ended({}, small.id);
      expect([next.status, next.reason]).toEqual(["finished", ""]);
    } finally {
      spawnSync("umount", ["-l", disk]);
    }
  });
});

/** A registry whose one chart is never what was asked for: another manifest, another layer. */
function startLiar() {
  const digest = (text: string) => `sha256:${new Bun.CryptoHasher("sha256").update(text).digest("hex")}`;
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.cncf.helm.config.v1+json", digest: digest("{}"), size: 2 },
    layers: [
      { mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", digest: digest("the chart"), size: 9 },
    ],
  });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname.includes("/manifests/")) {
        return new Response(manifest, { headers: { "content-type": "application/vnd.oci.image.manifest.v1+json" } });
      }
      return new Response(pathname.endsWith(digest("{}")) ? "{}" : "no chart!");
    },
  });
  return { port: server.port ?? 0, stop: () => void server.stop(true) };
}
