import { describe, expect, test } from "bun:test";
import { boundsOf, identityOf, jobObject, manifestOf } from "./job-object.ts";

const written = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "of the author", labels: { team: "shop" } },
  spec: {
    template: {
      spec: { restartPolicy: "Never", containers: [{ name: "a", image: "i", env: [{ name: "X", value: "old" }] }] },
    },
  },
};
const identity = (name: string, id = "runabc", job = "jobabc") =>
  identityOf({
    job: { id: job, type: "job-deploy", operation: "apply-plan" },
    execution: { id, epoch: 2 },
    plan: { component_name: name },
  });

describe("the Job that is made", () => {
  test("has a name and labels that Kubernetes takes, whatever the job and its ids are called", () => {
    for (const name of ["My Job!", "", "ÄÖÜ", "x".repeat(300), "-a-"]) {
      for (const id of ["runabc", "RUN_with/odd:chars", `run${"9".repeat(80)}`]) {
        const one = identity(name, id, id);
        expect(one.name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
        for (const label of Object.values(one.labels))
          expect(label).toMatch(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/);
      }
    }
  });
  test("keeps what was written and adds name, labels, limits, variables and bounds", () => {
    const made = jobObject(manifestOf({ job: written }), {
      identity: identity("report"),
      namespace: "shop",
      secret: "report-runabc-2",
      env: { X: "new $(HOME)" },
      limits: { cpu: 0.5, memory_bytes: 1024 },
      deadlineSeconds: 360,
      ttlSeconds: 3600,
    });
    expect(made).toMatchObject({
      metadata: { name: "report-runabc-2", namespace: "shop", labels: { team: "shop", "runner/execution": "runabc" } },
      spec: {
        activeDeadlineSeconds: 360,
        ttlSecondsAfterFinished: 3600,
        template: {
          metadata: { labels: { "runner/job": "jobabc", "runner/epoch": "2" } },
          spec: {
            restartPolicy: "Never",
            containers: [
              {
                image: "i",
                env: [{ name: "X", value: "new $$(HOME)" }],
                envFrom: [{ secretRef: { name: "report-runabc-2" } }],
                resources: { limits: { cpu: "500m", memory: "1024" } },
              },
            ],
          },
        },
      },
    });
  });
  test("ends by itself a minute after its job's time is over, and a shorter deadline of its own counts", () => {
    expect(boundsOf({ job: written }, 300e9)).toEqual({ deadlineSeconds: 360, ttlSeconds: 3600, keep: 0 });
    // Go's longest duration, as a server may write "no limit".
    const longest = 2 ** 31 - 1;
    const all = { deadlineSeconds: longest, ttlSeconds: longest, keep: longest };
    expect(boundsOf({ job: written, keep: 2 ** 63 }, 2 ** 63)).toEqual(all);
    const short = manifestOf({ job: { ...written, spec: { ...written.spec, activeDeadlineSeconds: 5 } } });
    const made = jobObject(short, {
      identity: identity("report"),
      namespace: "shop",
      secret: null,
      env: {},
      limits: undefined,
      ...boundsOf({ job: written }, 300e9),
    });
    expect(made.spec).toMatchObject({ activeDeadlineSeconds: 5 });
  });
  test.each([
    [{ ...written, kind: "Pod" }, "kind"],
    [{ ...written, spec: {} }, "spec.template"],
    [{ ...written, spec: { template: { spec: { restartPolicy: "Always", containers: [] } } } }, "spec.template.spec"],
  ])("is refused with the key when it is no Job: case %#", (job, key) => {
    expect(() => manifestOf({ job })).toThrow(key);
  });
});
