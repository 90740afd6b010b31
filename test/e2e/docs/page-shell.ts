import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { type Bed, program, until } from "../../faults/lib/processes.ts";
import { commandsOf, filledIn, type Words } from "../../lib/doc-blocks.ts";

/** One page, block after block, in one folder and one environment, as a person would paste it into a terminal. */
export interface PageShell {
  /** Of the page; it begins empty. */
  readonly folder: string;
  path(name: string): string;
  write(name: string, text: string): void;
  /** As by `export` before the next block; null: `unset`. */
  set(env: Readonly<Record<string, string | null>>): void;
  /** The next block; what it printed. Throws when a command of it fails. What stays (a server) is waited for until it is up. */
  next(words?: Words): Promise<string>;
  /** Everything the servers wrote. */
  said(): string;
  /** Ends the servers, as with Ctrl-C. */
  stop(): Promise<void>;
}

/** Programs of this folder come first: ours, `sudo` of somebody who is root, and a curl that minds the status. */
export function makeCommands(bed: Bed, runner: readonly string[] = program): void {
  const folder = bed.path("commands");
  mkdirSync(folder);
  const curl = Bun.which("curl") ?? "curl";
  const scripts = {
    runner: `exec ${runner.map((word) => `'${word}'`).join(" ")} "$@"`,
    sudo: 'exec env "$@"',
    curl: `exec ${curl} -fsS "$@"`,
  };
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(`${folder}/${name}`, `#!/bin/sh\n${script}\n`);
    chmodSync(`${folder}/${name}`, 0o755);
  }
}

interface Server {
  readonly pid: number;
  readonly isRunner: boolean;
  readonly exited: Promise<number>;
  text(): string;
}

/** A server of ours, which goes on until it is stopped. */
const STAYS = /(?:^|; exec )(?:[A-Z_]+=\S+ )*\S*runner (?:run|coordinator)(?: |$)/;
const UP = / connected dialect=| coordinator is up /;

export interface Page {
  readonly bed: Bed;
  readonly page: string;
  readonly suite: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Opens a page, does `work` in it, sees to it that no block is left, and kills what the page started. */
export async function runPage(of: Page, work: (shell: PageShell) => Promise<void>): Promise<void> {
  const shell = openPage(of);
  try {
    await work(shell);
    const left = shell.left();
    if (left > 0) throw new Error(`${of.page}: ${left} blocks for ${of.suite} were not run`);
  } catch (error) {
    throw new Error(`${error}\n${shell.said()}`, { cause: error });
  } finally {
    await shell.end();
  }
}

function openPage({ bed, page, suite, env }: Page): PageShell & { left(): number; end(): Promise<void> } {
  const blocks = commandsOf(page, suite);
  const folder = bed.path("pages", page);
  mkdirSync(folder, { recursive: true });
  const saved = `${folder}.env`;
  const set: PageShell["set"] = (more) => {
    for (const [name, value] of Object.entries(more)) {
      appendFileSync(saved, value === null ? `unset ${name}\n` : `export ${name}='${value}'\n`);
    }
  };
  writeFileSync(saved, "");
  set(env);
  const servers: Server[] = [];
  let done = 0;

  const bash = (script: string, detached = false) =>
    Bun.spawn(["bash", "-euo", "pipefail", "-c", script], {
      cwd: folder,
      env: {
        PATH: `${bed.path("commands")}:${process.env.PATH}`,
        HOME: bed.root,
        TMPDIR: bed.root,
        LANG: "C.UTF-8",
        CHECKPOINT_DISABLE: "1",
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      detached,
    });

  async function foreground(script: string): Promise<string> {
    const child = bash(`. '${saved}'\n${script}\nexport -p > '${saved}'`);
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (code !== 0) throw new Error(`${page}: exit code ${code}\n${script}\n${stdout}${stderr}`);
    return stdout;
  }

  async function stop(one: Server, signal: NodeJS.Signals): Promise<void> {
    try {
      process.kill(-one.pid, signal);
    } catch {
      // has ended
    }
    await one.exited;
  }

  async function server(line: string): Promise<void> {
    const isRunner = / run(?: |$)/.test(line);
    // One terminal, one runner: what runs there is stopped before the next one is started.
    for (const one of servers.filter((former) => former.isRunner && isRunner)) await stop(one, "SIGTERM");
    const child = bash(`. '${saved}'\n${line.replace(/ *&$/, "")}`, true);
    let text = "";
    let over = false;
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const part of stream) text += new TextDecoder().decode(part);
    };
    void read(child.stdout);
    void read(child.stderr);
    const exited = child.exited.then((code) => {
      over = true;
      return code;
    });
    servers.push({ pid: child.pid, isRunner, exited, text: () => text });
    await until(
      `${line}: up`,
      () => {
        if (over) throw new Error(`${page}: ${line}\nended: ${text}`);
        return UP.test(text);
      },
      60_000,
    );
  }

  return {
    folder,
    path: (name) => `${folder}/${name}`,
    write: (name, text) => writeFileSync(`${folder}/${name}`, text),
    set,
    async next(words = {}) {
      const block = blocks[done++];
      if (block === undefined) throw new Error(`${page} has no block ${done} for ${suite}`);
      let printed = "";
      let script: string[] = [];
      const flush = async () => {
        if (script.length > 0) printed += await foreground(script.join("\n"));
        script = [];
      };
      for (const line of filledIn(asTyped(block), words).split("\n")) {
        const bare = line.replace(/\s+#.*$/, "");
        if (!STAYS.test(bare)) script.push(line);
        else {
          await flush();
          await server(bare);
        }
      }
      await flush();
      return printed;
    },
    async stop() {
      for (const one of servers) await stop(one, "SIGTERM");
    },
    said: () => servers.map(({ text }) => text()).join(""),
    left: () => blocks.length - done,
    async end() {
      for (const one of servers) await stop(one, "SIGKILL");
    },
  };
}

/** Without prompts, and without what a console shows as answers. */
function asTyped(block: string): string {
  if (!/^\$ /m.test(block)) return block;
  return block
    .split("\n")
    .filter((line) => line.startsWith("$ "))
    .map((line) => line.slice(2))
    .join("\n");
}
