import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { addRunner } from "../faults/lib/control.ts";
import { until } from "../faults/lib/processes.ts";
import { actionFile, changeFile, type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";

const LIMIT = 180_000;
const needsTerraform = Bun.which("terraform") === null && process.env.CI !== "true";

/** A script that prints `text` and then waits for the file, so that a test decides when the work ends. */
const gated = (gate: string, text: string) => `${text}\nwhile [ ! -e "${gate}" ]; do sleep 0.05; done\necho released`;

describe.skipIf(skipWithoutBrowser)("the page, every action it offers (needs chromium)", () => {
  let beds: PageBed;
  beforeAll(async () => {
    beds = await startPageBed();
    await addRunner(beds.bed, beds.control, { name: "r1" });
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  const badge = (page: Page) => page.locator(".job-title .badge");
  const statusIs = (page: Page, word: string) =>
    until(`the page says ${word}`, async () => (await badge(page).textContent()) === word);
  const confirm = (page: Page, name: string) =>
    page.getByRole("dialog").getByRole("button", { name, exact: true }).click();

  test(
    "a wrong key is refused with what to do, the right one opens the page and is kept in this tab only",
    async () => {
      const page = await beds.window();
      await page.goto(`${beds.control.url}/`);
      await page.getByLabel("Operator key").fill("wrong-key-wrong-key-wrong-key");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      await page.getByLabel("Operator key").fill(beds.key);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Jobs" }).waitFor();
      const places = await page.evaluate(() => ({
        address: location.href,
        cookie: document.cookie,
        local: JSON.stringify({ ...localStorage }),
        session: JSON.stringify({ ...sessionStorage }),
      }));
      expect(places.session).toContain(beds.key);
      expect(places.address + places.cookie + places.local).not.toContain(beds.key);
      await page.reload();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Operator key").waitFor();
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    },
    LIMIT,
  );

  test(
    "a runner is created with a token that works, comes online by itself, is drained and deleted",
    async () => {
      const page = await beds.signedIn("/ui/runners");
      await page.getByRole("button", { name: "Create runner" }).click();
      await page.getByLabel("Name").fill("not a name");
      await page.getByText("letters, digits, dot, dash and underscore").waitFor();
      await page.getByLabel("Name").fill("eu-2");
      await confirm(page, "Create");
      const id = (await page.getByTestId("runner-id").textContent()) ?? "";
      const token = (await page.getByTestId("runner-token").textContent()) ?? "";
      await page.getByRole("button", { name: "I have copied the token" }).click();
      expect(await page.content()).not.toContain(token);
      expect((await beds.control.runners()).find((one) => one.id === id)?.name).toBe("eu-2");

      const row = page.getByRole("row").filter({ hasText: "eu-2" });
      await row.getByText("never seen").waitFor();
      const runner = await addRunner(beds.bed, beds.control, { name: "eu-2", identity: { id, token } });
      await row.getByText("online").waitFor();
      expect(await row.locator("time").first().getAttribute("title")).toMatch(/\d{2}:\d{2}:\d{2}/);

      await page.getByRole("button", { name: "Drain eu-2" }).click();
      await confirm(page, "Drain");
      await row.getByText("draining").waitFor();
      expect(await runner.proc.exited).toBe(0);

      await page.getByRole("button", { name: "Delete eu-2" }).click();
      await confirm(page, "Delete");
      await row.waitFor({ state: "detached" });
      expect((await beds.control.runners()).some((one) => one.id === id)).toBe(false);
    },
    LIMIT,
  );

  test(
    "a job appears by itself, its steps, log and outputs arrive while it runs, and its log is downloaded whole",
    async () => {
      const gate = beds.bed.path("live.gate");
      const page = await beds.signedIn();
      const script = `printf '\\033[31mred words\\033[0m <img src=x onerror=alert(1)>\\n'\necho "answer=42" >> "$RUNNER_OUTPUT"`;
      const job = await beds.control.submit(actionFile(beds, "live", gated(gate, script)));
      const row = page.getByRole("row").filter({ hasText: job });
      await row.getByText("in progress").waitFor();
      await row.getByRole("link", { name: "live" }).click();
      await page.waitForURL((url) => url.href.endsWith(`/ui/jobs/${job}`));

      await page.locator(".row .fg-1", { hasText: "red words" }).waitFor();
      await page.locator(".row", { hasText: "<img src=x onerror=alert(1)>" }).waitFor();
      expect(await page.locator("main img").count()).toBe(0);
      const step = page.locator(".step", { hasText: "work" });
      await step.getByText("running").waitFor();
      const before = await step.locator(".step-time").textContent();
      await until(
        "the time of the step goes on",
        async () => (await step.locator(".step-time").textContent()) !== before,
      );

      writeFileSync(gate, "");
      await statusIs(page, "finished");
      await step.getByText("done").waitFor();
      await page.locator(".row", { hasText: "released" }).waitFor();
      const output = page.locator(".outputs tr").filter({ has: page.getByRole("rowheader", { name: "answer" }) });
      expect(await output.locator("pre").textContent()).toBe("42");
      for (const what of ["queued", "in progress", "finished"]) {
        await page.locator(".timeline .what", { hasText: what }).first().waitFor();
      }

      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download" }).click(),
      ]);
      expect(download.suggestedFilename()).toBe(`${job}.log`);
      expect(await Bun.file(await download.path()).text()).toBe(await beds.control.log(job));
    },
    LIMIT,
  );

  test(
    "a running job is cancelled with a reason and tried again as a new one",
    async () => {
      const gate = beds.bed.path("stop.gate");
      const job = await beds.control.submit(actionFile(beds, "stop", gated(gate, "echo begin")));
      const page = await beds.signedIn(`/ui/jobs/${job}`);
      await page.locator(".row", { hasText: "begin" }).waitFor();
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      expect((await beds.control.show(job)).status).toBe("in-progress");

      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByLabel("Reason").fill("wrong <b>cluster</b>");
      await confirm(page, "Cancel the job");
      await statusIs(page, "cancelled");
      const doc = await beds.control.ended(job);
      expect(doc.status).toBe("cancelled");
      expect(doc.events.some((event) => event.why.includes("wrong <b>cluster</b>"))).toBe(true);

      writeFileSync(gate, "");
      await page.getByRole("button", { name: "Retry" }).click();
      await confirm(page, "Retry");
      await page.waitForURL((url) => !url.pathname.endsWith(job));
      const again = page.url().split("/").at(-1) ?? "";
      await statusIs(page, "finished");
      expect((await beds.control.ended(again)).status).toBe("finished");
    },
    LIMIT,
  );

  test(
    "the list is filtered by status and text, and the address says so",
    async () => {
      const failing = await beds.control.submit(actionFile(beds, "breaks", "exit 3"));
      const fine = await beds.control.submit(actionFile(beds, "succeeds", "exit 0"));
      expect((await beds.control.ended(failing)).status).toBe("failed");
      expect((await beds.control.ended(fine)).status).toBe("finished");
      const page = await beds.signedIn();
      await page.getByRole("link", { name: "Failed" }).click();
      await page.waitForURL((url) => url.href.endsWith("/ui/jobs?status=failed"));
      await page.getByRole("link", { name: "breaks" }).waitFor();
      expect(await page.getByRole("link", { name: "succeeds" }).count()).toBe(0);
      await page.reload();
      await page.getByRole("link", { name: "breaks" }).waitFor();
      await page.getByRole("link", { name: /^All/ }).click();
      await page.getByLabel("Search by name, type or id").fill("SUCCEEDS");
      await until("only the job with this name is shown", async () => (await page.locator("tbody tr").count()) === 1);
      await page.waitForURL((url) => url.href.endsWith("/ui/jobs?q=SUCCEEDS"));
    },
    LIMIT,
  );

  describe.skipIf(needsTerraform)("changes (needs terraform)", () => {
    test(
      "a plan is read and approved: it is applied, and a sensitive output is never shown",
      async () => {
        const change = await beds.control.submit(changeFile(beds, "net-yes", "true", "required"));
        const page = await beds.signedIn(`/ui/jobs/${change}`);
        await page.getByRole("button", { name: /terraform_data\.net will be created/ }).waitFor();
        await page.getByRole("button", { name: "Approve" }).click();
        await page.getByLabel("Note").fill("looked at it");
        await confirm(page, "Approve and apply");
        await statusIs(page, "finished");
        const doc = await beds.control.ended(change);
        expect(doc.approval).toMatchObject({ state: "approved", why: "looked at it" });
        await page.locator(".redacted").first().waitFor();
        expect(await page.content()).not.toContain("hunter2");
        expect((await beds.control.workspaces()).find((one) => one.name === "net-yes")?.serial).toBeGreaterThan(0);
      },
      LIMIT,
    );

    test(
      "a plan is rejected: nothing is applied",
      async () => {
        const change = await beds.control.submit(changeFile(beds, "net-no", "true", "required"));
        const page = await beds.signedIn(`/ui/jobs/${change}`);
        await page.getByRole("button", { name: "Reject" }).click();
        await page.getByLabel("Reason").fill("not today");
        await confirm(page, "Reject");
        await statusIs(page, "rejected");
        const doc = await beds.control.show(change);
        expect([doc.status, doc.approval?.why]).toEqual(["approval-denied", "not today"]);
        expect(doc.jobs.some((job) => job.operation === "apply-plan" && job.status === "finished")).toBe(false);
      },
      LIMIT,
    );

    test(
      "a plan that no longer fits the state is refused with what to do, and planned again with one press",
      async () => {
        const stale = await beds.control.submit(changeFile(beds, "moved-on", "true", "required"));
        const page = await beds.signedIn(`/ui/jobs/${stale}`);
        await page.getByRole("button", { name: "Approve" }).waitFor();
        const other = await beds.control.submit(changeFile(beds, "moved-on", "true", "auto"));
        expect((await beds.control.ended(other)).status).toBe("finished");
        await page.getByRole("button", { name: "Approve" }).click();
        await confirm(page, "Approve and apply");
        const refusal = page.getByRole("dialog").getByRole("alert");
        await refusal.getByText(/the plan was made when there was no state/).waitFor();
        await page.getByRole("dialog").getByRole("button", { name: "Back" }).click();
        await page.getByText("The plan no longer fits the state.").waitFor();
        await page.getByRole("button", { name: "Plan again" }).click();
        await confirm(page, "Retry");
        await until("the page goes to the new change", () => !page.url().endsWith(stale));
        const again = page.url().split("/").at(-1) ?? "";
        // The other change made everything that this one wanted.
        expect((await beds.control.ended(again)).reason).toBe("no changes");
        expect((await beds.control.show(stale)).jobs.length).toBe(1);
      },
      LIMIT,
    );
  });

  test("the page asked nobody but the coordinator, put the key into no address and broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
