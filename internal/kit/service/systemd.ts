import { type Relaxation, serviceDescription } from "./description.ts";
import { placeOf, type ServicePlace, type ServiceWish } from "./place.ts";

/** First line of everything that is generated: by it `service install` knows its own files. */
export const GENERATED = "# Generated from service.yml of runner.";

/** The unit of a service as systemd 252 and later read it. */
export function systemdUnit(wish: ServiceWish): string {
  const { restart, watchdog, drain, limits, systemd, group } = serviceDescription();
  const template = wish.instance !== null;
  const place = placeOf({ ...wish, instance: template ? "%i" : null });
  const { row } = place;
  const fill = (line: string) => line.replaceAll("{prefix}", wish.prefix).replaceAll("{config}", configDir());
  return [
    GENERATED,
    "# Written over by an update: own changes belong into a drop-in beside it (systemctl edit).",
    "[Unit]",
    `Description=${row.summary}${template ? ", instance %i" : ""}`,
    "Wants=network-online.target",
    "After=network-online.target",
    "# Tried again for ever: an outage may last longer than any count.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=notify",
    "NotifyAccess=main",
    ...identity(place, group),
    ...environment(place, drain.timeout),
    ...commands(place, wish, group),
    `WatchdogSec=${watchdog}`,
    "Restart=always",
    `RestartSec=${restart.delay}`,
    `TimeoutStopSec=${drain.timeout + drain.grace}`,
    `LimitNOFILE=${limits.open_files}`,
    `TasksMax=${limits.tasks}`,
    "StandardOutput=journal",
    "StandardError=journal",
    `SyslogIdentifier=${row.unit}${template ? "-%i" : ""}`,
    ...[...systemd, ...row.systemd].map(fill),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

const configDir = () => serviceDescription().config;

function identity({ row, stateName }: ServicePlace, group: string): string[] {
  const state = [`StateDirectory=${stateName}`, "StateDirectoryMode=0700"];
  if (row.user === "root") return state;
  const cache = serviceDescription().cache.replace(/^\/var\/cache\//, "");
  return [`User=${row.user}`, `Group=${group}`, ...state, `CacheDirectory=${cache}`, "CacheDirectoryMode=0700"];
}

/** What the env file says wins, but for the command line: mode and token are the unit's. */
function environment({ row, stateDir, envFile }: ServicePlace, drainSeconds: number): string[] {
  const { cache, config, services } = serviceDescription();
  const home = [`Environment=HOME=${stateDir}`, `Environment=RUNNER_STATE_DIR=${stateDir}`];
  if (row.unit !== services.mng.unit) {
    return [
      ...home,
      `Environment=RUNNER_TOOLS_DIR=${cache}/tools RUNNER_DRAIN_TIMEOUT=${drainSeconds}s`,
      `EnvironmentFile=${envFile}`,
    ];
  }
  return [
    ...home,
    `EnvironmentFile=${config}/${services.runner.unit}.env`,
    `EnvironmentFile=-${envFile}`,
    // What the runner listens on, its supervisor cannot.
    "UnsetEnvironment=RUNNER_HEALTH_LISTEN",
  ];
}

/**
 * The token's file is root's (0600): the runner gets a copy in memory. Without one the env file may hold the token. Not
 * LoadCredential, which leaves nothing in a container whose mounts are private. -T: root follows no link to a folder that
 * somebody put there.
 */
function commands(place: ServicePlace, { prefix }: ServiceWish, group: string): string[] {
  const { row, mode, program, stateName, tokenFile, stateDir } = place;
  const token = `/run/${stateName}/token`;
  const owner = row.user === "root" ? "" : `-o ${row.user} -g ${group} `;
  const copy = `+/usr/bin/install -T -m 0400 ${owner}${tokenFile} ${token}`;
  const isMng = row.unit === serviceDescription().services.mng.unit;
  return [
    `RuntimeDirectory=${stateName}`,
    "RuntimeDirectoryMode=0700",
    `ExecStartPre=-${copy}`,
    // Of the version before: a new one that cannot even load is counted, and left, all the same.
    ...(isMng ? [`ExecStartPre=-${prefix}/lib/runner/previous/runner mng guard --state-dir ${stateDir}`] : []),
    `ExecStart=${program} run --mode ${mode} --token-file ${token}${isMng ? ` --state-dir ${stateDir}` : ""}`,
    // The runner reads it again when the old one is refused.
    `ExecReload=${copy}`,
  ];
}

/** The drop-in of a relaxation. */
export function systemdDropIn(relaxation: Relaxation): string {
  return [GENERATED, `# For ${relaxation.for}. ${relaxation.says}`, "[Service]", ...relaxation.systemd, ""].join("\n");
}

/** First version of systemd that takes longer with every restart. */
export const BACK_OFF_SINCE = 254;

/** For systemd 254 and later; before, an unknown key would be told at every reload. */
export function systemdBackOff(): string {
  const { steps, longest } = serviceDescription().restart;
  return [GENERATED, "[Service]", `RestartSteps=${steps}`, `RestartMaxDelaySec=${longest}`, ""].join("\n");
}
