import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { goProgram } from "../../bed/go-program.ts";
import { type Bed, freePort, makeBed, until } from "../../faults/lib/processes.ts";
import { type ClusterBed, outsideOf, SMALL, skip, startClusterBed } from "../helm/bed.ts";
import { OLD, valuesOfNuon } from "../helm/nuon.ts";
import { makeCommands, runPage } from "./page-shell.ts";

setDefaultTimeout(180_000);
const BUNDLE = join(import.meta.dir, "../../../bundle");
const PAGE = "docs/install-kubernetes.md";
/** As a person copies them out of what `runners create` and `rotate` print. */
const ID = `$(sed 's/.*"id":"\\([^"]*\\)".*/\\1/' made)`;
const TOKEN = `$(sed 's/.*"token":"\\([^"]*\\)".*/\\1/' made)`;

describe.skipIf(skip)(PAGE, () => {
  let cluster: ClusterBed;
  let bed: Bed;
  beforeAll(async () => {
    bed = makeBed();
    makeCommands(bed);
    symlinkSync(goProgram("helm4") ?? "helm", bed.path("commands/helm"));
    cluster = await startClusterBed();
    // Nobody provisions volumes here.
    await cluster.volume("runner", "coordinator");
    await cluster.volume("runner", "state-runner-0");
  });
  afterAll(async () => {
    await cluster?.end();
    await bed?.end();
  });

  test("its commands do what it says: install, more runners, rotate, from Nuon's chart, uninstall", async () => {
    const port = freePort();
    const { kubeconfig, gateway, kubectl } = cluster.node;
    const env = { KUBECONFIG: kubeconfig };
    const image = "--set image.repository=registry.example.com/team/runner";
    await runPage({ bed, page: PAGE, suite: "cluster", env }, async (shell) => {
      symlinkSync(BUNDLE, shell.path("bundle"));
      // There is no proxy for Services on this node: the coordinator is on the node's own network.
      const tls = { extraNames: [gateway] };
      const coordinator = { ...SMALL, port, hostNetwork: true, tls, data: { storageClass: "" }, stopDelay: "1s" };
      shell.write("coordinator.json", JSON.stringify(coordinator));
      shell.write("runner.json", JSON.stringify({ ...SMALL, state: { storageClass: "" } }));

      await shell.next({ [image]: "-f coordinator.json" });
      await shell.next({
        "create eu-1 --json": "create eu-1 --json > made",
        "token=…": `token="${TOKEN}"`,
        "runnerId=run…": `runnerId="${ID}"`,
        [image]: "-f runner.json",
        "https://coordinator.runner.svc": `https://${gateway}:${port}`,
      });
      const outside = await outsideOf(cluster.node, "runner", "coordinator", `https://127.0.0.1:${port}`);
      const { id } = await outside.runner("eu-1");
      expect((await outside.runner("eu-1")).contact).toBe("online");

      // The charts' own suite runs two of them; here the cluster says that it would take them.
      const two = await shell.next({
        "run…": id,
        "api-token: …": "api-token: secret",
        "helm upgrade …":
          "helm upgrade runner bundle/helm/runner -n runner --reuse-values --dry-run=server --set runnerId= --set token.existingSecret=",
      });
      expect(two).toContain("replicas: 2");

      await shell.next({ "run… --json": `${id} --json > made`, "token=…": `token="${TOKEN}"` });
      await until(
        "it is back with the new token",
        async () => (await outside.runner("eu-1")).contact === "online",
        60_000,
      );

      await cluster.namespace("nuon");
      mkdirSync(shell.path("old/templates"), { recursive: true });
      shell.write("old/Chart.yaml", "apiVersion: v2\nname: runner\nversion: 1.0.0\n");
      shell.write("old/templates/all.yaml", OLD);
      const theirs = valuesOfNuon({ id: "run1", token: "t", url: `https://${gateway}:${port}`, name: "nuon" });
      shell.write("their-values.yaml", JSON.stringify({ ...theirs, node_pool: { enabled: false } }));
      Bun.spawnSync([goProgram("helm4") ?? "helm", "install", "nuon", "old", "-n", "nuon", "-f", "their-values.yaml"], {
        cwd: shell.folder,
        env: { ...env, HOME: bed.root, PATH: process.env.PATH ?? "" },
      });
      await shell.next({ NAMESPACE: "nuon", RELEASE: "nuon" });
      expect(await kubectl(["get", "statefulset,deployment", "-n", "nuon", "-o", "name"])).toMatch(
        /^statefulset\S+\n$/,
      );

      await shell.next();
      const left = await kubectl(["get", "statefulset,deployment,pvc", "-n", "runner", "-o", "name"]);
      expect(left.trim().split("\n").sort()).toEqual([
        "persistentvolumeclaim/coordinator",
        "persistentvolumeclaim/state-runner-0",
      ]);
    });
  });
});
