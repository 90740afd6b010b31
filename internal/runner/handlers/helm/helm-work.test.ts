import { describe, expect, test } from "bun:test";
import { type DeployPlan, deployPlan } from "../../../protocol/nuon/plans.ts";
import { helmWork } from "./helm-work.ts";

const planOf = (name: string): DeployPlan => deployPlan.parse({ helm: { name }, src_oci_registry: {}, src_tag: "1" });

describe("the name of a release", () => {
  test.each(["web", "web-1.eu", "0", "a".repeat(53)])("%s is taken", (name) => {
    expect(helmWork(planOf(name), "create-teardown-plan").release).toBe(name);
  });

  test.each([
    "--post-renderer=/bin/sh",
    "-fvalues",
    "web,owner=other",
    "Web",
    "web\n",
    "web-",
    "../web",
    "a".repeat(54),
  ])("%j is refused before helm is started with it", (name) => {
    expect(() => helmWork(planOf(name), "create-teardown-plan")).toThrow("is no name of a release");
  });
});
