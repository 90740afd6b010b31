import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { type Bed, makeBed } from "../faults/lib/processes.ts";
import { makePki } from "../lib/pki.ts";

/**
 * The SDKs of the clouds are loaded on use, from chunks of the compiled program: a bundler once gave one of their imports
 * a name that was taken, and only the binary showed it. No cloud is asked: what answers is that nothing listens.
 */
let bed: Bed;
let ca: string;
beforeAll(() => {
  bed = makeBed();
  ca = readFileSync(makePki(bed.root).ca, "utf8");
});
afterAll(() => bed.end());

const NOWHERE = "https://127.0.0.1:1";
const google = () =>
  JSON.stringify({
    type: "service_account",
    project_id: "p",
    private_key_id: "1",
    private_key: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
      type: "pkcs8",
      format: "pem",
    }),
    client_email: "a@p.iam",
    client_id: "1",
    token_uri: "http://127.0.0.1:1/token",
  });
const AWS = { AWS_ACCESS_KEY_ID: "AK", AWS_SECRET_ACCESS_KEY: "x", AWS_ENDPOINT_URL_STS: "http://127.0.0.1:1" };
const AZURE = { AZURE_TENANT_ID: "t", AZURE_CLIENT_ID: "c", AZURE_CLIENT_SECRET: "s" };
const eks = { name: "c", endpoint: NOWHERE, region: "eu-central-1" };

const CASES: readonly (readonly [string, (ca: string) => object, Record<string, string>, RegExp])[] = [
  [
    "EKS with keys of the job",
    (ca) => ({ eks: { ...eks, ca, keys: { access_key_id: "AK", secret_access_key: { env: "SECRET" } } } }),
    { SECRET: "s" },
    /nothing listens there/,
  ],
  ["EKS with keys of the machine", (ca) => ({ eks: { ...eks, ca } }), AWS, /nothing listens there/],
  [
    "EKS with a role",
    (ca) => ({ eks: { ...eks, ca, role_arn: "arn:aws:iam::1:role/x" } }),
    { ...AWS, AWS_MAX_ATTEMPTS: "1" },
    /the role arn:aws:iam::1:role\/x cannot be assumed/,
  ],
  ["GKE", (ca) => ({ gke: { endpoint: NOWHERE, ca, credentials: { env: "SECRET" } } }), {}, /no Google credentials/],
  ["AKS", (ca) => ({ aks: { endpoint: NOWHERE, ca } }), AZURE, /no Azure credentials: EnvironmentCredential/],
];

describe("the program loads the SDK of a cloud when a job needs it:", () => {
  test.each(CASES)(
    "%s",
    async (name, cluster, env, reason) => {
      const file = bed.path(`${name.replaceAll(" ", "-")}.yaml`);
      const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n";
      const spec = { cluster: cluster(ca), namespace: "x", manifest };
      writeFileSync(file, JSON.stringify({ type: "kubernetes-manifest-deploy", operation: "plan", name: "sdk", spec }));
      const given = name === "GKE" ? { SECRET: google() } : {};
      const { code, stdout } = await bed.run(["run-local", file, "--json"], { ...env, ...given });
      expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}").reason).toMatch(reason);
      expect(code).toBe(1);
    },
    120_000,
  );
});
