import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { type Control, startControl } from "../faults/lib/control.ts";
import { type Bed, makeBed } from "../faults/lib/processes.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const executablePath = NAMES.map((name) => Bun.which(name)).find((path) => path !== null) ?? null;

/**
 * The tests of the page run in a real browser. Without one they are skipped by name; on CI nothing may be missing, so
 * they run there and fail with the reason.
 */
export const skipWithoutBrowser = executablePath === null && process.env.CI !== "true";

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A coordinator as a real process, a browser, and what the page did that it never may. */
export interface PageBed {
  readonly bed: Bed;
  readonly control: Control;
  readonly key: string;
  /** A new window, not signed in. */
  window(options?: BrowserContextOptions): Promise<Page>;
  /** A window at `path`, signed in through the form. */
  signedIn(path?: string, options?: BrowserContextOptions): Promise<Page>;
  /** Requests to anywhere but the coordinator, errors of scripts, violations of the content policy. */
  readonly complaints: string[];
  /** Where the page may come from: the coordinator, and what a test puts in front of it. */
  readonly origins: string[];
  /** A job file in the bed; its path. */
  file(name: string, text: string): string;
  end(): Promise<void>;
}

/** A headless browser without any traffic of its own; the caller closes it. */
export async function launchBrowser(): Promise<Browser> {
  if (executablePath === null) throw new Error(`no browser found: install one of ${NAMES.join(", ")}`);
  return chromium.launch({ executablePath, args: ARGS });
}

export async function startPageBed(options: { readonly flags?: string[] } = {}): Promise<PageBed> {
  const bed = makeBed();
  let browser: Browser | null = null;
  try {
    const control = await startControl(bed, options);
    browser = await launchBrowser();
    return pageBed(bed, control, browser);
  } catch (error) {
    await browser?.close();
    await bed.end();
    throw error;
  }
}

function pageBed(bed: Bed, control: Control, browser: Browser): PageBed {
  const key = readFileSync(bed.path("coordinator", "admin.key"), "utf8").trim();
  const complaints: string[] = [];
  const origins = [control.url];
  const contexts: BrowserContext[] = [];

  const window = async (options: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ...options });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(45_000);
    page.on("request", (request) => {
      const url = request.url();
      const known = [...origins, "data:", "blob:"].some((start) => url.startsWith(start));
      if (!known) complaints.push(url);
      if (url.includes(key)) complaints.push(`the key is in ${url}`);
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      // Answers that are no 200 and a coordinator that is away are part of some tests; the browser prints them.
      if (message.type() === "error" && !/Failed to load resource|net::ERR/.test(message.text())) {
        complaints.push(message.text());
      }
    });
    return page;
  };

  return {
    bed,
    control,
    key,
    window,
    complaints,
    origins,
    async signedIn(path = "/ui/jobs", options = {}) {
      const page = await window(options);
      await page.goto(new URL(path, control.url).href);
      await page.getByLabel("Operator key").fill(key);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      return page;
    },
    file(name, text) {
      const path = bed.path(name);
      writeFileSync(path, text);
      return path;
    },
    async end() {
      for (const context of contexts) await context.close();
      await browser.close();
      await bed.end();
    },
  };
}

/** An action of one step that runs `script` with the shell. */
export function actionFile(beds: PageBed, name: string, script: string, more = ""): string {
  const body = script.replace(/^/gm, "        ");
  const text = `type: actions-workflow\nname: ${name}\n${more}spec:\n  steps:\n    - name: work\n      run: |\n${body}\n`;
  return beds.file(`${name}.yaml`, text);
}

/** A terraform change without any provider, that asks for approval; `command` runs while it holds the lock. */
export function changeFile(beds: PageBed, name: string, command: string, approval: "required" | "auto"): string {
  mkdirSync(beds.bed.path(name), { recursive: true });
  const module = `variable "cidr" { type = string }
resource "terraform_data" "net" {
  input = var.cidr
  provisioner "local-exec" {
    command = ${JSON.stringify(command)}
  }
}
output "cidr" { value = terraform_data.net.output }
output "password" {
  value     = "hunter2-\${var.cidr}"
  sensitive = true
}
`;
  writeFileSync(beds.bed.path(name, "main.tf"), module);
  const spec = `spec:\n  source: { path: ./${name} }\n  workspace: ${name}\n  vars: { cidr: 10.0.0.0/16 }\n`;
  return beds.file(
    `${name}.yaml`,
    `type: terraform-deploy\noperation: apply\napproval: ${approval}\nname: ${name}\n${spec}`,
  );
}
