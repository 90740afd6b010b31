import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { goProgram } from "../../bed/go-program.ts";
import { type KubeNode, startNode } from "../../bed/node/node.ts";
import { change, chartOf, HELMS, type HelmName, helmJob, planOf, skip, type Wanted } from "./bed.ts";

setDefaultTimeout(120_000);

let node: KubeNode;
beforeAll(async () => {
  if (!skip) node = await startNode();
});
afterAll(() => node?.end());

const NO_IMAGE = [{ name: "image", value: "localhost/none:1", type: "string" }];
const DEPLOYMENT = () => readFileSync(`${chartOf()}/templates/deployment.yaml`, "utf8");
const SCHEMA = '{"type":"object","properties":{"replicas":{"type":"integer"}}}';
const FAR = JSON.stringify({
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "a", cluster: { server: "https://127.0.0.1:1" } }],
  users: [{ name: "a", user: { token: "far-away-canary" } }],
  contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
  "current-context": "a",
});

describe.skipIf(skip).each([...HELMS])("a plan by %s fails in one line with a remedy", (helm) => {
  type Fault = readonly [what: string, wanted: () => Partial<Wanted>, reason: RegExp | string, remedy: string];
  const faults: readonly Fault[] = [
    [
      "for a template that does not parse",
      () => ({ chart: chartOf({ "templates/x.yaml": "a: {{ .Values.x" }) }),
      "unclosed action",
      "Correct the chart",
    ],
    [
      "for an object that is none",
      () => ({ chart: chartOf({ "templates/x.yaml": "kind: Nothing\n" }) }),
      /apiVersion|Object/,
      "Correct the chart",
    ],
    [
      "for an object the cluster refuses",
      () => ({
        chart: chartOf({
          "templates/deployment.yaml": DEPLOYMENT().replace(
            '{ matchLabels: { app: "{{ .Release.Name }}" } }',
            "{ matchLabels: { app: other } }",
          ),
        }),
      }),
      "selector",
      "Correct the chart",
    ],
    [
      "for values the chart's schema refuses",
      () => ({
        chart: chartOf({ "values.schema.json": SCHEMA }),
        block: { values: [{ name: "replicas", value: "many", type: "string" }] },
      }),
      "want integer",
      "values.schema.json",
    ],
    [
      "for a values file that is no YAML",
      () => ({ block: { values_files: ["a: [1"] } }),
      /YAML|yaml/,
      "Correct the chart or its values",
    ],
    [
      "for a name of a value that is no path",
      () => ({ block: { values: [{ name: "a..b", value: "x" }] } }),
      'the name "a..b" of a value is no path',
      "a[0].b",
    ],
    [
      "for a source without a chart",
      () => ({ chart: `${chartOf()}/templates` }),
      "neither a Chart.yaml nor a packed chart",
      "source.path",
    ],
    [
      "for a dependency that nobody has",
      () => ({
        chart: chartOf({
          "Chart.yaml":
            "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{ name: other, version: 1.0.0, repository: 'oci://127.0.0.1:1/charts' }]\n",
        }),
      }),
      "helm dependencies failed",
      "Chart.lock",
    ],
    [
      "for a cluster that does not answer",
      () => ({ block: { cluster_info: { kube_config: FAR } } }),
      /connection refused|no connection/,
      "Check the cluster's address",
    ],
    ["for an account without rights", () => ({ user: "limited" }), "forbidden", "RoleBinding"],
    [
      "for a driver without its store",
      () => ({ block: { storage_driver: "nuon", helm_chart_id: "hmc" } }),
      "keeps releases",
      "secret or configmap",
    ],
    [
      "for a driver nobody knows",
      () => ({ block: { storage_driver: "sql" } }),
      'the storage driver "sql" is not known',
      "",
    ],
  ];
  test.each([...faults])("%s", async (_what, wanted, reason, remedy) => {
    const job = helmJob(node, { helm, release: "bad", namespace: "faults", chart: chartOf(), ...wanted() });
    const outcome = await job.run();
    expect(outcome.status).toBe("failed");
    expect(outcome.reason).toMatch(reason);
    expect(outcome.reason).not.toContain("\n");
    expect(outcome.remedy ?? "").toContain(remedy);
    expect(`${outcome.reason}${job.log()}`).not.toContain("far-away-canary");
    // A plan makes nothing, not even the namespace.
    expect(await node.kubectl(["get", "namespace", "faults", "--ignore-not-found", "-o", "name"])).toBe("");
    job.dispose();
  });
});

