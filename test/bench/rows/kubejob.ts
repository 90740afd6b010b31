import { writeFileSync } from "node:fs";
import { beside, succeeded } from "../lib/beside.ts";
import { onKubePlane } from "../lib/kube-plane.ts";
import type { Row } from "../lib/row.ts";

const IMAGE = "localhost/bb:1";
const COMMAND = ["sh", "-c", "echo hello"];
const JOB = { type: "job-deploy", name: "bench", spec: { image: IMAGE, pull_policy: "Never", command: COMMAND } };

const bareJob = (name: string) =>
  JSON.stringify({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          containers: [{ name: "main", image: IMAGE, imagePullPolicy: "Never", command: COMMAND }],
        },
      },
    },
  });

/** A Kubernetes Job to its end, over kubectl by hand. */
export const kubejob: Row = {
  name: "kubejob",
  why: "The Job is made, its pod watched for why it does not start, its log followed and its verdict read; the report waits for all of the log.",
  measure: ({ binary, runs, say }) =>
    onKubePlane(binary, "kubejob", async ({ node, bed, coordinator, events, runnerPid, env }) => {
      let last = "";
      return await beside({
        bed,
        runs,
        say,
        runnerPid,
        name: "kubejob",
        what: "Kubernetes Job, queued → reported",
        floor: { what: "`kubectl create`, `wait --for=condition=Complete`, `logs` of the same Job", env },
        script: (run) => {
          const name = `bare${run + 1}`;
          writeFileSync(bed.path(`${name}.json`), bareJob(name));
          return [
            `kubectl create -f ${bed.path(`${name}.json`)}`,
            `kubectl wait --for=condition=Complete job/${name} --timeout=60s`,
            `kubectl logs job/${name}`,
          ].join("\n");
        },
        ours: async () => {
          last = await coordinator.operator.submit(JOB);
          await succeeded(events, last);
        },
        after: async (run) => {
          await events.of(last, "cleanup");
          await node.kubectl(["delete", "job", `bare${run + 1}`]);
          await node.kubectl(["wait", "pod", "--all", "--for=delete", "--timeout=60s"]);
        },
        how: "from sending the POST that submits it (the image is on the node) until `finished` is read from the live event stream.",
      });
    }),
};
