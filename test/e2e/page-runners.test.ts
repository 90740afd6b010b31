import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { addRunner, type RunnerHandle } from "../faults/lib/control.ts";
import { program, until } from "../faults/lib/processes.ts";
import { actionFile, type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";

const LIMIT = 180_000;
/** A silent runner is suspect and then gone within seconds here, so that both can be looked at. */
const QUICK = ["--claim-hold", "1s", "--lease", "4s", "--renew", "1s", "--suspect", "3s", "--offline", "6s"];

describe.skipIf(skipWithoutBrowser)("runners on the page (needs chromium)", () => {
  let beds: PageBed;
  let worker: RunnerHandle;
  beforeAll(async () => {
    beds = await startPageBed({ flags: QUICK });
    worker = await addRunner(beds.bed, beds.control, { name: "worker" });
    await until("it is online", async () => (await contact(worker.id)) === "online");
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  const known = async (id: string) => (await beds.control.runners()).find((one) => one.id === id);
  const contact = async (id: string) => (await known(id))?.contact;
  const dialog = (page: Page) => page.getByRole("dialog");
  const press = (page: Page, name: string) => dialog(page).getByRole("button", { name, exact: true }).click();
  const title = (page: Page, text: string) => page.locator(".job-title .badge", { hasText: text }).first();

  test(
    "the list is filtered by contact and text, which stand in the address, and leads to a runner",
    async () => {
      await beds.control.createRunner("idle-one");
      const page = await beds.signedIn("/ui/runners");
      await page.getByRole("link", { name: "idle-one" }).waitFor();
      await page.getByRole("link", { name: "Online" }).click();
      await page.getByRole("link", { name: "idle-one" }).waitFor({ state: "detached" });
      await page.getByLabel("Search runners").fill("WORK");
      await page.waitForURL((url) => url.href.endsWith("/ui/runners?q=WORK&contact=online"));
      await page.reload();
      await page.getByRole("link", { name: "worker" }).click();
      await page.getByRole("heading", { name: "worker", level: 1 }).waitFor();
      await page.waitForURL((url) => url.href.endsWith(`/ui/runners/${worker.id}`));
    },
    LIMIT,
  );

  test(
    "a runner shows its session, its machine, what it works on and which slots are busy",
    async () => {
      const gate = beds.bed.path("busy.gate");
      const page = await beds.signedIn(`/ui/runners/${worker.id}`);
      await page.getByText("It waits for a job.").waitFor();
      const { session } = (await known(worker.id)) ?? {};
      const box = (name: string) => page.getByRole("region", { name });
      for (const text of [session?.version, session?.mode, session?.instance_id]) {
        await box("Session")
          .getByText(text ?? "none", { exact: true })
          .waitFor();
      }
      await box("Machine")
        .getByText(session?.inventory?.hostname ?? "none", { exact: true })
        .waitFor();
      await box("Machine").getByText(`${session?.inventory?.os}/${session?.inventory?.arch}`).waitFor();
      const slots = session?.slots.actions ?? 0;
      const row = box("Slots").getByRole("row", { name: "actions" });
      expect(await row.getByRole("cell").allTextContents()).toEqual(["0", String(slots)]);

      const job = await beds.control.submit(
        actionFile(beds, "busy", `while [ ! -e "${gate}" ]; do sleep 0.05; done`),
        worker.id,
      );
      await box("Running now").getByRole("link", { name: "busy" }).waitFor();
      expect(await row.getByRole("cell").allTextContents()).toEqual(["1", String(slots - 1)]);
      writeFileSync(gate, "");
      await beds.control.ended(job);
      await page.getByText("It waits for a job.").waitFor();
      await page.getByRole("link", { name: "Its events" }).click();
      await page.getByRole("cell", { name: "session" }).waitFor();
      await page.waitForURL((url) => url.href.endsWith(`/ui/events?subject=${worker.id}`));
    },
    LIMIT,
  );

  test(
    "the commands of a new runner, pasted as they are, bring it online with what its page says to do",
    async () => {
      const page = await beds.signedIn("/ui/runners", { permissions: ["clipboard-read", "clipboard-write"] });
      await page.keyboard.press("c");
      await page.getByLabel("Name", { exact: true }).fill("pasted-1");
      await press(page, "Create");
      const id = (await page.getByTestId("runner-id").textContent()) ?? "";
      const token = (await page.getByTestId("runner-token").textContent()) ?? "";
      const ways: string[] = [];
      for (const way of ["Machine", "Container", "Helm", "Go runner"]) {
        await page.getByRole("tab", { name: way }).click();
        await dialog(page).getByRole("button", { name: "Copy the commands" }).click();
        const command = await page.evaluate(() => navigator.clipboard.readText());
        for (const part of [id, token, beds.control.url]) expect(command).toContain(part);
        expect(await Bun.$`sh -n -c ${command}`.quiet().nothrow()).toMatchObject({ exitCode: 0 });
        ways.push(command);
        await page.getByRole("button", { name: /Copied/ }).waitFor();
        await page.getByRole("button", { name: "Copy the commands" }).waitFor();
      }
      await page.keyboard.press("Escape");
      expect(await dialog(page).isVisible()).toBe(true);
      await press(page, "I have copied the token");
      expect(await page.content()).not.toContain(token);

      const folder = beds.bed.path("machine");
      mkdirSync(`${folder}/bin`, { recursive: true });
      const quoted = program.map((part) => `'${part}'`).join(" ");
      writeFileSync(`${folder}/bin/runner`, `#!/bin/sh\nexec ${quoted} "$@" --state-dir '${folder}/state'\n`);
      chmodSync(`${folder}/bin/runner`, 0o755);
      const pasted = Bun.spawn(["sh", "-c", ways[0] ?? ""], {
        cwd: folder,
        env: { PATH: `${folder}/bin:${process.env.PATH}`, HOME: folder },
        stdio: ["ignore", "ignore", "ignore"],
      });
      try {
        await page.goto(`${beds.control.url}/ui/runners/${id}`);
        await title(page, "online").waitFor();
        // Drained by its page, it finishes and ends by itself.
        await page.getByRole("button", { name: "Drain" }).click();
        await press(page, "Drain");
        await page.getByText("It is draining:").waitFor();
        expect(await pasted.exited).toBe(0);
      } finally {
        pasted.kill();
      }
    },
    LIMIT,
  );

  test(
    "a runner that never called says how it is started, and the ways are chosen with the arrow keys",
    async () => {
      const { id } = await beds.control.createRunner("never");
      const page = await beds.signedIn(`/ui/runners/${id}`);
      await page.getByText("It has never called.").waitFor();
      await page.getByRole("tab", { name: "Machine" }).focus();
      await page.keyboard.press("ArrowRight");
      await page.getByText("docker run").waitFor();
      expect(await page.getByRole("tab", { selected: true }).textContent()).toBe("Container");
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("ArrowLeft");
      expect(await page.getByRole("tab", { selected: true }).textContent()).toBe("Go runner");
    },
    LIMIT,
  );

  test(
    "a new token is shown once; with the old one the runner is refused, with the new one it is back",
    async () => {
      const first = await beds.control.createRunner("rotated");
      const runner = await addRunner(beds.bed, beds.control, { name: "rotated", identity: first });
      const page = await beds.signedIn(`/ui/runners/${first.id}`);
      await title(page, "online").waitFor();
      await page.getByRole("button", { name: "New token" }).click();
      await dialog(page).getByText("stops working at once").waitFor();
      await press(page, "Make a new token");
      const token = (await page.getByTestId("runner-token").textContent()) ?? "";
      expect([token.length > 20, token === first.token]).toEqual([true, false]);
      await press(page, "I have copied the token");
      expect(await page.content()).not.toContain(token);
      expect(await runner.proc.exited).toBe(3);
      await title(page, "offline").waitFor();
      const again = await addRunner(beds.bed, beds.control, { name: "rotated", identity: { id: first.id, token } });
      await title(page, "online").waitFor();
      await again.proc.kill9();
    },
    LIMIT,
  );

  test(
    "a runner that is gone keeps what was last known of it, says since when, and is deleted",
    async () => {
      const gone = await addRunner(beds.bed, beds.control, { name: "gone-1" });
      const page = await beds.signedIn(`/ui/runners/${gone.id}`);
      await title(page, "online").waitFor();
      const host = (await known(gone.id))?.session?.inventory?.hostname ?? "none";
      await gone.proc.kill9();
      await page.getByText("It has been silent for a moment").waitFor();
      await page.getByText("It is gone.").waitFor();
      await page.getByRole("region", { name: "Machine" }).getByText(host, { exact: true }).waitFor();
      await page.getByRole("button", { name: "Delete" }).click();
      await press(page, "Delete");
      await page.getByRole("heading", { name: "Runners", level: 1 }).waitFor();
      expect(await known(gone.id)).toBeUndefined();
      await page.goto(`${beds.control.url}/ui/runners/${gone.id}`);
      await page.getByRole("alert").getByText(`there is no runner ${gone.id}`).waitFor();
    },
    LIMIT,
  );

  test(
    "settings are changed while it runs, a reason goes into the timeline, and another version is said",
    async () => {
      const page = await beds.signedIn(`/ui/runners/${worker.id}`);
      await page.getByRole("button", { name: "Change settings" }).click();
      expect(await dialog(page).getByRole("button", { name: "Change" }).isDisabled()).toBe(true);
      await dialog(page).getByLabel("Log level").selectOption("WARN");
      await dialog(page).getByLabel("Metrics").selectOption("off");
      await dialog(page).getByLabel("Version").fill("9.9.9");
      await dialog(page).getByLabel("Reason").fill("less noise");
      await press(page, "Change");
      const settings = page.getByRole("region", { name: "Settings" });
      await settings.getByRole("row", { name: "Log level" }).getByText("WARN").waitFor();
      await settings.getByRole("row", { name: "Metrics" }).getByText("off").waitFor();
      await page.getByText("its settings ask for 9.9.9").waitFor();
      await page.goto(`${beds.control.url}/ui/events?subject=${worker.id}`);
      await page.getByText("less noise").waitFor();
      await page.goto(`${beds.control.url}/ui/runners`);
      await page.getByText("asked for: 9.9.9").waitFor();

      await page.goto(`${beds.control.url}/ui/runners/${worker.id}`);
      await page.getByRole("button", { name: "Change settings" }).click();
      await dialog(page).getByLabel("Version").fill("");
      await dialog(page).getByLabel("Log level").selectOption("");
      await press(page, "Change");
      await page.getByText("its settings ask for 9.9.9").waitFor({ state: "detached" });
      await settings.getByRole("row", { name: "Log level" }).waitFor({ state: "detached" });
    },
    LIMIT,
  );

  test("the page broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
