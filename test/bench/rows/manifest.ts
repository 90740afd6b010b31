import { writeFileSync } from "node:fs";
import { beside, succeeded } from "../lib/beside.ts";
import { onKubePlane } from "../lib/kube-plane.ts";
import type { Row } from "../lib/row.ts";

const manifestOf = (name: string) => `apiVersion: v1
kind: ConfigMap
metadata: { name: ${name} }
data: { greeting: hello }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: app
          image: localhost/bb:1
          imagePullPolicy: Never
          command: [sleep, infinity]
          readinessProbe: { exec: { command: ["true"] }, periodSeconds: 1 }
`;

/** A whole change (plan job, approval by itself, apply job) that makes two objects, over kubectl by hand. */
export const manifest: Row = {
  name: "manifest",
  why: "A change is two jobs; the cluster is asked for the plan, for every object again before it is applied, and for its state while it gets ready: after 0.25 s, then in steps that grow by half up to 2 s.",
  measure: ({ binary, runs, say }) =>
    onKubePlane(binary, "manifest", async ({ node, bed, coordinator, events, runnerPid, env }) =>
      beside({
        bed,
        runs,
        say,
        runnerPid,
        name: "manifest",
        what: "manifest change that creates",
        floor: {
          what: "`kubectl apply --server-side` with `--dry-run=server` and then without, `kubectl wait`",
          env,
        },
        script: (run) => {
          const name = `bare${run + 1}`;
          writeFileSync(bed.path(`${name}.yaml`), manifestOf(name));
          const apply = `kubectl apply --server-side -f ${bed.path(`${name}.yaml`)}`;
          return `${apply} --dry-run=server\n${apply}\nkubectl wait --for=condition=Available deployment/${name} --timeout=60s`;
        },
        ours: async (run) => succeeded(events, await coordinator.operator.submit(change(`ours${run + 1}`))),
        after: async (run) => {
          const names = [`bare${run + 1}`, `ours${run + 1}`];
          await node.kubectl(["delete", "deployment", ...names]);
          await node.kubectl(["delete", "configmap", ...names]);
          await node.kubectl(["wait", "pod", "--all", "--for=delete", "--timeout=60s"]);
        },
        how: "from sending the POST that submits the change (a ConfigMap and a Deployment with a readiness probe, new; approval auto; one without a probe is watched 1.2 s longer, on purpose) until its `finished` is read from the live event stream: both are ready.",
      }),
    ),
};

const change = (name: string) => ({
  type: "kubernetes-manifest-deploy",
  operation: "apply",
  name: "bench",
  spec: { manifest: manifestOf(name) },
});
