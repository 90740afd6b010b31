import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import {
  inCluster,
  isNotFound,
  KubeError,
  type KubeTarget,
  kubeClient,
  kubeconfigText,
  kubeObject,
  objectPath,
  readKubeconfig,
  resourceFinder,
} from "../../internal/kit/kube/index.ts";
import { type KubeNode, nodeMissing, startNode } from "../bed/node/node.ts";

const missing = nodeMissing();
const skip = missing !== null && process.env.CI !== "true";
const forever = new AbortController().signal;

describe.skipIf(skip)("a client of a real cluster", () => {
  let node: KubeNode;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "runner-kube-"));
    node = await startNode();
  }, 120_000);
  afterAll(async () => {
    await node?.end();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  const target = (text: string): KubeTarget => {
    const read = readKubeconfig(text, { folder: null, spawn: null });
    if (!read.ok) throw read.error;
    return read.value;
  };
  const admin = () => kubeClient(target(node.configFor("admin")));

  test("proves itself by certificate, by token, and as a pod's service account", async () => {
    const version = z.looseObject({ gitVersion: z.string() });
    const certificate = target(await Bun.file(node.kubeconfig).text());
    expect(certificate.credential.kind).toBe("certificate");
    const token = await node.kubectl(["create", "token", "default"]);
    const account = join(folder, "serviceaccount");
    mkdirSync(account);
    writeFileSync(join(account, "token"), `${token}\n`);
    writeFileSync(join(account, "ca.crt"), await Bun.file(node.caFile).text());
    writeFileSync(join(account, "namespace"), "default");
    const { hostname, port } = new URL(node.server);
    const pod = inCluster({ KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }, account);
    if (pod === null) throw new Error("not taken for a pod");
    for (const one of [certificate, target(node.configFor("admin")), pod]) {
      const answer = await kubeClient(one).request({ method: "GET", path: "/version" }, version);
      expect(answer.ok && answer.value.gitVersion).toBe("v1.34.1");
    }
  });

  test("gets a token from a credential plug-in once, not once a request", async () => {
    const config = JSON.parse(node.configFor("admin")) as { users: { user: unknown }[] };
    config.users = [
      {
        name: "u",
        user: {
          exec: {
            apiVersion: "client.authentication.k8s.io/v1",
            command: "mint",
            args: ["--x"],
            env: [{ name: "A", value: "1" }],
          },
        },
      } as never,
    ];
    const calls: unknown[] = [];
    const read = readKubeconfig(JSON.stringify(config), {
      folder: null,
      spawn: async (argv, env) => {
        calls.push([argv, env.A, JSON.parse(env.KUBERNETES_EXEC_INFO ?? "null").kind]);
        return JSON.stringify({
          apiVersion: "client.authentication.k8s.io/v1",
          kind: "ExecCredential",
          status: { token: "admintoken" },
        });
      },
    });
    if (!read.ok) throw read.error;
    const client = kubeClient(read.value);
    for (let n = 0; n < 3; n++) {
      expect((await client.request({ method: "GET", path: "/api/v1/namespaces/default" }, kubeObject)).ok).toBe(true);
    }
    expect(calls).toEqual([[["mint", "--x"], "1", "ExecCredential"]]);
  });

  test("finds how kinds are addressed, applies, tells a conflict by field and owner, and what is not there", async () => {
    const client = admin();
    const finder = resourceFinder(client, forever);
    const found = await finder.find("v1", "ConfigMap");
    if (!found.ok || found.value === null) throw new Error("no ConfigMap");
    expect([found.value.name, found.value.namespaced]).toEqual(["configmaps", true]);
    expect(await finder.find("example.test/v1", "Nothing")).toEqual({ ok: true, value: null });
    const path = objectPath(found.value, "default", "c");
    expect(path).toBe("/api/v1/namespaces/default/configmaps/c");
    const apply = (manager: string, a: string) =>
      client.request(
        {
          method: "PATCH",
          path,
          query: { fieldManager: manager, force: "false" },
          type: "application/apply-patch+yaml",
          body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: { a } },
        },
        kubeObject,
      );
    const gone = await client.request({ method: "GET", path }, kubeObject);
    expect(!gone.ok && isNotFound(gone.error)).toBe(true);
    expect((await apply("one", "1")).ok).toBe(true);
    const conflict = await apply("two", "2");
    if (conflict.ok) throw new Error("no conflict");
    expect([conflict.error.status, conflict.error.reason]).toEqual([409, "Conflict"]);
    expect(conflict.error.causes).toEqual([
      { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.a" },
    ]);
  });

  test("says in words what a real role refuses, and how to allow it", async () => {
    const client = kubeClient(target(node.configFor("limited")));
    const answer = await client.request({ method: "GET", path: "/api/v1/namespaces/default/secrets" }, kubeObject);
    if (answer.ok) throw new Error("allowed");
    expect(answer.error).toBeInstanceOf(KubeError);
    expect(answer.error.reason).toBe("Forbidden");
    expect(answer.error.message).toContain('User "limited" cannot list resource "secrets"');
    expect(answer.error.remedy).toContain("RoleBinding");
  });

  test("follows a watch as it happens and ends it when told to", async () => {
    const client = admin();
    const stop = new AbortController();
    const seen: string[] = [];
    const event = z.looseObject({ type: z.string(), object: kubeObject });
    const watching = (async () => {
      const query = { watch: "1", fieldSelector: "metadata.name=w" };
      for await (const line of client.lines("/api/v1/namespaces/default/configmaps", query, stop.signal)) {
        seen.push(event.parse(JSON.parse(line)).type);
        if (seen.length === 2) stop.abort();
      }
    })();
    await node.kubectl(["create", "configmap", "w", "--from-literal=a=1"]);
    await node.kubectl(["delete", "configmap", "w"]);
    await watching;
    expect(seen).toEqual(["ADDED", "DELETED"]);
  });

  test("writes a kubeconfig with which kubectl works", async () => {
    const { credential } = target(node.configFor("admin"));
    if (credential.kind !== "token") throw new Error("no token");
    const token = join(folder, "token");
    writeFileSync(token, await credential.token());
    const file = join(folder, "kubeconfig");
    writeFileSync(file, kubeconfigText(target(node.configFor("admin")), token), { mode: 0o600 });
    const asked = Bun.spawnSync([
      "kubectl",
      "--kubeconfig",
      file,
      "auth",
      "whoami",
      "-o",
      "jsonpath={.status.userInfo.username}",
    ]);
    expect(asked.stdout.toString()).toBe("admin2");
  });
});

