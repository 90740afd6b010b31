import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { goProgram } from "../../bed/go-program.ts";
import { chart, HELMS, type HelmName, runHelm } from "./helm.ts";
import { valuesOfNuon } from "./nuon.ts";

const skip = HELMS.some((name) => goProgram(name) === null) && process.env.CI !== "true";
const SNAPSHOTS = join(import.meta.dir, "../../fixtures/helm");

type ChartName = "runner" | "coordinator";
const RUNNER = {
  image: { repository: "registry.test/runner" },
  apiUrl: "https://coordinator.test",
  runnerId: "run1",
  token: { existingSecret: "token" },
};
const COORDINATOR = {
  image: { repository: "registry.test/runner", digest: `sha256:${"a".repeat(64)}` },
  adminKey: { existingSecret: "admin" },
  tls: { existingSecret: "tls" },
};
const { token: _token, runnerId: _id, ...SEVERAL } = RUNNER;
const namespaces = ["shop"];

const CASES: readonly (readonly [ChartName, string, object])[] = [
  ["runner", "least", RUNNER],
  [
    "runner",
    "full",
    {
      ...SEVERAL,
      identities: { existingSecret: "identities" },
      mode: "install",
      concurrency: { all: 1, deploy: 3 },
      labels: { site: "eu-1" },
      settings: { RUNNER_POLICY: "/etc/runner/files/policy.yaml", RUNNER_MIN_FREE: "1GiB" },
      files: { "policy.yaml": "version: 1\n" },
      ca: { existingConfigMap: "ca" },
      drainTimeout: "2h",
      handlers: {
        kubejob: { namespaces, secrets: false },
        helm: { namespaces, rules: [{ apiGroups: ["x.test"], resources: ["things"], verbs: ["get"] }] },
        manifest: { namespaces: ["shop", "web"] },
      },
      clusterRules: [{ apiGroups: [""], resources: ["namespaces"], verbs: ["get", "create"] }],
      serviceAccount: { annotations: { "azure.workload.identity/client-id": "1111" } },
      networkPolicy: { metricsFrom: [{ namespaceSelector: {} }], egress: [{ ports: [{ port: 443 }] }] },
      autoscaling: { enabled: true, maxReplicas: 3, keda: { serverAddress: "http://prometheus.test:9090" } },
      nodePool: { enabled: true },
      imagePullSecrets: [{ name: "pull" }],
      priorityClassName: "high",
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }],
      tolerations: [{ key: "own", operator: "Exists" }],
      extraEnv: [{ name: "TZ", value: "UTC" }],
    },
  ],
  [
    "runner",
    "external",
    {
      ...RUNNER,
      state: { kind: "emptyDir", size: "1Gi" },
      hostNetwork: true,
      networkPolicy: { enabled: false },
      podDisruptionBudget: { enabled: false },
      autoscaling: { enabled: true, kind: "external" },
    },
  ],
  ["runner", "nuon", valuesOfNuon({ id: "run2", token: "secret-token", url: "https://api.test", name: "runner-org1" })],
  ["coordinator", "least", COORDINATOR],
  [
    "coordinator",
    "http",
    {
      ...COORDINATOR,
      tls: { plainHttp: true },
      publicUrl: "https://runner.test",
      signingKey: { existingSecret: "signing" },
      service: { type: "LoadBalancer", annotations: { internal: "true" } },
      networkPolicy: { from: [{ podSelector: {} }] },
      data: { existingClaim: "mine" },
      stopDelay: "0s",
    },
  ],
];

const render = (helm: HelmName, name: ChartName, values: object) =>
  runHelm(helm, ["template", "it", chart(name)], { values });

const objects = z.array(
  z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }) }),
);

/** The objects of a rendering, in an order of their own. */
function objectsOf(text: string) {
  const found = objects.parse([Bun.YAML.parse(text)].flat().filter((one) => one !== null));
  const key = ({ kind, metadata: { name, namespace } }: (typeof found)[number]) => `${kind} ${namespace} ${name}`;
  return found.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

describe.skipIf(skip)("the charts render", () => {
  for (const [name, what, values] of CASES) {
    test(`${name}, ${what}: as the file of test/fixtures/helm has it, by helm 3 and by helm 4`, async () => {
      const file = join(SNAPSHOTS, `${name}-${what}.yaml`);
      const [three, four] = await Promise.all(HELMS.map((helm) => render(helm, name, values)));
      expect([three?.stderr, four?.stderr]).toEqual(["", ""]);
      // Written by hand: RUNNER_SNAPSHOTS=write bun test test/e2e/helm/charts.test.ts
      if (process.env.RUNNER_SNAPSHOTS === "write") {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, three?.stdout ?? "");
      }
      expect(existsSync(file)).toBe(true);
      expect(three?.stdout ?? "").toBe(readFileSync(file, "utf8"));
      expect(objectsOf(four?.stdout ?? "")).toEqual(objectsOf(three?.stdout ?? ""));
    }, 30_000);
  }

  test("Nuon's values without the token in anything but a Secret, and twice the same", async () => {
    const values = valuesOfNuon({ id: "run2", token: "secret-token", url: "https://api.test", name: "runner-org1" });
    const [first, second] = [await render("helm4", "runner", values), await render("helm4", "runner", values)];
    expect(second.stdout).toBe(first.stdout);
    const shown = objectsOf(first.stdout).filter((one) => JSON.stringify(one).includes("secret-token"));
    expect(shown.map((one) => one.kind)).toEqual(["Secret"]);
  }, 30_000);

  for (const [name, what, values] of CASES) {
    test(`${name}, ${what}: without a word of \`helm lint --strict\``, async () => {
      for (const helm of HELMS) {
        const { code, stdout, stderr } = await runHelm(helm, ["lint", "--strict", chart(name)], { values });
        expect({ code, words: `${stdout}${stderr}`.match(/\[(WARNING|ERROR)\].*/g) }).toEqual({ code: 0, words: null });
      }
    }, 30_000);
  }
});

