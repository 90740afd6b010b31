import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  imageUnitFile,
  type ServicePlace,
  SYSTEMD_DIR,
  serviceDescription,
} from "../../../internal/kit/service/index.ts";
import { IMAGE_PLACE, installedEngine } from "../service/image-place.ts";
import { statusOf } from "../service/status.ts";
import { showUnit } from "../service/systemctl.ts";
import { HELD } from "../supervisor.ts";
import { type Finding, findings } from "./finding.ts";

const { unit } = IMAGE_PLACE;

/** The unit of a runner that is an image. `program`: that of a runner that is not, whose settings it shares. */
export async function checkImageUnit(program: ServicePlace): Promise<Finding[]> {
  const say = findings("service");
  const engine = installedEngine("/");
  if (engine === null) return [];
  const found: Finding[] = [];
  const text = readFileSync(join(SYSTEMD_DIR, unit), "utf8");
  const again = `\`runner service install --runtime ${engine} --no-start\``;
  if (text !== imageUnitFile(engine).text)
    found.push(say.warning(`${unit}: not as this version of the program writes it`, again));
  else if ((await showUnit(unit, ["NeedDaemonReload"]))("NeedDaemonReload") === "yes")
    found.push(say.warning(`${unit}: systemd goes by what its file said before`, "`systemctl daemon-reload`"));
  const { enabled, state, ready, connected, status, image } = await statusOf(unit);
  if (!image) {
    const remedy = `Write RUNNER_IMAGE=REGISTRY/NAME:VERSION into it (mode 0600), then \`systemctl restart ${unit}\`.`;
    return [...found, say.failed(`${IMAGE_PLACE.imageFile} names no image`, remedy)];
  }
  if (!enabled) found.push(say.warning(`${unit} does not start with the machine`, `\`systemctl enable ${unit}\``));
  if (!ready) {
    const why = `\`journalctl -u ${unit} -n 50\` says why it ended`;
    found.push(say.failed(`${unit} does not run: ${state}`, `\`systemctl start ${unit}\`; ${why}.`));
  }
  if (status?.startsWith(HELD)) {
    const remedy = "Stop that one, or give this one an id: `runner runners create NAME`.";
    found.push(say.failed(`${unit} is ${status}`, remedy));
  }
  found.push(...(await checkOther(program)), ...checkQuotes(program), ...checkMng());
  if (found.length > 0) return found;
  return [say.ok(`${unit} is ${state}, ${connected ? "connected" : (status ?? "not connected yet")}, image ${image}`)];
}

/** Whichever starts last at a boot would end the other. */
async function checkOther({ unit: other }: ServicePlace): Promise<Finding[]> {
  if ((await showUnit(other, ["UnitFileState"]))("UnitFileState") !== "enabled") return [];
  return [
    findings("service").failed(
      `${other} starts with the machine too, and one of the two ends the other`,
      `\`systemctl disable ${other}\``,
    ),
  ];
}

/** systemd takes quotes away, an engine's --env-file takes them for part of the value. */
function checkQuotes({ envFile }: ServicePlace): Finding[] {
  const text = existsSync(envFile) ? readFileSync(envFile, "utf8") : "";
  if (!/^\w+=(["']).*\1\s*$/m.test(text)) return [];
  return [
    findings("settings file").failed(
      `${envFile} has values in quotes: the engine takes the quotes for part of them`,
      `\`sed -i -E "s/^([A-Za-z_0-9]+)=[\\"'](.*)[\\"']\\s*$/\\1=\\2/" ${envFile} && systemctl restart ${unit}\``,
    ),
  ];
}

/** A supervisor that looks for a program would find none. */
function checkMng(): Finding[] {
  const { config, services } = serviceDescription();
  const { unit: mng } = services.mng;
  if (!existsSync(join(SYSTEMD_DIR, `${mng}.service`))) return [];
  const file = join(config, `${mng}.env`);
  if (/^RUNNER_UPDATE_KIND=image\s*$/m.test(existsSync(file) ? readFileSync(file, "utf8") : "")) return [];
  return [
    findings("service").failed(
      `${mng}.service looks after a program, but the runner of this machine is an image`,
      `\`umask 077; echo RUNNER_UPDATE_KIND=image >>${file}; systemctl restart ${mng}\``,
    ),
  ];
}
