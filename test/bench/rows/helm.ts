import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { beside, succeeded } from "../lib/beside.ts";
import { onKubePlane } from "../lib/kube-plane.ts";
import type { Row } from "../lib/row.ts";

const CHART = {
  "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
  "values.yaml": "greeting: hello\n",
  "templates/map.yaml": `apiVersion: v1
kind: ConfigMap
metadata: { name: "{{ .Release.Name }}" }
data: { greeting: {{ .Values.greeting | quote }} }
`,
  "templates/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: { name: "{{ .Release.Name }}" }
spec:
  selector: { matchLabels: { app: "{{ .Release.Name }}" } }
  template:
    metadata: { labels: { app: "{{ .Release.Name }}" } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - { name: app, image: "localhost/bb:1", imagePullPolicy: Never, command: [sleep, infinity] }
`,
};

/** A whole change (plan job, approval by itself, apply job) that installs a release, over helm by hand. */
export const helm: Row = {
  name: "helm",
  why: "Helm is started three times where two are the work: the apply job renders again (0.2 s) to see that what was approved is what it installs. The rest is two jobs in place of none: workspace, chart and cluster access of each. Helm waits in steps of 2 s, so a pod that is late by little costs 2 s.",
  measure: ({ binary, runs, say }) =>
    onKubePlane(binary, "helm", async ({ node, bed, coordinator, events, runnerPid, env }) => {
      for (const [name, text] of Object.entries(CHART)) {
        mkdirSync(dirname(bed.path("chart", name)), { recursive: true });
        writeFileSync(bed.path("chart", name), text);
      }
      const digest = await coordinator.operator.upload(CHART);
      const script = (run: number) => {
        const upgrade = `helm upgrade --install --wait bare${run + 1} ${bed.path("chart")}`;
        return `${upgrade} --dry-run=server\n${upgrade}`;
      };
      return await beside({
        bed,
        runs,
        say,
        runnerPid,
        name: "helm",
        what: "helm change that installs",
        floor: { what: "`helm upgrade --install --wait`, with `--dry-run=server` and then without", env },
        script,
        ours: async (run) => {
          const id = await coordinator.operator.submit(change(`ours${run + 1}`), {
            sources: { "spec.source": { digest, path: "" } },
          });
          await succeeded(events, id);
        },
        after: async (run) => {
          const gone = bed.spawn(["helm", "uninstall", "--wait", `bare${run + 1}`, `ours${run + 1}`], env);
          if ((await gone.exited) !== 0) throw new Error(gone.output());
          await node.kubectl(["wait", "pod", "--all", "--for=delete", "--timeout=60s"]);
        },
        how: "from sending the POST that submits the change (helm 3; a chart of a Deployment and a ConfigMap, uploaded before; approval auto; a new release) until its `finished` is read from the live event stream.",
      });
    }),
};

const change = (release: string) => ({
  type: "helm-chart-deploy",
  operation: "apply",
  name: "bench",
  spec: { source: { path: "./chart" }, release },
});
