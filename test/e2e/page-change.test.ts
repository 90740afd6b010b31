import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { until } from "../faults/lib/processes.ts";
import { type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";
import { createOperator, type Operator } from "../lib/operator.ts";
import { createRunnerPeer, type RunnerPeer } from "../lib/runner-peer.ts";

const LIMIT = 180_000;
const SECRET = "a-secret-of-the-plan";

const change = (actions: string[], before: unknown, after: unknown, more: object = {}) => ({
  actions,
  before,
  after,
  after_unknown: {},
  before_sensitive: {},
  after_sensitive: {},
  ...more,
});
const resource = (name: string, one: object) => ({
  address: `terraform_data.${name}`,
  mode: "managed",
  type: "terraform_data",
  name,
  change: one,
});
const PLAN = {
  format_version: "1.2",
  terraform_version: "1.11.4",
  variables: { password: { value: SECRET } },
  resource_changes: [
    resource("fresh", change(["create"], null, { input: "x" }, { after_unknown: { id: true } })),
    resource("grown", change(["update"], { input: "small" }, { input: "large" })),
    resource("moved", change(["delete", "create"], { input: "a" }, { input: "b" }, { replace_paths: [["input"]] })),
    resource("gone", change(["delete"], { input: "old" }, null)),
    resource("vault", change(["create"], null, { input: SECRET }, { after_sensitive: { input: true } })),
  ],
  output_changes: { answer: change(["create"], null, "42") },
};

describe.skipIf(skipWithoutBrowser)("the change page (needs chromium)", () => {
  let beds: PageBed;
  let operator: Operator;
  let peer: RunnerPeer;

  beforeAll(async () => {
    beds = await startPageBed();
    operator = createOperator({ url: beds.control.url, adminKey: beds.key });
    peer = await createRunnerPeer(beds.control.url, operator);
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  /** A change whose plan is there; it waits for a decision unless `empty`. */
  const planned = async (name: string): Promise<string> => {
    const digest = await operator.upload({ "main.tf": `# ${name}` });
    const id = await operator.submit(
      {
        type: "terraform-deploy",
        operation: "apply",
        approval: "required",
        name,
        spec: { source: { path: "./module" }, workspace: name },
      },
      { sources: { "spec.source": { digest, path: "" } } },
    );
    const doc = await operator.show(id);
    await peer.finish(doc.jobs[0]?.id ?? "", {
      steps: ["init", "plan"],
      result: {
        success: true,
        contents_compressed: Buffer.from("plan").toString("base64url"),
        contents_display_compressed: gzipSync(JSON.stringify(PLAN)).toString("base64url"),
      },
    });
    await until("it waits for approval", async () => (await operator.show(id)).status === "approval-awaiting");
    return id;
  };

  test(
    "the plan is counted by kind, narrowed to one, folded and unfolded, and hides what is sensitive",
    async () => {
      const page = await beds.signedIn(`/ui/jobs/${await planned("counted")}`);
      const tile = (name: string) => page.getByRole("button", { name });
      await tile("2 to add").waitFor();
      for (const name of ["1 to change", "1 to replace", "1 to destroy"]) expect(await tile(name).count()).toBe(1);
      const shown = () => page.locator(".plan-address").allTextContents();
      expect((await shown()).length).toBe(5);
      await tile("1 to destroy").click();
      expect(await shown()).toEqual(["terraform_data.gone"]);
      await page.locator(".diff-remove", { hasText: '"old"' }).waitFor();
      await tile("1 to destroy").click();
      expect(await page.locator(".plan-block .diff").count()).toBe(5);
      await page.locator("body").press("e");
      expect(await page.locator(".plan-block .diff").count()).toBe(0);
      await page.getByRole("button", { name: /terraform_data.grown will be updated/ }).click();
      await page.locator(".diff-change", { hasText: '"small" -> "large"' }).waitFor();
      expect(await page.locator(".plan-block .diff").count()).toBe(1);
      await page.locator(".diff-add", { hasText: "answer" }).waitFor();
      expect(await page.content()).not.toContain(SECRET);
    },
    LIMIT,
  );

  test(
    "the plan is downloaded as JSON for machines, its secrets redacted, and copied as text for people",
    async () => {
      const id = await planned("downloaded");
      const page = await beds.signedIn(`/ui/jobs/${id}`, { permissions: ["clipboard-read", "clipboard-write"] });
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page
          .getByRole("button", { name: "Download JSON the plan as JSON" })
          .or(page.getByRole("button", { name: "Download the plan as JSON" }))
          .click(),
      ]);
      expect(download.suggestedFilename()).toBe(`${id}.plan.json`);
      const text = readFileSync(await download.path(), "utf8");
      expect(text).not.toContain(SECRET);
      const doc = JSON.parse(text);
      expect(doc.resource_changes.map((one: { address: string }) => one.address).length).toBe(5);
      expect(doc.resource_changes[4].change.after).toEqual({ input: "[redacted]" });
      await page.getByRole("button", { name: "Copy text" }).click();
      await page.getByText("Copied the plan.").waitFor();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toContain(
        "terraform_data.gone will be destroyed",
      );
    },
    LIMIT,
  );

  test(
    "it is approved by key after a warning of what is destroyed; who, when and why stand there, with both jobs linked",
    async () => {
      const id = await planned("approved");
      const page = await beds.signedIn(`/ui/jobs/${id}`);
      await page.getByText(/^expires in 23 h 59 min$/).waitFor();
      await page.getByText(/asked for by admin/).waitFor();
      await page.locator("body").press("a");
      const dialog = page.getByRole("dialog");
      await dialog.getByText("This plan destroys 1 resource and replaces 1.").waitFor();
      await dialog.getByLabel("Note").fill("read it twice");
      await dialog.getByRole("button", { name: "Approve and apply" }).click();
      const stages = page.getByRole("list", { name: "Stages of this change" });
      await stages.getByText("Approved by admin").waitFor();
      await stages.getByText("“read it twice”").waitFor();
      const doc = await operator.show(id);
      expect(doc.approval).toMatchObject({ state: "approved", why: "read it twice" });
      const links = await stages.getByRole("link").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
      expect(links).toEqual(doc.jobs.map((job) => `/ui/jobs/${job.id}`));
    },
    LIMIT,
  );

  test(
    "it is rejected with a reason, by key, and can be planned again",
    async () => {
      const id = await planned("rejected");
      const page = await beds.signedIn(`/ui/jobs/${id}`);
      await page.getByRole("button", { name: "Reject" }).waitFor();
      await page.locator("body").press("r");
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Reason").fill("too much is destroyed");
      await dialog.getByRole("button", { name: "Reject", exact: true }).click();
      await page.getByText("Rejected by admin").waitFor();
      await page.getByText("“too much is destroyed”").waitFor();
      expect(await page.getByRole("button", { name: "Approve" }).count()).toBe(0);
      await page.getByRole("button", { name: "Retry" }).click();
      await dialog.getByRole("button", { name: "Retry" }).click();
      await until(
        "the page goes to the new change",
        () => /\/ui\/jobs\/chg/.test(page.url()) && !page.url().endsWith(id),
      );
    },
    LIMIT,
  );

  test(
    "a refused approval says why in the dialog: somebody else decided first",
    async () => {
      const id = await planned("raced");
      const page = await beds.signedIn(`/ui/jobs/${id}`);
      await page.getByRole("button", { name: "Approve" }).click();
      const dialog = page.getByRole("dialog");
      await operator.send("POST", `/jobs/${id}/reject`, { reason: "first" });
      await dialog.getByRole("button", { name: "Approve and apply" }).click();
      await dialog
        .getByRole("alert")
        .getByText(/approval-denied/)
        .waitFor();
      await dialog.getByRole("button", { name: "Back" }).click();
      await page.getByText("Rejected by admin").waitFor();
    },
    LIMIT,
  );

  test("the page broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
