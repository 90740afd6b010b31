import { imageUnitFile, placeOf, type ServicePlace, serviceFiles } from "../internal/kit/service/index.ts";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import type { Command, Context } from "./lib/context.ts";
import { installImage } from "./lib/service/image.ts";
import { type ContainerEngine, IMAGE_PLACE, runnerIsImage } from "./lib/service/image-place.ts";
import { type Installed, installService } from "./lib/service/install.ts";
import { lastWords, type ServiceStatus, statusOf, waitForService } from "./lib/service/status.ts";
import { everyWish, uninstallServices } from "./lib/service/uninstall.ts";
import { relaxationsOf, wishOf } from "./lib/service/wish.ts";
import { facts } from "./lib/table.ts";

export const servicePrint: Command = async (context) => {
  const { format, json, runtime } = context.values;
  const relaxations = relaxationsOf(context) ?? [];
  if (relaxations.length > 0 && format !== "systemd") {
    throw new RunnerError("usage", `--with is systemd's: a service of ${format} has no sandbox to relax`);
  }
  const files =
    runtime === "program" ? serviceFiles(format, wishOf(context), relaxations) : [imageFile(context, runtime)];
  if (json) context.out(JSON.stringify({ files }));
  else if (files.length === 1) context.out((files[0]?.text ?? "").trimEnd());
  else
    context.out(
      files
        .map(({ path, text }) => `# ${path}\n${text}`)
        .join("\n")
        .trimEnd(),
    );
  return EXIT.done;
};

function imageFile(context: Context, runtime: ContainerEngine) {
  onlyOne(context, runtime);
  return imageUnitFile(runtime);
}

/** Throws RunnerError usage for what an image has not got. */
function onlyOne(context: Context, runtime: ContainerEngine): void {
  const { service, instance } = wishOf(context);
  if (context.values.format === "systemd" && service === "runner" && instance === null && !context.values.with) return;
  throw new RunnerError(
    "usage",
    `--runtime ${runtime} is for the one runner of a machine, under systemd, without --with`,
    {
      remedy: "`runner service print --runtime podman` prints its unit.",
    },
  );
}

export const serviceInstall: Command = async (context) => {
  const { root, start, json, runtime } = context.values;
  if (runtime !== "program") {
    onlyOne(context, runtime);
    const installed = await installImage(runtime, root, start);
    const { envFile, tokenFile } = placeOf(wishOf(context));
    if (json) context.out(JSON.stringify(installed));
    else context.out(installText(installed, { envFile: `${IMAGE_PLACE.imageFile}, ${envFile}`, tokenFile }));
    return EXIT.done;
  }
  const wish = wishOf(context);
  const installed = await installService({ wish, relaxations: relaxationsOf(context), root, start });
  if (json) context.out(JSON.stringify(installed));
  else context.out(installText(installed, placeOf(wish)));
  return EXIT.done;
};

function installText(
  installed: Installed,
  { envFile, tokenFile }: Pick<ServicePlace, "envFile" | "tokenFile">,
): string {
  const { unit, changed, state, restartNeeded } = installed;
  const lines = changed.map((path) => `wrote or removed ${path}`);
  if (changed.length === 0) lines.push("nothing to write: everything is as it should be");
  const states: Record<Installed["state"], string> = {
    started: `${unit} was started; \`runner service status --wait\` tells when it works`,
    running: restartNeeded
      ? `${unit} runs as it was before; \`systemctl restart ${unit}\` takes the new files (it drains first)`
      : `${unit} runs`,
    "not configured": `${unit} was not started: fill in ${envFile} and ${tokenFile}, then \`systemctl start ${unit}\``,
    "not started": `${unit} was not started`,
  };
  return [...lines, states[state]].join("\n");
}

export const serviceUninstall: Command = async (context) => {
  const { root, instance } = context.values;
  const wish = wishOf({ values: { ...context.values, prefix: null }, sources: context.sources });
  const one = instance !== null || context.sources.mode.kind !== "default";
  const image = context.values.runtime !== "program";
  const { units, removed } = await uninstallServices(
    image ? ["image"] : one ? [wish] : everyWish(root, wish.prefix),
    root,
  );
  context.out(
    units.length === 0
      ? "no service of the runner is installed here"
      : [...removed.map((path) => `removed ${path}`), `${units.join(", ")}: gone; settings and state stay`].join("\n"),
  );
  return EXIT.done;
};

const WAIT_S = 60;
const LAST_LINES = 5;

export const serviceStatus: Command = async (context) => {
  const unit = unitFor(context);
  const seconds = secondsOf(context);
  const status = context.values.wait ? await waitForService(unit, seconds) : await statusOf(unit);
  if (context.values.json) context.out(JSON.stringify(status));
  else context.out(statusText(status));
  if (status.connected) return EXIT.done;
  for (const line of status.installed ? await lastWords(unit, LAST_LINES) : []) context.say(`  ${line}`);
  context.say(`→ ${remedyOf(status)}`);
  return EXIT.failed;
};

/** Without another word the runner of this machine, whichever of the two it is. */
function unitFor(context: Context): string {
  const wish = wishOf({ values: { ...context.values, prefix: null }, sources: context.sources });
  const plain = wish.service === "runner" && wish.instance === null;
  if (context.values.runtime === "program" && !(plain && runnerIsImage("/"))) return placeOf(wish).unit;
  return IMAGE_PLACE.unit;
}

function secondsOf({ operands, values }: Context): number {
  const [given] = operands;
  if (given === undefined) return WAIT_S;
  if (values.wait && /^\d{1,6}$/.test(given)) return Number(given);
  throw new RunnerError("usage", `unexpected ${JSON.stringify(given)}`, {
    remedy: "Write `--wait SECONDS`, with a whole number.",
  });
}

function statusText(status: ServiceStatus): string {
  const { watchdog } = status;
  const fed = watchdog?.fed_s_ago == null ? "not fed yet" : `fed ${watchdog.fed_s_ago} s ago`;
  return facts({
    unit: `${status.unit}${status.installed ? (status.enabled ? "" : " (does not start with the machine)") : " (not installed)"}`,
    state: status.state,
    says: status.status,
    version: status.version,
    image: status.image ?? null,
    pid: status.pid === null ? null : String(status.pid),
    restarts:
      status.restarts > 0 ? `${status.restarts}${status.last_exit ? `, last end: ${status.last_exit}` : ""}` : null,
    watchdog: status.image !== undefined ? null : watchdog === null ? "off" : `every ${watchdog.every_s} s, ${fed}`,
  });
}

function remedyOf(status: ServiceStatus): string {
  const { unit } = status;
  if (!status.installed) {
    return status.image === undefined
      ? "`runner service install` makes it."
      : "`runner service install --runtime podman` makes it.";
  }
  if (status.ready)
    return `It runs, but its control plane has not answered: \`runner doctor\` says why, \`journalctl -u ${unit}\` when.`;
  if (status.pid === null && status.restarts === 0)
    return `\`systemctl start ${unit}\` starts it; \`journalctl -u ${unit} -n 50\` says why it ended.`;
  return `\`journalctl -u ${unit} -n 50\` says why it ends.`;
}
