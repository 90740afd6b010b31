import { type ContainerWish, containerArgs, drainSeconds, removeArgs } from "./container.ts";
import { serviceDescription } from "./description.ts";
import { GENERATED } from "./systemd.ts";

/** Name of the container, and of its unit. */
export const IMAGE_UNIT = "runner-image";

/**
 * The unit of a runner that is an image. Not Type=notify: what lives in a container cannot reach systemd (docker), or not
 * with more than that it has begun (podman); mng looks at the state directory instead.
 */
export function imageUnit(engine: ContainerWish["engine"]): string {
  const { config, state, cache, restart, container, services } = serviceDescription();
  const name = state.replace(/^\/var\/lib\//, "");
  const own = { state: `${state}/image`, cache: `${cache}/image`, run: `/run/${name}/image` };
  const program = `/usr/bin/${engine}`;
  const owner = `-o ${container.user} -g ${container.user}`;
  const args = containerArgs({
    engine,
    name: IMAGE_UNIT,
    mode: services.runner.mode,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: systemd fills it in, from the file that mng writes
    image: "${RUNNER_IMAGE}",
    stateDir: own.state,
    cacheDir: own.cache,
    flags: [`--env-file=${config}/${services.runner.unit}.env`, `--volume=${own.run}:${own.run}:ro`],
  });
  return [
    GENERATED,
    "# Written over by an update: own changes belong into a drop-in beside it (systemctl edit).",
    "[Unit]",
    `Description=${services.runner.summary}, from an image`,
    "Wants=network-online.target",
    `After=network-online.target${engine === "docker" ? " docker.service" : ""}`,
    ...(engine === "docker" ? ["Requires=docker.service"] : []),
    "# One identity, one runner.",
    `Conflicts=${services.runner.unit}.service`,
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=exec",
    `EnvironmentFile=${config}/image.env`,
    "# Not StateDirectory=: it would give everything in there to root at each start.",
    `ExecStartPre=/usr/bin/install -d -m 0700 ${owner} ${own.state} ${own.cache} ${own.run}`,
    `ExecStartPre=-/usr/bin/install -T -m 0400 ${owner} ${config}/token ${own.run}/token`,
    "# What a power cut left.",
    `ExecStartPre=-${program} ${removeArgs(engine, IMAGE_UNIT).join(" ")}`,
    `ExecStart=${[program, ...args, `--token-file=${own.run}/token`].join(" ")}`,
    `ExecReload=/usr/bin/install -T -m 0400 ${owner} ${config}/token ${own.run}/token`,
    `ExecStop=-${program} stop ${IMAGE_UNIT}`,
    `ExecStopPost=-/usr/bin/rm -f ${own.run}/token`,
    "Restart=always",
    `RestartSec=${restart.delay}`,
    "# The engine kills what has not drained before this.",
    `TimeoutStopSec=${drainSeconds() + 60}`,
    "KillMode=mixed",
    "StandardOutput=journal",
    "StandardError=journal",
    `SyslogIdentifier=${IMAGE_UNIT}`,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}