describe.skipIf(skip).each([...HELMS])("an apply by %s", (helm) => {
  const space = `apply-${helm}`;
  const wanted = (release: string, more: Partial<Wanted> = {}): Wanted => ({
    helm,
    release,
    chart: chartOf(),
    namespace: space,
    ...more,
  });
  const applyOf = async (at: Wanted, plan: Wanted = at) => {
    const made = await helmJob(node, plan).run();
    return helmJob(node, { ...at, operation: "apply-plan", contents: made.result?.contents_compressed ?? "" });
  };

  test("that waits in vain ends before the job does, says what for, and can be repaired by the next one", async () => {
    const { apply, logs } = await change(
      node,
      wanted("wait", { block: { values: NO_IMAGE }, options: { wait_timeout: 6e9 } }),
    );
    expect(apply.status).toBe("failed");
    expect(apply.reason).toContain("not ready: Deployment wait: 0 of 1 available: pod wait-");
    expect(apply.reason).toContain("container app: ErrImageNeverPull");
    expect(logs).toContain("waiting for Deployment wait: 0 of 1 available");
    const fixed = await change(node, wanted("wait"));
    expect([fixed.apply.status, fixed.apply.reason]).toEqual(["finished", ""]);
    expect(planOf(fixed.plan).op).toBe("upgrade");
  });

  test("whose hook fails names it and shows what its pod wrote last", async () => {
    const hook = (on: string, code: number) => ({
      [`templates/${on}.yaml`]: JSON.stringify({
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { name: `hook-${on}`, annotations: { "helm.sh/hook": on } },
        spec: {
          backoffLimit: 0,
          template: {
            spec: {
              restartPolicy: "Never",
              terminationGracePeriodSeconds: 0,
              containers: [
                {
                  name: "main",
                  image: "localhost/bb:1",
                  imagePullPolicy: "Never",
                  command: ["sh", "-c", `echo "$0 of the hook"; exit ${code}`, on],
                },
              ],
            },
          },
        },
      }),
    });
    const at = wanted("hooked", { chart: chartOf({ ...hook("pre-install", 3), ...hook("pre-delete", 4) }) });
    const made = await applyOf(at);
    const outcome = await made.run();
    expect(outcome.status).toBe("failed");
    expect(outcome.reason).toMatch(
      /not ready: Job hook-pre-install: BackoffLimitExceeded.*: pod hook-pre-install-\S+: container main: Error: exit code 3/,
    );
    expect(made.log()).toMatch(/hook hook-pre-install: pod hook-pre-install-\S+, container main wrote last:/);
    expect(made.log()).toContain("pre-install of the hook");
    // Never run, so nothing is said of it.
    expect(made.log()).not.toContain("pre-delete");

    const teardown = { ...at, operation: "create-teardown-plan" } as const;
    const removal = await applyOf(at, teardown);
    const failed = await removal.run();
    expect([failed.status, removal.log()]).toEqual(["failed", expect.stringContaining("pre-delete of the hook")]);
    expect(failed.reason).toContain("not ready: Job hook-pre-delete: BackoffLimitExceeded");
  });

  test("that fails goes back when it is asked to", async () => {
    await change(node, wanted("back"));
    const { apply } = await change(
      node,
      wanted("back", { block: { values: NO_IMAGE }, options: { wait_timeout: 6e9, rollback_on_failure: true } }),
    );
    expect(apply.status).toBe("failed");
    const image = await node.kubectl([
      "-n",
      space,
      "get",
      "deploy",
      "back",
      "-o",
      "jsonpath={.spec.template.spec.containers[0].image}",
    ]);
    expect(image).toBe("localhost/bb:1");
    expect(planOf(await helmJob(node, wanted("back")).run()).plan).toBe("no changes");
  });

  test("is refused when chart or values differ from what was approved, before anything changes", async () => {
    const other = chartOf({ "templates/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: more }\n" });
    const late = await (await applyOf(wanted("bound", { chart: other }), wanted("bound"))).run();
    expect(late.reason).toContain(
      `the chart renders to something else than what was approved: ConfigMap/${space}/more is new`,
    );
    expect(late.remedy).toContain("Submit the job file again");
    const values = wanted("bound", { block: { values: [{ name: "greeting", value: "other" }] } });
    expect((await (await applyOf(values, wanted("bound"))).run()).reason).toContain(
      `ConfigMap/${space}/bound-map differs; the values differ`,
    );
    expect(await node.kubectl(["-n", space, "get", "secret", "-l", "owner=helm,name=bound", "-o", "name"])).toBe("");
  });

  test("is refused when somebody else deployed since the plan", async () => {
    const first = await applyOf(wanted("moved"));
    await change(node, wanted("moved"));
    expect((await first.run()).reason).toBe(
      "stale_plan: the plan was made before there was a release, moved is at revision 1 now",
    );
  });

  test("of a plan with an operation nobody knows fails: it never succeeds without work", async () => {
    const contents = Buffer.from(
      Bun.gzipSync(JSON.stringify({ plan: "", op: "dance", helm_content_diff: [] })),
    ).toString("base64url");
    const outcome = await helmJob(node, { ...wanted("dance"), operation: "apply-plan", contents }).run();
    expect(outcome.reason).toContain("the saved helm plan cannot be used: op:");
  });

  test("of a plan that a Go runner made is done as its operation says, with a warning", async () => {
    const contents = Buffer.from(
      Bun.gzipSync(JSON.stringify({ plan: "", op: "install", helm_content_diff: null })),
    ).toString("base64");
    const job = helmJob(node, { ...wanted("foreign"), operation: "apply-plan", contents });
    expect((await job.run()).status).toBe("finished");
    expect(job.log()).toContain("the plan says nothing about what it was made of");
  });

  /** What a helm leaves that is killed in mid-upgrade. */
  const killedIn = async (release: string, labels: string) => {
    const { kubeconfig } = node;
    const flags = [
      "--install",
      "-n",
      space,
      "--create-namespace",
      "--wait",
      "--timeout=60s",
      "--set=image=localhost/none:1",
    ];
    const argv = [
      goProgram(helm as HelmName) ?? "helm",
      "upgrade",
      release,
      chartOf(),
      ...flags,
      ...(labels ? [`--labels=${labels}`] : []),
    ];
    const child = Bun.spawn(argv, {
      env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", KUBECONFIG: kubeconfig },
      stdio: ["ignore", "ignore", "ignore"],
    });
    const record = ["-n", space, "get", "secret", "-l", `owner=helm,name=${release}`, "-o", "name"];
    for (let n = 0; n < 200 && !(await node.kubectl(record)); n++) await Bun.sleep(50);
    child.kill("SIGKILL");
    await child.exited;
  };

  test("after a helm that was killed: waits while it may be alive, goes on when it is known to be over", async () => {
    await killedIn("stuck", `runner-execution=runother,runner-deadline=${Math.ceil(Date.now() / 1_000) + 600}`);
    const refused = await helmJob(node, wanted("stuck")).run();
    expect(refused.reason).toMatch(
      /^helm\.pending_operation: revision 1 of stuck is pending-install since .* made by execution runother$/,
    );
    expect(refused.remedy).toContain("recover_pending: true");
    const told = await change(node, wanted("stuck", { options: { recover_pending: true } }));
    expect([told.apply.status, told.apply.reason]).toEqual(["finished", ""]);
    expect(told.logs).toContain("revision 1 of stuck was pending-install: marked as failed, as the job asks");

    await killedIn("late", `runner-execution=runother,runner-deadline=${Math.ceil(Date.now() / 1_000) - 600}`);
    const late = await change(node, wanted("late"));
    expect([late.apply.status, late.apply.reason]).toEqual(["finished", ""]);
    expect(late.logs).toContain("the job that made it is over");

    // Of a helm on somebody's laptop.
    await killedIn("laptop", "");
    expect((await helmJob(node, wanted("laptop")).run()).reason).toContain("made by another helm");
  });
});
