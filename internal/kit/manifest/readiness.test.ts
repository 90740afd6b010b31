import { describe, expect, test } from "bun:test";
import { inWaves, waveOf } from "./order.ts";
import { readinessOf } from "./readiness.ts";

const one = (apiVersion: string, kind: string, rest: Record<string, unknown>) =>
  readinessOf({ apiVersion, kind, ...rest });
const said = ({ state, why }: ReturnType<typeof readinessOf>) => (why === "" ? state : `${state}: ${why}`);
const conditions = (...list: [string, string, string?, string?][]) =>
  list.map(([type, status, reason = "", message = ""]) => ({ type, status, reason, message }));

const deployment = (status: Record<string, unknown>, spec: Record<string, unknown> = { replicas: 2 }, generation = 1) =>
  one("apps/v1", "Deployment", { metadata: { generation }, spec, status });

describe("whether an object is ready is told by what its controller says", () => {
  const ready = { observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
  test.each([
    ["a Deployment", deployment(ready), "ready"],
    ["a Deployment that nobody has seen", deployment({}), "waiting: its controller has not seen it yet"],
    ["a changed one", deployment(ready, { replicas: 2 }, 2), "waiting: its controller has not seen the change yet"],
    ["one on its way", deployment({ ...ready, availableReplicas: 1 }), "waiting: 1 of 2 available"],
    ["one with old pods", deployment({ ...ready, replicas: 3 }), "waiting: 1 of the version before still run"],
    ["a paused one", deployment({ ...ready, availableReplicas: 0 }, { replicas: 2, paused: true }), "ready"],
    [
      "one past its deadline",
      deployment({
        ...ready,
        conditions: conditions(["Progressing", "False", "ProgressDeadlineExceeded", "too slow"]),
      }),
      "failed: ProgressDeadlineExceeded: too slow",
    ],
    [
      "one whose pods are refused",
      deployment({
        observedGeneration: 1,
        conditions: conditions(["ReplicaFailure", "True", "FailedCreate", "exceeded quota"]),
      }),
      "waiting: 0 of 2 updated: FailedCreate: exceeded quota",
    ],
    [
      "a StatefulSet between two revisions",
      one("apps/v1", "StatefulSet", {
        spec: { replicas: 2 },
        status: {
          observedGeneration: 1,
          readyReplicas: 2,
          updatedReplicas: 1,
          currentRevision: "a",
          updateRevision: "b",
        },
      }),
      "waiting: 1 of 2 updated",
    ],
    [
      "a StatefulSet that is updated up to its partition",
      one("apps/v1", "StatefulSet", {
        spec: { replicas: 3, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } },
        status: {
          observedGeneration: 1,
          readyReplicas: 3,
          updatedReplicas: 1,
          currentRevision: "a",
          updateRevision: "b",
        },
      }),
      "ready",
    ],
    [
      "a DaemonSet",
      one("apps/v1", "DaemonSet", {
        status: { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 2 },
      }),
      "waiting: 2 of 3 available",
    ],
    ["a Job under way", one("batch/v1", "Job", { status: { active: 1 } }), "waiting: it has not completed yet"],
    ["a Job", one("batch/v1", "Job", { status: { conditions: conditions(["Complete", "True"]) } }), "ready"],
    [
      "a Job that has failed",
      one("batch/v1", "Job", { status: { conditions: conditions(["Failed", "True", "DeadlineExceeded", "late"]) } }),
      "failed: DeadlineExceeded: late",
    ],
    ["a suspended Job", one("batch/v1", "Job", { spec: { suspend: true } }), "ready"],
    ["a claim", one("v1", "PersistentVolumeClaim", { status: { phase: "Pending" } }), "waiting: it is Pending"],
    ["a lost claim", one("v1", "PersistentVolumeClaim", { status: { phase: "Lost" } }), "failed: its volume is lost"],
    ["a Pod that has succeeded", one("v1", "Pod", { status: { phase: "Succeeded" } }), "ready"],
    [
      "a load balancer",
      one("v1", "Service", { spec: { type: "LoadBalancer" }, status: { loadBalancer: {} } }),
      "waiting: it has no address yet",
    ],
    ["a Service", one("v1", "Service", { spec: { type: "ClusterIP" }, status: { loadBalancer: {} } }), "ready"],
    [
      "a definition",
      one("apiextensions.k8s.io/v1", "CustomResourceDefinition", { status: {} }),
      "waiting: it is not established yet",
    ],
    ["what says nothing", one("example.test/v1", "Thing", {}), "ready"],
    ["what has a status of its own form", one("example.test/v1", "Thing", { status: "odd", spec: [1] }), "ready"],
    [
      "what says Ready by convention",
      one("example.test/v1", "Thing", { status: { conditions: conditions(["Ready", "False", "Syncing", "soon"]) } }),
      "waiting: Syncing: soon",
    ],
    [
      "what is stalled",
      one("example.test/v1", "Thing", { status: { conditions: conditions(["Stalled", "True", "BadSpec", "no"]) } }),
      "failed: BadSpec: no",
    ],
    [
      "a Deployment of another group",
      one("example.test/v1", "Deployment", { spec: { replicas: 2 }, status: {} }),
      "ready",
    ],
  ])("%s", (_name, readiness, expected) => {
    expect(said(readiness)).toBe(expected);
  });
});

describe("the order of an apply", () => {
  const kinds = (names: readonly string[]) =>
    inWaves(
      names.map((name) => {
        const [apiVersion = "", kind = ""] = name.split(" ");
        return { apiVersion, kind };
      }),
      (each) => each,
    ).map((wave) => wave.map(({ kind }) => kind));

  test("what others need comes first, what watches others last, the rest in between and in its own order", () => {
    const given = [
      "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration",
      "apps/v1 Deployment",
      "example.test/v1 Widget",
      "rbac.authorization.k8s.io/v1 RoleBinding",
      "v1 Secret",
      "v1 Namespace",
      "apiextensions.k8s.io/v1 CustomResourceDefinition",
      "v1 Service",
    ];
    expect(kinds(given)).toEqual([
      ["CustomResourceDefinition"],
      ["Namespace"],
      ["Secret"],
      ["RoleBinding"],
      ["Deployment", "Widget", "Service"],
      ["ValidatingWebhookConfiguration"],
    ]);
  });

  test("a custom kind with a built-in name is a custom kind", () => {
    expect(waveOf({ apiVersion: "example.test/v1", kind: "Secret" })).toBe(
      waveOf({ apiVersion: "apps/v1", kind: "Deployment" }),
    );
  });
});
