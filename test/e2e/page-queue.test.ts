import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { until } from "../faults/lib/processes.ts";
import { type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";
import { createOperator, type Operator } from "../lib/operator.ts";
import { createRunnerPeer, type RunnerPeer } from "../lib/runner-peer.ts";

const LIMIT = 180_000;
const script = (name: string, more: object = {}) => ({
  type: "script",
  name,
  spec: { language: "shell", code: "true" },
  ...more,
});
const action = (name: string) => ({ type: "actions-workflow", name, spec: { steps: [{ name: "a", run: "x" }] } });

describe.skipIf(skipWithoutBrowser)("the job list of the page (needs chromium)", () => {
  let beds: PageBed;
  let operator: Operator;
  let peer: RunnerPeer;
  const many = 250;

  beforeAll(async () => {
    beds = await startPageBed();
    operator = createOperator({ url: beds.control.url, adminKey: beds.key });
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  const names = (page: Page) => page.locator(".jobs a.name").allTextContents();
  const shows = (page: Page, wanted: readonly string[]) =>
    until(`the list is ${wanted.join(", ")}`, async () => (await names(page)).join() === wanted.join());
  const chip = (page: Page, label: string) =>
    page.getByRole("navigation", { name: "Filter by status" }).getByRole("link", { name: new RegExp(`^${label}`) });

  test(
    "an empty list says how to submit a first job, with the address of this coordinator",
    async () => {
      const page = await beds.signedIn();
      await page.getByText("runner job submit -f job.yaml --wait").waitFor();
      expect(await page.locator("main").textContent()).toContain(`RUNNER_COORDINATOR_URL=${beds.control.url}`);
    },
    LIMIT,
  );

  test(
    "a job that waits says what is missing and what to do, and says so anew when that changes",
    async () => {
      await operator.submit(script("needs-gpu", { requires: { gpus: 2 } }));
      await operator.submit(script("needs-site", { requires: { labels: { site: "eu-1" } } }));
      const page = await beds.signedIn();
      const why = (name: string) => page.getByRole("row").filter({ hasText: name }).locator(".reason");
      expect(await why("needs-gpu").textContent()).toContain("runner runners create NAME");
      peer = await createRunnerPeer(beds.control.url, operator);
      await until("the reason is another one", async () =>
        (await why("needs-gpu").textContent())?.includes("It asks for 2 GPUs; the most on one online runner is 0."),
      );
      expect(await why("needs-site").textContent()).toMatch(/the labels site=eu-1; peer-\S+ lacks site=eu-1/);
    },
    LIMIT,
  );

  test(
    "jobs are narrowed by status, type, group, runner and text; counts and address tell it",
    async () => {
      const done = await operator.submit(action("report-daily"));
      await peer.finish(done, {});
      const bad = await operator.submit(action("report-broken"));
      await peer.finish(bad, { status: "failed", reason: "it broke" });
      const page = await beds.signedIn();
      await shows(page, ["report-broken", "report-daily", "needs-site", "needs-gpu"]);
      expect(await chip(page, "All").textContent()).toBe("All4");
      expect(await chip(page, "Waiting").textContent()).toBe("Waiting2");
      await chip(page, "Failed").click();
      await shows(page, ["report-broken"]);
      await chip(page, "All").click();
      await page.getByLabel("Filter by type").selectOption("script");
      await shows(page, ["needs-site", "needs-gpu"]);
      expect(await chip(page, "Failed").textContent()).toBe("Failed0");
      await page.getByLabel("Filter by type").selectOption("");
      await page.getByLabel("Filter by runner").selectOption(peer.id);
      await shows(page, ["report-broken", "report-daily"]);
      await page.getByLabel("Search by name, type or id").fill("DAILY");
      await shows(page, ["report-daily"]);
      await page.waitForURL((url) => url.search === `?q=DAILY&runner=${peer.id}`);
      await page.reload();
      await shows(page, ["report-daily"]);
      await page.getByLabel("Search by name, type or id").fill("nothing is called so");
      await page.getByText("No job matches").waitFor();
      await page.getByRole("link", { name: "Show all jobs" }).click();
      await page.getByLabel("Filter by group").selectOption("actions");
      await shows(page, ["report-broken", "report-daily"]);
    },
    LIMIT,
  );

  test(
    "the list is sorted by a press on a heading, both ways",
    async () => {
      const page = await beds.signedIn();
      await shows(page, ["report-broken", "report-daily", "needs-site", "needs-gpu"]);
      await page.getByRole("link", { name: "Name", exact: true }).click();
      await shows(page, ["needs-gpu", "needs-site", "report-broken", "report-daily"]);
      expect(await page.getByRole("columnheader", { name: "Name" }).getAttribute("aria-sort")).toBe("ascending");
      await page.getByRole("link", { name: "Name", exact: true }).click();
      await shows(page, ["report-daily", "report-broken", "needs-site", "needs-gpu"]);
      await page.waitForURL((url) => url.href.endsWith("?sort=-name"));
    },
    LIMIT,
  );

  test(
    "it is worked with the keyboard: j, k and Enter, the slash, Escape and the question mark",
    async () => {
      const page = await beds.signedIn();
      await shows(page, ["report-broken", "report-daily", "needs-site", "needs-gpu"]);
      const focused = () => page.evaluate(() => document.activeElement?.textContent);
      for (const key of ["j", "j", "j", "k"]) await page.keyboard.press(key);
      expect(await focused()).toBe("report-daily");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "report-daily" }).waitFor();
      await page.goBack();
      await page.locator(".jobs a.name").first().waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("needs");
      await shows(page, ["needs-site", "needs-gpu"]);
      await page.keyboard.press("Escape");
      await shows(page, ["report-broken", "report-daily", "needs-site", "needs-gpu"]);
      await page.keyboard.press("Escape");
      await page.keyboard.press("?");
      await page.getByRole("dialog").getByText("Next job").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    },
    LIMIT,
  );

  test(
    "a long list is read page by page, forwards and back, with one page in the document",
    async () => {
      for (let n = 0; n < many; n++) {
        await operator.submit(script(`many-${n}`, { requires: { arch: "arm64" } }));
        // Jobs that were made within one millisecond have no order.
        await Bun.sleep(2);
      }
      const page = await beds.signedIn("/ui/jobs?q=many-");
      const range = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => `many-${from - i}`);
      await shows(page, range(249, 150));
      await page.getByText(`100 of ${many} jobs`).waitFor();
      await page.getByRole("link", { name: "Next" }).click();
      await shows(page, range(149, 50));
      const second = page.url();
      await page.getByRole("link", { name: "Next" }).click();
      await shows(page, range(49, 0));
      expect(await page.getByRole("link", { name: "Next" }).count()).toBe(0);
      await page.getByRole("link", { name: "Previous" }).click();
      await shows(page, range(149, 50));
      await page.getByRole("link", { name: "Previous" }).click();
      await shows(page, range(249, 150));
      await until("the first page has its own address", () => page.url().endsWith("/ui/jobs?q=many-"));
      await page.goto(second);
      await shows(page, range(149, 50));
    },
    LIMIT,
  );

  test(
    "new jobs arrive by themselves and leave the focus and the place where they are",
    async () => {
      const page = await beds.signedIn("/ui/jobs?q=many-");
      const row = page.getByRole("link", { name: "many-200", exact: true });
      await row.focus();
      await row.scrollIntoViewIfNeeded();
      const before = await row.boundingBox();
      await operator.submit(script("many-new", { requires: { arch: "arm64" } }));
      await page.getByRole("link", { name: "many-new", exact: true }).waitFor();
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("many-200");
      await until(
        "the row did not move",
        async () => Math.abs(((await row.boundingBox())?.y ?? 0) - (before?.y ?? 0)) < 2,
      );
      await operator.send("POST", `/jobs/${(await jobNamed("many-new")).id}/cancel`, {});
      await page.getByRole("row").filter({ hasText: "many-new" }).getByText("cancelled", { exact: true }).waitFor();
    },
    LIMIT,
  );

  const jobNamed = async (name: string) => {
    const found = await operator.get<{ id: string }[]>(`/jobs?q=${name}`);
    const [job] = found;
    if (!job) throw new Error(`no job ${name}`);
    return job;
  };

  test("the page broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
