import { describe, expect, test } from "bun:test";
import { fits, parseIdentity } from "./runner-identity.ts";

const TENANT = "11111111-2222-3333-4444-555555555555";
const OBJECT = "66666666-7777-8888-9999-000000000000";
const VM = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Compute/virtualMachines/vm1";

describe("an identity is read as it is meant", () => {
  for (const [text, want] of [
    [
      "aws:arn:aws:iam::123456789012:role/runner",
      { cloud: "aws", partition: "aws", account: "123456789012", kind: "role", name: "runner", session: null },
    ],
    ["aws:arn:aws-cn:iam::123456789012:role/team/eu/runner", { partition: "aws-cn", name: "runner", session: null }],
    ["aws:arn:aws:iam::123456789012:role/runner-*", { name: "runner-*" }],
    ["aws:arn:aws:sts::123456789012:assumed-role/runner/i-0abc", { kind: "role", name: "runner", session: "i-0abc" }],
    ["aws:arn:aws:iam::123456789012:user/ci/deploy", { kind: "user", name: "ci/deploy" }],
    [
      "gcp:runner@acme.iam.gserviceaccount.com,project=acme,instance=42",
      {
        cloud: "gcp",
        audience: null,
        claims: [
          { name: "email", value: "runner@acme.iam.gserviceaccount.com" },
          { name: "email_verified", value: "true" },
          { name: "google.compute_engine.project_id", value: "acme" },
          { name: "google.compute_engine.instance_id", value: "42" },
        ],
      },
    ],
    [
      `azure:${TENANT},object=${OBJECT},audience=api://runner`,
      {
        audience: "api://runner",
        claims: [
          { name: "tid", value: TENANT, folded: true },
          { name: "oid", value: OBJECT, folded: true },
        ],
      },
    ],
    [
      `azure:${TENANT},resource=${VM}`,
      {
        claims: [
          { name: "tid", value: TENANT, folded: true },
          { name: "xms_mirid", value: VM, folded: true },
        ],
      },
    ],
    [
      "oidc:https://token.example.com,sub=repo:acme/infra:*,ref=refs/heads/main",
      {
        issuers: [{ issuer: "https://token.example.com", keys: null }],
        claims: [
          { name: "sub", value: "repo:acme/infra:*" },
          { name: "ref", value: "refs/heads/main" },
        ],
      },
    ],
  ] as const) {
    test(text, () => {
      const parsed = parseIdentity(text);
      expect(parsed.ok ? parsed.value : parsed.error).toMatchObject(want);
    });
  }
});

describe("an identity that would trust more than it says is refused", () => {
  for (const [text, why] of [
    ["", "it begins with"],
    ["aws", "it begins with"],
    ["ldap:cn=runner", "it begins with"],
    ["aws:*", "the ARN"],
    ["aws:arn:aws:iam::*:role/runner", "the ARN"],
    ["aws:arn:aws:iam::12345678901:role/runner", "the ARN"],
    ["aws:arn:aws:iam::123456789012:root", "the ARN"],
    ["aws:arn:aws:iam::123456789012:group/admins", "the ARN"],
    ["aws:arn:aws:iam::123456789012:role/*", "the ARN"],
    ["aws:arn:aws:iam::123456789012:role/runner*", "a * stands at the end"],
    ["aws:arn:aws:iam::123456789012:role/a-*-b", "the ARN"],
    ["aws:arn:aws:iam::123456789012:role/team-*/runner", "a path of a role holds no *"],
    ["aws:arn:aws:iam::123456789012:role/", "the ARN"],
    ["aws:arn:aws:iam::123456789012:role/run?er", "the ARN"],
    ["aws:arn:aws:iam::123456789012:user/ci/*", "the ARN"],
    ["aws:arn:aws:iam::123456789012:user/ci-*", "a user holds no *"],
    ["aws:arn:aws:iam::123456789012:assumed-role/runner/i-1", "the ARN"],
    ["aws:arn:aws:sts::123456789012:assumed-role/runner", "the ARN"],
    ["aws:arn:aws:sts::123456789012:assumed-role/runner/*", "the ARN"],
    ["aws:arn:aws:iam::123456789012:role/runner arn", "without spaces"],
    ["gcp:*@acme.iam.gserviceaccount.com", "the e-mail"],
    ["gcp:acme", "the e-mail"],
    ["gcp:a@b.c,projekt=acme", "behind a comma stands one of project, instance, zone"],
    ["gcp:a@b.c,project=acme,project=other", "project stands once"],
    ["gcp:a@b.c,project", "behind a comma stands NAME=VALUE"],
    ["azure:common,object=x", "the id of a tenant"],
    [`azure:${TENANT}`, "object=ID"],
    [`azure:${TENANT},object=*`, "object is the id"],
    [`azure:${TENANT},resource=/subscriptions/*/resourceGroups/g/providers/x`, "resource is"],
    [`azure:${TENANT},object=${OBJECT},audience=*`, "an audience holds no *"],
    ["oidc:http://token.example.com,sub=a", "the https address"],
    ["oidc:https://user:pw@token.example.com,sub=a", "the https address"],
    ["oidc:https://token.example.com?x=1,sub=a", "the https address"],
    ["oidc:https://token.example.com", "which subject"],
    ["oidc:https://token.example.com,ref=main", "which subject"],
    ["oidc:https://token.example.com,sub=*", "a * stands at the end"],
    ["oidc:https://token.example.com,sub=repo:acme/in*", "a * stands at the end"],
    ["oidc:https://token.example.com,sub=a,jwks=http://169.254.169.254/keys", "jwks is an https address"],
    [`oidc:https://token.example.com,sub=${"a".repeat(1_000)}`, "at most 1000 characters"],
  ] as const) {
    test(text.slice(0, 100), () => {
      const parsed = parseIdentity(text);
      expect(parsed.ok ? parsed.value : parsed.error).toEqual(expect.stringContaining(why));
    });
  }
});

test("a value fits whole, or up to the star", () => {
  expect(fits("web-*", "web-1")).toBe(true);
  expect(fits("web-*", "web")).toBe(false);
  expect(fits("web-*", "my-web-1")).toBe(false);
  expect(fits("web.1", "webx1")).toBe(false);
  expect(fits("web", "web-1")).toBe(false);
  expect(fits("web", "Web")).toBe(false);
});
