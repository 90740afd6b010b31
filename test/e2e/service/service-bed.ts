import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type SystemdHost, startSystemd, systemdMissing } from "../../bed/systemd.ts";
import { type Control, startControl } from "../../faults/lib/control.ts";
import { type Bed, makeBed, until } from "../../faults/lib/processes.ts";

/** The program as one file, which is what a machine gets. */
const BINARY = process.env.RUNNER_BIN ?? join(import.meta.dir, "../../../dist/runner");
const VERSION = "9.9.9";

/** Why these tests cannot run here; with CI=true they run and fail. */
export const serviceMissing = systemdMissing() ?? (existsSync(BINARY) ? null : `no ${BINARY}: npm run build makes it`);
export const skipService = serviceMissing !== null && process.env.CI !== "true";

/** A machine with eight others beside it takes its time. */
export const patiently = <T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T> =>
  until(what, look, 120_000);

/** A machine with systemd and the program as install.sh lays it out, and a coordinator beside it. */
export interface ServiceBed {
  readonly vm: SystemdHost;
  readonly control: Control;
  readonly bed: Bed;
  /** What the program says of itself. */
  readonly version: string;
  /** `runner ARGS` inside, as root. */
  runner(...args: string[]): ReturnType<SystemdHost["exec"]>;
  /** A runner of the coordinator, its settings and its token where the unit looks. */
  configure(instance?: string): Promise<{ readonly id: string }>;
  show(unit: string, property: string): Promise<string>;
  pid(unit: string): Promise<number>;
  connected(unit: string): Promise<void>;
  /** Submits a job file of this text; its id. */
  submit(name: string, text: string, runner?: string): Promise<string>;
  end(): Promise<void>;
}

export async function startServiceBed(
  mounts: readonly string[] = [],
  caps: readonly string[] = [],
): Promise<ServiceBed> {
  const bed = makeBed();
  const ends: (() => Promise<void>)[] = [() => bed.end()];
  const end = async () => {
    for (const one of ends.splice(0).reverse()) await one();
  };
  try {
    const control = await startControl(bed);
    const terraform = Bun.which("terraform");
    const shared = terraform === null ? [] : [`${terraform}:/usr/local/bin/terraform:ro`];
    const vm = await startSystemd({ mounts: [`${BINARY}:/opt/bed/runner:ro`, ...shared, ...mounts], caps });
    ends.push(() => vm.end());
    await vm.run("sh", "-ec", LAY_OUT);
    const show = async (unit: string, property: string) =>
      (await vm.run("systemctl", "show", "--value", `--property=${property}`, unit)).trim();
    return {
      vm,
      control,
      bed,
      version: (await vm.run("/usr/local/bin/runner", "version")).trim(),
      runner: (...args) => vm.exec("/usr/local/bin/runner", ...args),
      async configure(instance) {
        const { id, token } = await control.createRunner(instance ?? "vm");
        await vm.write(
          `/etc/runner/${instance ?? "runner"}.env`,
          `RUNNER_API_URL=${control.url}\nRUNNER_ID=${id}\n`,
          "0600",
        );
        await vm.write(`/etc/runner/${instance === undefined ? "" : `${instance}.`}token`, `${token}\n`, "0600");
        return { id };
      },
      show,
      pid: async (unit) => Number(await show(unit, "MainPID")),
      connected: async (unit) => {
        await patiently(`${unit} is connected`, async () => (await show(unit, "StatusText")).startsWith("connected"));
      },
      async submit(name, text, runner) {
        const file = bed.path(`${name}.yaml`);
        writeFileSync(file, text);
        return control.submit(file, runner);
      },
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

const LAY_OUT = `
mkdir -p /usr/local/lib/runner/versions/${VERSION}
cp /opt/bed/runner /usr/local/lib/runner/versions/${VERSION}/runner
ln -s versions/${VERSION} /usr/local/lib/runner/current
ln -s ../lib/runner/current/runner /usr/local/bin/runner
`;
