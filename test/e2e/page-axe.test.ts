import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { addRunner } from "../faults/lib/control.ts";
import { until } from "../faults/lib/processes.ts";
import { actionFile, changeFile, type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";

const LIMIT = 180_000;
const needsTerraform = Bun.which("terraform") === null && process.env.CI !== "true";

const WIDTHS: readonly (readonly [string, { width: number; height: number }])[] = [
  ["wide", { width: 1360, height: 860 }],
  ["at phone width", { width: 360, height: 740 }],
];
const EVERYTHING: axe.RunOptions = {
  runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] },
};
/** Of the dark look only the colours differ. */
const COLOURS: axe.RunOptions = { runOnly: { type: "rule", values: ["color-contrast"] } };

/** What axe finds of WCAG 2.2 A and AA and its best practices, as lines that say where. */
async function barriers(page: Page, options: axe.RunOptions): Promise<string[]> {
  const found = await page.evaluate(
    async ({ source, options }) => {
      // By the protocol of the browser, so that the policy of the page stands as it is.
      if (!("axe" in window)) new Function(source)();
      const tool: typeof axe = Reflect.get(window, "axe");
      return (await tool.run(document, options)).violations;
    },
    { source: axe.source, options },
  );
  return found.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 160)}`));
}

describe.skipIf(skipWithoutBrowser || needsTerraform)("no barriers on the page (needs chromium, terraform)", () => {
  let beds: PageBed;
  const ids = { online: "", never: "", gone: "", done: "", running: "", waiting: "", change: "" };
  let gate: string;
  beforeAll(async () => {
    beds = await startPageBed();
    gate = beds.bed.path("axe.gate");
    const held = `while [ ! -e '${gate}' ]; do sleep 0.2; done`;
    const { bed, control } = beds;
    const online = await addRunner(bed, control, { name: "eu-1" });
    const gone = await addRunner(bed, control, { name: "us-1" });
    const script = `printf '\\033[31mred\\033[0m \\033[2mdim\\033[0m\\n'; echo "answer=42" >> "$RUNNER_OUTPUT"; exit 3`;
    const done = await control.submit(actionFile(beds, "done", script), online.id);
    const first = await control.submit(changeFile(beds, "network", "true", "auto"), online.id);
    for (const job of [done, first]) await control.ended(job);
    await Bun.write(
      bed.path("network", "more.tf"),
      `resource "terraform_data" "more" {\n  input = { env = "prod" }\n}\n`,
    );
    await control.ended(await control.submit(bed.path("network.yaml"), online.id));
    const change = await control.submit(changeFile(beds, "ask", "true", "required"), online.id);
    await until("the plan waits", async () => (await control.show(change)).status === "approval-awaiting");
    await control.submit(changeFile(beds, "held", held, "auto"), online.id);
    await until("the lock is held", async () => (await control.workspaces()).some((one) => one.lock !== null));
    const running = await control.submit(actionFile(beds, "running", held), online.id);
    const waiting = await control.submit(actionFile(beds, "waiting", "exit 0", "requires: { gpus: 4 }\n"), online.id);
    const { id: never } = await control.createRunner("eu-2");
    await gone.proc.kill9();
    Object.assign(ids, { online: online.id, never, gone: gone.id, done, running, waiting, change });
  }, LIMIT);
  afterAll(async () => {
    if (gate) writeFileSync(gate, "");
    await beds?.end();
  });

  const button = (page: Page, name: string) => page.locator("main").getByRole("button", { name, exact: true }).first();

  for (const [width, viewport] of WIDTHS) {
    test(
      `every view and every dialog is free of barriers, light and dark, ${width}`,
      async () => {
        const found: string[] = [];
        const check = async (page: Page, where: string) => {
          await page.emulateMedia({ colorScheme: "light" });
          for (const line of await barriers(page, EVERYTHING)) found.push(`${where}: ${line}`);
          await page.emulateMedia({ colorScheme: "dark" });
          for (const line of await barriers(page, COLOURS)) found.push(`${where}, dark: ${line}`);
          // Wider than the window is a barrier too: WCAG 1.4.10.
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          if (wide > 0) found.push(`${where}: scrolls sideways by ${wide} pixels`);
        };
        const background = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const options = { colorScheme: "light", viewport } as const;
        const outside = await beds.window(options);
        await outside.goto(`${beds.control.url}/ui/jobs`);
        await outside.getByLabel("Operator key").waitFor();
        const light = await background(outside);
        await outside.emulateMedia({ colorScheme: "dark" });
        expect(await background(outside)).not.toBe(light);
        await check(outside, "sign-in");

        const page = await beds.signedIn("/ui/jobs", options);
        const open = async (path: string) => {
          await page.goto(beds.control.url + path);
          await page.locator("main :is(h1, h2)").first().waitFor();
          await until("all of it is read", async () => (await page.getByText(/^Loading/).count()) === 0);
        };
        const views = [
          "/ui/jobs",
          "/ui/jobs?status=cancelled",
          `/ui/jobs/${ids.done}`,
          `/ui/jobs/${ids.running}`,
          `/ui/jobs/${ids.waiting}`,
          `/ui/jobs/${ids.change}`,
          "/ui/runners",
          `/ui/runners/${ids.online}`,
          `/ui/runners/${ids.gone}`,
          `/ui/runners/${ids.never}`,
          "/ui/runners/nobody",
          "/ui/workspaces",
          "/ui/workspaces?q=nothing",
          "/ui/workspaces/network",
          "/ui/workspaces/network?show=versions&from=1&to=2",
          "/ui/workspaces/held",
          "/ui/events",
          "/ui/events?what=parked",
          "/ui/nothing",
        ];
        for (const path of views) {
          await open(path);
          await page.locator("details").evaluateAll((all) => {
            for (const one of all) one.setAttribute("open", "");
          });
          await check(page, path);
        }

        const dialogs: readonly (readonly [string, string])[] = [
          ["/ui/runners", "Create runner"],
          [`/ui/runners/${ids.online}`, "Drain"],
          [`/ui/runners/${ids.online}`, "New token"],
          [`/ui/runners/${ids.online}`, "Delete"],
          [`/ui/runners/${ids.online}`, "Change settings"],
          ["/ui/workspaces/held", "Unlock"],
          ["/ui/workspaces/network", "Check for drift"],
          ["/ui/workspaces/network?show=versions", "Restore serial 1"],
          [`/ui/jobs/${ids.running}`, "Cancel"],
          [`/ui/jobs/${ids.done}`, "Retry"],
          [`/ui/jobs/${ids.change}`, "Approve"],
          [`/ui/jobs/${ids.change}`, "Reject"],
        ];
        for (const [path, name] of dialogs) {
          await open(path);
          await button(page, name).click();
          await page.getByRole("dialog").waitFor();
          await check(page, `${path}: ${name}`);
        }
        await open("/ui/runners");
        await page.keyboard.press("?");
        await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
        await check(page, "help");
        await page.keyboard.press("Escape");
        await button(page, "Create runner").click();
        await page.getByLabel("Name", { exact: true }).fill(`axe-${viewport.width}`);
        await page.getByRole("dialog").getByRole("button", { name: "Create", exact: true }).click();
        await page.getByTestId("runner-token").waitFor();
        await check(page, "token");
        expect(found).toEqual([]);
      },
      LIMIT,
    );
  }
});
