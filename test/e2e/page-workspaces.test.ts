import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { addRunner } from "../faults/lib/control.ts";
import { until } from "../faults/lib/processes.ts";
import { changeFile, type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";

const LIMIT = 180_000;
const needsTerraform = Bun.which("terraform") === null && process.env.CI !== "true";

const MODULE = `variable "cidr" { type = string }
resource "terraform_data" "net" {
  input = var.cidr
}
module "inner" {
  source = "./inner"
}
output "password" {
  value     = "hunter2-\${var.cidr}"
  sensitive = true
}
`;
const INNER = `resource "terraform_data" "key" {
  count = 2
  input = sensitive("canary-s3cret-\${count.index}")
}
`;

describe.skipIf(skipWithoutBrowser || needsTerraform)("workspaces on the page (needs chromium, terraform)", () => {
  let beds: PageBed;
  beforeAll(async () => {
    beds = await startPageBed();
    await addRunner(beds.bed, beds.control, { name: "r1" });
    // Serial 1: one resource; serial 2: a module with secrets beside it.
    const file = changeFile(beds, "network", "true", "auto");
    writeFileSync(beds.bed.path("network", "main.tf"), MODULE.replace(/module "inner" \{[^}]+\}\n/, ""));
    await apply(file);
    await Bun.write(beds.bed.path("network", "inner", "main.tf"), INNER);
    writeFileSync(beds.bed.path("network", "main.tf"), MODULE);
    await apply(file);
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  const apply = async (file: string) => {
    const doc = await beds.control.ended(await beds.control.submit(file));
    expect([doc.status, doc.reason]).toEqual(["finished", ""]);
  };
  const known = async (name: string) => (await beds.control.workspaces()).find((one) => one.name === name);
  const dialog = (page: Page) => page.getByRole("dialog");
  const press = (page: Page, name: string) => dialog(page).getByRole("button", { name, exact: true }).click();

  test(
    "the list leads to a workspace, which says its serial, lineage and that nobody holds it",
    async () => {
      const page = await beds.signedIn("/ui/workspaces?q=NET");
      await page.getByRole("link", { name: "network" }).click();
      await page.getByRole("heading", { name: "network", level: 1 }).waitFor();
      await page.waitForURL((url) => url.href.endsWith("/ui/workspaces/network"));
      const lineage = (await known("network"))?.lineage ?? "none";
      await page.getByText(lineage, { exact: true }).waitFor();
      expect(await page.locator(".job-title .badge").textContent()).toBe("free");
    },
    LIMIT,
  );

  test(
    "resources are read as a tree and found by address; no sensitive value is in the document",
    async () => {
      const page = await beds.signedIn("/ui/workspaces/network");
      const inner = page.getByRole("region", { name: "module.inner" });
      await inner.getByText("terraform_data.key[1]").click();
      expect(await inner.locator(".redacted:visible").count()).toBeGreaterThan(0);
      await page.getByText("terraform_data.net", { exact: true }).click();
      await page.getByText("10.0.0.0/16").first().waitFor();
      expect(await page.locator("html").innerHTML()).not.toMatch(/canary-s3cret|hunter2/);
      await page.getByLabel("Search resources by address").fill("key[0]");
      await until("one resource is left", async () => (await page.locator("details.resource").count()) === 1);
      await page.waitForURL((url) => url.href.endsWith("/ui/workspaces/network?q=key%5B0%5D"));
      await page.reload();
      await page.getByText("1 resource,").waitFor();
    },
    LIMIT,
  );

  test(
    "any two versions are compared, the comparison stands in the address, and secrets are masked in it",
    async () => {
      const page = await beds.signedIn("/ui/workspaces/network");
      await page.getByRole("link", { name: "Versions" }).click();
      await page.getByRole("link", { name: "What changed in serial 2" }).click();
      const difference = page.getByRole("region", { name: "From serial 1 to serial 2" });
      await difference.getByText("2 resources added.").waitFor();
      await page.waitForURL((url) => url.href.endsWith("/ui/workspaces/network?show=versions&from=1&to=2"));
      await difference.getByText("module.inner.terraform_data.key[0]").click();
      expect(await page.locator("html").innerHTML()).not.toMatch(/canary-s3cret|hunter2/);
      await page.getByLabel("Compare serial").selectOption("2");
      await page.getByLabel("with serial").selectOption("1");
      await page.getByText("2 resources removed.").waitFor();
      await page.reload();
      await page.getByText("2 resources removed.").waitFor();
      await page.getByRole("link", { name: "Close the comparison" }).click();
      await page.getByRole("button", { name: "Compare" }).waitFor();
    },
    LIMIT,
  );

  test(
    "a version is downloaded byte for byte",
    async () => {
      const page = await beds.signedIn("/ui/workspaces/network?show=versions");
      const coming = page.waitForEvent("download");
      await page.getByRole("button", { name: "Download serial 1" }).click();
      const file = await coming;
      expect(file.suggestedFilename()).toBe("network-1.tfstate");
      const answer = await fetch(`${beds.control.url}/api/v1/workspaces/network/states/1`, {
        headers: { Authorization: `Bearer ${beds.key}` },
      });
      expect(readFileSync(await file.path(), "utf8")).toBe(await answer.text());
    },
    LIMIT,
  );

  test(
    "a restore names what will change, asks for a reason, and makes a new version of the old one",
    async () => {
      const page = await beds.signedIn("/ui/workspaces/network?show=versions");
      await page.getByRole("button", { name: "Restore serial 1" }).click();
      await dialog(page).getByText("2 resources removed.").waitFor();
      await dialog(page).getByText("removed module.inner.terraform_data.key[0]").waitFor();
      expect(await dialog(page).getByRole("button", { name: "Restore" }).isDisabled()).toBe(true);
      await dialog(page).getByLabel("Reason").fill("the module was wrong");
      await press(page, "Restore");
      await page.getByText("restored serial 1").waitFor();
      await page.getByText("the module was wrong").waitFor();
      const doc = await known("network");
      expect([doc?.serial, doc?.states]).toEqual([3, 3]);
      await page.getByRole("link", { name: "Resources" }).click();
      await page.getByText("was not made by a job").waitFor();
    },
    LIMIT,
  );

  test(
    "drift is checked on request, and its result leads to the job that found it",
    async () => {
      // The state no longer knows the module: a plan of what was applied last differs from it.
      const page = await beds.signedIn("/ui/workspaces/network");
      await page.getByRole("button", { name: "Check for drift" }).click();
      await press(page, "Check");
      await page.locator(".drift .badge", { hasText: "drifted" }).waitFor({ timeout: 60_000 });
      expect((await known("network"))?.serial).toBe(3);
      await page.getByRole("link", { name: "what differs" }).click();
      await page.locator(".job-title").waitFor();
      const list = await beds.signedIn("/ui/workspaces?is=drifted");
      await list.getByRole("link", { name: "network" }).waitFor();
    },
    LIMIT,
  );

  test(
    "a held lock is shown with its holder; it is freed by its typed name, and only by force while that is alive",
    async () => {
      const gate = beds.bed.path("lock.gate");
      const wait = `while [ ! -e '${gate}' ]; do sleep 0.05; done`;
      const change = await beds.control.submit(changeFile(beds, "held", wait, "auto"));
      const page = await beds.signedIn("/ui/workspaces?is=locked");
      await page.getByRole("row").filter({ hasText: "held" }).getByText("apply by").waitFor();
      await page.getByRole("link", { name: "held" }).click();
      const lock = page.getByRole("region", { name: "Lock" });
      const job = (await known("held"))?.lock?.job_id ?? "none";
      await lock.getByRole("link", { name: job }).waitFor();
      await lock.getByRole("button", { name: "Unlock" }).click();
      await dialog(page).getByText("two of them then write one state").waitFor();
      expect(await dialog(page).getByRole("button", { name: "Unlock", exact: true }).isDisabled()).toBe(true);
      await dialog(page).getByLabel("To go on, type").fill("hel");
      expect(await dialog(page).getByRole("button", { name: "Unlock", exact: true }).isDisabled()).toBe(true);
      await dialog(page).getByLabel("To go on, type").fill("held");
      await press(page, "Unlock");
      await dialog(page).getByRole("alert").waitFor();
      expect((await known("held"))?.lock).not.toBeNull();
      await press(page, "Unlock by force");
      await lock.getByText("Free.").waitFor();
      expect((await known("held"))?.lock).toBeNull();
      writeFileSync(gate, "");
      await beds.control.ended(change);
    },
    LIMIT,
  );

  test(
    "a workspace that is not there is named, with where to look",
    async () => {
      const page = await beds.signedIn("/ui/workspaces/nowhere");
      await page.getByRole("alert").getByText("there is no workspace nowhere").waitFor();
      await page.getByRole("heading", { name: "nowhere" }).waitFor();
      await page.goto(`${beds.control.url}/ui/workspaces?q=nowhere`);
      await page.getByRole("link", { name: "Show all workspaces" }).click();
      await page.getByRole("link", { name: "network" }).waitFor();
    },
    LIMIT,
  );

  test("the page broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