describe("a kubeconfig that cannot be used is refused with the key and without its secrets", () => {
  const config = (over: Record<string, unknown>) =>
    JSON.stringify({
      clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
      users: [{ name: "u", user: { token: "canary-token" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
      ...over,
    });
  const reason = (text: string) => {
    const read = readKubeconfig(text, { folder: null, spawn: null });
    return read.ok ? "" : read.error.message;
  };
  test.each([
    ["{", "it is not YAML"],
    ["just text", "not a kubeconfig"],
    [config({ "current-context": "" }), "current-context is missing"],
    [config({ "current-context": "y" }), "it has no context y"],
    [config({ clusters: [] }), "names the cluster c, which it has not"],
    [config({ users: [] }), "names the user u, which it has not"],
    [config({ clusters: [{ name: "c", cluster: { server: 1 } }] }), "clusters.0.cluster.server"],
    [config({ users: [{ name: "u", user: { tokenFile: "/etc/shadow" } }] }), "tokenFile names a file"],
    [config({ users: [{ name: "u", user: { exec: { command: "sh" } } }] }), "running sh is not allowed here"],
  ])("case %#", (text, part) => {
    expect(reason(text)).toContain(part === "not a kubeconfig" ? "cannot be used" : part);
    expect(reason(text)).not.toContain("canary");
  });
});