const REFUSED: readonly (readonly [string, ChartName, object, RegExp])[] = [
  ["an unknown key", "runner", { ...RUNNER, replica: 2 }, /additional properties 'replica' not allowed/],
  [
    "a tag that is a number",
    "runner",
    { ...RUNNER, image: { repository: "x", tag: 1 } },
    /tag': got number, want string/,
  ],
  ["a digest that is none", "runner", { ...RUNNER, image: { repository: "x", digest: "latest" } }, /\/image\/digest/],
  ["a time without a unit", "runner", { ...RUNNER, drainTimeout: "30" }, /\/drainTimeout/],
  ["a mode that no pod has", "runner", { ...RUNNER, mode: "mng" }, /\/mode': value must be one of/],
  ["a namespace that is none", "runner", { ...RUNNER, handlers: { helm: { namespaces: ["*"] } } }, /namespaces\/0/],
  ["no image", "runner", { ...RUNNER, image: {} }, /image.repository is empty: give the name/],
  ["no control plane", "runner", { ...RUNNER, apiUrl: "" }, /apiUrl is empty: give the address/],
  ["no id", "runner", { ...RUNNER, runnerId: "" }, /runnerId is empty: `runner runners create NAME`/],
  ["no token", "runner", { ...RUNNER, token: {} }, /the token is missing: name its Secret/],
  ["two tokens", "runner", { ...RUNNER, token: { existingSecret: "a", value: "b" } }, /give one of the two/],
  ["two replicas of one id", "runner", { ...RUNNER, replicas: 2 }, /2 replicas of one identity: .* identities/],
  ["Nuon's count of two", "runner", { ...RUNNER, node_pool: { runner_count: 2 } }, /2 replicas of one identity/],
  [
    "more of one id by scaling",
    "runner",
    { ...RUNNER, autoscaling: { enabled: true, maxReplicas: 4 } },
    /4 replicas of/,
  ],
  ["an id beside identities", "runner", { ...RUNNER, identities: { existingSecret: "i" } }, /leave out runnerId/],
  [
    "one volume for several",
    "runner",
    { ...SEVERAL, replicas: 2, identities: { existingSecret: "i" }, state: { existingClaim: "c" } },
    /every replica needs its own/,
  ],
  [
    "an HPA down to nothing",
    "runner",
    { ...RUNNER, autoscaling: { enabled: true, kind: "external", minReplicas: 0 } },
    /minReplicas is 0: an HPA keeps one pod at least/,
  ],
  ["KEDA without Prometheus", "runner", { ...RUNNER, autoscaling: { enabled: true } }, /keda.serverAddress is empty/],
  [
    "two authorities",
    "runner",
    { ...RUNNER, ca: { existingSecret: "a", existingConfigMap: "b" } },
    /give one of the two/,
  ],
  ["a token among settings", "runner", { ...RUNNER, settings: { RUNNER_API_TOKEN: "x" } }, /is no place for a secret/],
  ["a variable that is no setting", "runner", { ...RUNNER, settings: { PATH: "/x" } }, /propertyName 'PATH'/],
  ["two coordinators", "coordinator", { ...COORDINATOR, replicas: 2 }, /\/replicas': value must be 1/],
  ["a port of root's", "coordinator", { ...COORDINATOR, port: 443 }, /\/port': minimum: got 443, want 1,?024/],
  [
    "TLS twice",
    "coordinator",
    { ...COORDINATOR, tls: { existingSecret: "a", plainHttp: true } },
    /give one of the two/,
  ],
  ["no image", "coordinator", { ...COORDINATOR, image: {} }, /image.repository is empty/],
];

describe.skipIf(skip)("values that cannot work are refused in words", () => {
  for (const [what, name, values, words] of REFUSED) {
    test(`${name}: ${what}`, async () => {
      const { code, stderr } = await render("helm3", name, values);
      expect(code).toBe(1);
      expect(stderr).toMatch(words);
    }, 30_000);
  }
});
