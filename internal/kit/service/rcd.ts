import { serviceDescription } from "./description.ts";
import { placeOf, type ServiceWish } from "./place.ts";
import { GENERATED } from "./systemd.ts";

/**
 * The script of OpenBSD's rc.d(8). Init starts nothing again by itself there: `rcctl check` tells. rc_exec gives the
 * daemon a new environment, so its own shell reads the settings.
 */
export function rcScript(wish: ServiceWish): string {
  const { drain, group } = serviceDescription();
  const { row, mode, program, envFile, tokenFile, stateDir } = placeOf(wish);
  return [
    "#!/bin/ksh",
    GENERATED,
    `# ${row.summary}. ${envFile} (NAME=value, quoted for sh) and ${tokenFile}`,
    `# belong to ${row.user}, mode 0600.`,
    "",
    `daemon="${program}"`,
    `daemon_flags="run --mode ${mode} --state-dir ${stateDir} --token-file ${tokenFile}"`,
    `daemon_user="${row.user}"`,
    'daemon_logger="daemon.info"',
    `daemon_timeout=${drain.timeout + drain.grace}`,
    "",
    ". /etc/rc.d/rc.subr",
    "",
    "rc_bg=YES",
    "rc_reload=NO",
    "",
    "rc_pre() {",
    `\tinstall -d -m 0700 -o ${row.user} -g ${row.user === "root" ? "wheel" : group} ${stateDir}`,
    "}",
    "",
    "rc_start() {",
    `\trc_exec "umask 077; set -a; . ${envFile}; set +a; HOME=${stateDir} \${daemon} \${daemon_flags}"`,
    "}",
    "",
    "rc_cmd $1",
    "",
  ].join("\n");
}
