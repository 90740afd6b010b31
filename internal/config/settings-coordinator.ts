import type { CommandName } from "./commands.ts";
import { OPERATOR } from "./operator-commands.ts";
import type { Setting } from "./setting.ts";

/** `doctor --coordinator` meets what the coordinator would meet. */
const SERVING = ["coordinator", "doctor"] as const satisfies readonly CommandName[];

/** What a coordinator is told. */
export const COORDINATOR_SETTINGS = {
  listen: {
    flag: "listen",
    env: "RUNNER_LISTEN",
    type: "address",
    default: "127.0.0.1:8080",
    commands: [...SERVING, "up"],
    description: "HOST:PORT; port 0 is any free one; up takes the next free port from this one.",
  },
  dataDir: {
    flag: "data-dir",
    env: "RUNNER_DATA_DIR",
    type: "path",
    commands: SERVING,
    description: "Database, logs, sources and state versions.",
    otherwise: "/var/lib/runner/coordinator as root, else $XDG_STATE_HOME/runner/coordinator",
  },
  adminKeyFile: {
    flag: "admin-key-file",
    env: "RUNNER_ADMIN_KEY_FILE",
    type: "path",
    commands: [...SERVING, ...OPERATOR],
    description: "File with the admin key on one line; the coordinator makes it with mode 0600 when it is missing.",
    otherwise: "coordinator: admin.key in the data directory",
  },
  publicUrl: {
    flag: "public-url",
    env: "RUNNER_PUBLIC_URL",
    type: "url",
    commands: ["coordinator"],
    description: "Where runners reach this coordinator.",
    otherwise: "the Host header of each request",
  },
  tlsCert: {
    flag: "tls-cert",
    env: "RUNNER_TLS_CERT",
    type: "path",
    commands: SERVING,
    description: "PEM certificate chain; needs --tls-key.",
  },
  tlsKey: {
    flag: "tls-key",
    env: "RUNNER_TLS_KEY",
    type: "path",
    commands: SERVING,
    description: "PEM private key; needs --tls-cert.",
  },
  insecure: {
    flag: "insecure",
    env: "RUNNER_INSECURE",
    type: "bool",
    default: "false",
    commands: [...SERVING, "up"],
    description: "Allow plain HTTP on an address that is not loopback.",
  },
  lease: {
    flag: "lease",
    env: "RUNNER_LEASE",
    type: "duration",
    default: "30s",
    min: "1s",
    max: "1d",
    commands: ["coordinator"],
    description: "A runner that is silent this long loses the jobs it holds.",
  },
  renew: {
    flag: "renew",
    env: "RUNNER_RENEW",
    type: "duration",
    default: "10s",
    min: "250ms",
    max: "1d",
    commands: ["coordinator"],
    description: "A busy runner renews its leases this often; a third of --lease is right.",
  },
  claimHold: {
    flag: "claim-hold",
    env: "RUNNER_CLAIM_HOLD",
    type: "duration",
    default: "25s",
    min: "1s",
    max: "60s",
    commands: ["coordinator"],
    description: "How long the request of an idle runner is held open; also its sign of life.",
  },
  suspect: {
    flag: "suspect",
    env: "RUNNER_SUSPECT",
    type: "duration",
    default: "35s",
    min: "1s",
    max: "1d",
    commands: ["coordinator"],
    description: "A runner without contact for this long gets no new work.",
  },
  offline: {
    flag: "offline",
    env: "RUNNER_OFFLINE",
    type: "duration",
    default: "60s",
    min: "1s",
    max: "1d",
    commands: ["coordinator"],
    description: "A runner without contact for this long is offline, and another instance may take its place.",
  },
} as const satisfies Record<string, Setting>;
