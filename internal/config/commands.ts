/** Every command as data: the dispatch table, `--help` and the docs are made from this list. */
export interface CommandInfo {
  readonly summary: string;
  /** What follows the command's name besides options, e.g. `[FILE…]`. */
  readonly operands: string;
  /** Least and most operands. */
  readonly count: readonly [number, number];
  readonly details?: string;
  readonly examples: readonly string[];
}

const NONE = [0, 0] as const;
const ONE = [1, 1] as const;
const MANY = Number.POSITIVE_INFINITY;

export const COMMANDS = {
  up: {
    summary: "coordinator, runner and page in one process; runs the quickstart",
    operands: "",
    count: NONE,
    details:
      "State lies in ./.runner. Listens on the next free port. With --once it ends after the quickstart with its exit code.",
    examples: ["runner up", "runner up --once", "runner up --listen 127.0.0.1:9000"],
  },
  run: {
    summary: "the runner: takes jobs from a control plane and works them",
    operands: "",
    count: NONE,
    details:
      "`runner install|build|org|mng` equal `runner run --mode …` (build: org, management: mng). SIGTERM drains, a second one cancels, a third one leaves tools alive for the next start.",
    examples: [
      "runner run --api-url https://control.example.com --runner-id run… --token-file /etc/runner/token",
      "runner run --mode install --concurrency deploy=2,actions=8 --label site=eu-1",
      "RUNNER_API_URL=http://127.0.0.1:8080 RUNNER_ID=run… RUNNER_API_TOKEN=… runner run",
    ],
  },
  "run-local": {
    summary: "run job files through the whole loop without a control plane",
    operands: "[FILE…]",
    count: [0, MANY],
    details:
      "Without FILE it takes ./job.yaml, else the quickstart. Terraform state lies in .runner/ beside the job file. Several files run one after another; the exit code is the worst. `run-local install|build|org` starts that mode of the runner against RUNNER_API_URL with a state directory of its own, for development.",
    examples: [
      "runner run-local job.yaml",
      "runner run-local --json job.yaml | tail -n 1",
      "runner run-local deploy.yaml --outputs out.env --outputs-format env",
      "runner run-local --watch job.yaml",
    ],
  },
  coordinator: {
    summary: "the control plane: queue, leases, logs, state and the page",
    operands: "",
    count: NONE,
    details: "Makes the admin key on first start. Plain HTTP on an address that is not loopback needs --insecure.",
    examples: [
      "runner coordinator --data-dir /var/lib/runner-coordinator",
      "runner coordinator --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem",
    ],
  },
  "job submit": {
    summary: "hand a job file to the coordinator",
    operands: "",
    count: NONE,
    details: "With --wait it streams the log, returns after cleanup, and its exit code is the job's.",
    examples: ["runner job submit -f deploy.yaml", "runner job submit -f deploy.yaml --wait --json"],
  },
  "job list": {
    summary: "jobs and changes, newest first",
    operands: "",
    count: NONE,
    examples: ["runner job list", "runner job list --status queued,in-progress --json"],
  },
  "job show": {
    summary: "one job: status, reason, steps, outputs, executions, events",
    operands: "JOB",
    count: ONE,
    examples: ["runner job show job…", "runner job show job… --json"],
  },
  "job logs": {
    summary: "the log of a job",
    operands: "JOB",
    count: ONE,
    examples: ["runner job logs job…", "runner job logs job… --follow"],
  },
  "job cancel": {
    summary: "stop a job; final",
    operands: "JOB",
    count: ONE,
    examples: ['runner job cancel job… --reason "wrong region"'],
  },
  "job retry": {
    summary: "queue a job that has ended, or is parked, again",
    operands: "JOB",
    count: ONE,
    examples: ["runner job retry job…"],
  },
  "job approve": {
    summary: "let a planned change be applied",
    operands: "CHANGE",
    count: ONE,
    examples: ['runner job approve chg… --why "reviewed"'],
  },
  "job reject": {
    summary: "end a planned change without applying it",
    operands: "CHANGE",
    count: ONE,
    examples: ['runner job reject chg… --why "would replace the database"'],
  },
  "runners list": {
    summary: "runners and their last contact",
    operands: "",
    count: NONE,
    examples: ["runner runners list", "runner runners list --json"],
  },
  "runners show": { summary: "one runner", operands: "RUNNER", count: ONE, examples: ["runner runners show run…"] },
  "runners create": {
    summary: "a new runner; prints its id and its token, once",
    operands: "NAME",
    count: ONE,
    examples: [
      "runner runners create eu-1",
      "runner runners create eu-1 --label site=eu-1 --json",
      "runner runners create eu-1 --identity aws:arn:aws:iam::123456789012:role/runner",
    ],
  },
  "runners delete": {
    summary: "remove a runner; its token ends at once",
    operands: "RUNNER",
    count: ONE,
    examples: ["runner runners delete run…"],
  },
  "runners rotate": {
    summary: "a new token for a runner; prints it, once, and ends every other",
    operands: "RUNNER",
    count: ONE,
    examples: ["runner runners rotate run… --json"],
  },
  "runners drain": {
    summary: "a runner takes no new work and finishes what it has",
    operands: "RUNNER",
    count: ONE,
    examples: ['runner runners drain run… --reason "maintenance"'],
  },
  "runners settings": {
    summary: "settings of one runner, or of all; --set changes them without a restart",
    operands: "[RUNNER]",
    count: [0, 1],
    details:
      "Settings of one runner go before those of all. Keys: logging_level, enable_logging, enable_metrics, enable_sentry, sandbox_mode, heart_beat_timeout_ms, container_image_url, container_image_tag, groups (with + between), metadata (key:value, with + between), otel_collector_config, platform, aws_instance_type, aws_max_instance_lifetime.",
    examples: [
      "runner runners settings",
      'runner runners settings run… --set logging_level=WARN,enable_metrics=false --reason "too chatty"',
      "runner runners settings run… --unset logging_level",
    ],
  },
  "runners identities": {
    summary: "cloud identities that get a token of a runner; --identity adds one, --remove takes one away",
    operands: "RUNNER",
    count: ONE,
    details:
      "One of: aws:ARN of a role, a user or an assumed role's session; gcp:EMAIL of a service account, with ,project= ,instance= ,zone= behind it; azure:TENANT with ,object= or ,resource= and ,audience=; oidc:ISSUER with ,sub= and other claims, ,audience= and ,jwks=. A value may end in * behind a character that is no letter or digit.",
    examples: [
      "runner runners identities run…",
      "runner runners identities run… --identity aws:arn:aws:iam::123456789012:role/runner",
      "runner runners identities run… --identity gcp:runner@acme.iam.gserviceaccount.com,project=acme",
      "runner runners identities run… --identity azure:11111111-2222-3333-4444-555555555555,object=66666666-7777-8888-9999-000000000000",
      "runner runners identities run… --identity oidc:https://token.actions.githubusercontent.com,sub=repo:acme/infra:ref:refs/heads/main",
      "runner runners identities run… --remove rid…",
    ],
  },
  "audit show": {
    summary: "the runner's own audit trail: what it was made to do",
    operands: "[FILE]",
    count: [0, 1],
    details:
      "Without FILE it reads the trail in the state directory (--state-dir, --mode), the files put aside first. --json prints the lines as they are.",
    examples: ["runner audit show", "runner audit show --state-dir /var/lib/runner/all --json"],
  },
  "audit verify": {
    summary: "check that no line of an audit trail was changed, added, moved or taken out",
    operands: "[FILE]",
    count: [0, 1],
    details:
      "Every line holds the hash of the line before it. Exit code 1 names the file and the line where the chain breaks. Lines cut off at the end leave a chain that is whole: keep the last hash it prints somewhere else, and give it with --expect.",
    examples: ["runner audit verify", "runner audit verify /backup/audit.jsonl --expect 9f2c…"],
  },
  events: {
    summary: "the coordinator's timeline: jobs, runners, updates, machines short of disk or memory",
    operands: "[ABOUT]",
    count: [0, 1],
    details: "The last 100 events, the newest at the end; ABOUT is the id of a job, change, runner or execution.",
    examples: ["runner events", "runner events run… --json"],
  },
  "audit list": {
    summary: "the coordinator's audit trail: every changing call of an operator",
    operands: "",
    count: NONE,
    details:
      "Checks the chain of what it reads; exit code 1 when it is broken. --expect names a hash that must be in it.",
    examples: ["runner audit list", "runner audit list --json --expect 9f2c…"],
  },
  "keys create": {
    summary: "make an Ed25519 key that signs work",
    operands: "FILE",
    count: ONE,
    details:
      "FILE (0600, never written over) is for `runner coordinator --signing-key-file`; its public half, a JWKS on stdout, is for `runner run --trust-keys`.",
    examples: ["runner keys create /etc/runner/signing.jwk"],
  },
  "keys show": {
    summary: "the public halves of signing keys as one JWKS",
    operands: "FILE…",
    count: [1, MANY],
    details: "Several files: during a change of keys a runner trusts the old one and the new one.",
    examples: ["runner keys show old.jwk new.jwk"],
  },
  "policy test": {
    summary: "explain, rule by rule, whether a policy lets a job run",
    operands: "FILE JOB",
    count: [2, 2],
    details:
      "FILE is a policy (see --policy of run), JOB a job file. Exit code 4: the job is refused. What only the tool's own plan tells is asked when that is made; --plan gives the JSON of one (`terraform show -json`) to judge with. --at judges as if it were that moment.",
    examples: [
      "runner policy test /etc/runner/policy.yaml job.yaml",
      "runner policy test policy.yaml network.yaml --plan plan.json",
      "runner policy test policy.yaml job.yaml --at 2026-12-24T20:00:00Z --json",
    ],
  },
  "mng status": {
    summary: "versions installed, the runner that mng looks after, the last update",
    operands: "",
    count: NONE,
    details: "Reads what mng has written; changes nothing. Exit code 1: no runner runs, or the last update went wrong.",
    examples: ["runner mng status", "runner mng status --json"],
  },
  "mng update": {
    summary: "update the runner of this machine now, whatever the maintenance window",
    operands: "VERSION",
    count: ONE,
    details:
      "A running mng is asked to do it; without one it is done here. Rolled back by itself when the new version does not become healthy (exit code 1).",
    examples: ["runner mng update 0.2.0", "runner mng update 0.2.0 --release-url /media/usb/release"],
  },
  "mng rollback": {
    summary: "back to the version before this one",
    operands: "",
    count: NONE,
    details: "The version left is remembered as bad: settings that ask for it are not followed, `mng update` is.",
    examples: ["runner mng rollback", 'runner mng rollback --reason "helm jobs hang"'],
  },
  "mng guard": {
    summary: "count a start of a new version; the fourth brings the version before it back",
    operands: "",
    count: NONE,
    details:
      "For ExecStartPre= of a unit, by the program in PREFIX/lib/runner/previous. Without an update under way it does nothing.",
    examples: ["runner mng guard --state-dir /var/lib/runner/mng"],
  },
  "mng fetch-token": {
    summary: "a token of the control plane for the cloud identity of this machine",
    operands: "",
    count: NONE,
    details:
      "Sends a signed proof of identity (AWS: signed GetCallerIdentity; GCP and Azure: identity token of the metadata service; oidc: the token in --identity-file) to the control plane and writes the token it answers into --token-file (0600). The coordinator gives one where an operator named the identity (runner runners identities).",
    examples: [
      "runner mng fetch-token --api-url https://runner.example.com --runner-id run… --token-file /etc/runner/token",
      "runner mng fetch-token --cloud oidc --identity-file /var/run/secrets/tokens/runner --api-url https://runner.example.com --runner-id run… --token-file token",
    ],
  },
  "workspaces list": {
    summary: "Terraform workspaces with their serial and lock",
    operands: "",
    count: NONE,
    examples: ["runner workspaces list", "runner workspaces list --json"],
  },
  "workspaces show": {
    summary: "one workspace and its state versions",
    operands: "WORKSPACE",
    count: ONE,
    examples: ["runner workspaces show network"],
  },
  "workspaces states": {
    summary: "the versions of a state that are kept, newest first",
    operands: "WORKSPACE",
    count: ONE,
    examples: ["runner workspaces states network", "runner workspaces states network --json"],
  },
  "workspaces state": {
    summary: "print a version of a state, byte for byte",
    operands: "WORKSPACE",
    count: ONE,
    details: "The current one without --serial; redirect it into a file. It may hold secrets.",
    examples: ["runner workspaces state network --serial 7"],
  },
  "workspaces diff": {
    summary: "what differs between two versions of a state",
    operands: "WORKSPACE",
    count: ONE,
    details: "Resources with their attributes, and outputs. Sensitive values are hidden.",
    examples: ["runner workspaces diff network", "runner workspaces diff network --from 5 --to 7 --json"],
  },
  "workspaces restore": {
    summary: "make an old version of a state the current one",
    operands: "WORKSPACE",
    count: ONE,
    details:
      "Its content becomes a new version under the next serial; no version is deleted and no infrastructure is touched. Refused while the workspace is locked.",
    examples: ['runner workspaces restore network --serial 5 --why "serial 6 lost the subnets"'],
  },
  "workspaces drift": {
    summary: "check a workspace for drift; applies nothing",
    operands: "WORKSPACE",
    count: ONE,
    details:
      "Plans the source and variables of the last finished change. The result stands in `workspaces show`. With --wait the exit code is 1 when there is drift or the check failed.",
    examples: ["runner workspaces drift network", "runner workspaces drift network --wait --json"],
  },
  "workspaces unlock": {
    summary: "free a lock whose holder is gone",
    operands: "WORKSPACE",
    count: ONE,
    details: "Look at `workspaces show` first: never unlock while the tool that holds it is alive.",
    examples: ["runner workspaces unlock network --lock-id 3f6c…"],
  },
  doctor: {
    summary: "check this machine and its settings; every finding comes with a remedy",
    operands: "",
    count: NONE,
    details:
      "Checks what `runner run` would meet with the same settings: state directory, control plane, clock, certificates, proxies, tools. With --coordinator it checks what `runner coordinator` would meet. Changes nothing. Exit code 1 when a check fails; warnings (!) do not count.",
    examples: [
      "runner doctor",
      "runner doctor --api-url https://control.example.com --ca-file ca.pem --json",
      "runner doctor --coordinator --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem",
    ],
  },
  "service print": {
    summary: "the files of a service manager that run the runner, as `service install` writes them",
    operands: "",
    count: NONE,
    details:
      "Without --instance the unit runner.service (--mode mng: runner-mng.service, the supervisor). Settings are read from /etc/runner/runner.env, the token from /etc/runner/token. Several files stand one after another, each below a line with its path.",
    examples: [
      "runner service print",
      "runner service print --mode mng",
      "runner service print --with docker,limits",
      "runner service print --runtime podman",
      "runner service print --format rcd",
      "runner service print --format launchd --prefix /opt/runner",
    ],
  },
  "service install": {
    summary: "run the runner as a service of this machine (systemd)",
    operands: "",
    count: NONE,
    details:
      "Writes the unit, the relaxations wanted and the runner's user, has it started with the machine, and starts it when /etc/runner/runner.env says where to connect. The same again changes nothing; a service that runs is never restarted.",
    examples: [
      "runner service install",
      "runner service install --with docker",
      "runner service install --instance eu-1",
      "runner service install --mode mng",
      "runner service install --runtime podman",
      "runner service install --root /mnt/image --no-start",
    ],
  },
  "service uninstall": {
    summary: "stop the service and remove its files; settings and state stay",
    operands: "",
    count: NONE,
    details:
      "Waits for running jobs as the unit's stop does. Without --mode and --instance every service of the runner on this machine goes.",
    examples: ["runner service uninstall", "runner service uninstall --instance eu-1"],
  },
  "service status": {
    summary: "does the service run, is it connected, which version, is its watchdog fed",
    operands: "[SECONDS]",
    count: [0, 1],
    details:
      "Exit code 0: it runs and its control plane answers; 1: not so, with the last lines of its journal. With --wait it looks until that is so, at most SECONDS (60).",
    examples: ["runner service status", "runner service status --wait 120", "runner service status --mode mng --json"],
  },
  config: {
    summary: "the effective configuration, with the source of each value",
    operands: "[COMMAND]",
    count: [0, 2],
    details:
      "Takes every option of every command; with COMMAND it shows those of that command. Secrets are never shown, only whether they are set. --json gives values as a config file holds them, --schema the JSON Schema of the config file.",
    examples: ["runner config", "runner config run --config /etc/runner/config.yaml", "runner config --schema"],
  },
  explain: {
    summary: "the job file of a type: keys, meaning, defaults, an example",
    operands: "[TYPE]",
    count: [0, 1],
    details: "Without TYPE it lists the job types. --json gives the JSON Schema of the job file of the type.",
    examples: ["runner explain", "runner explain terraform-deploy", "runner explain actions-workflow --json"],
  },
  completion: {
    summary: "completion of commands, options and their values for a shell",
    operands: "bash|zsh|fish",
    count: ONE,
    details:
      "bash: `source <(runner completion bash)` in ~/.bashrc. zsh: the output as `_runner` in a folder of $fpath. fish: the output as ~/.config/fish/completions/runner.fish.",
    examples: ["runner completion bash", "runner completion zsh", "runner completion fish"],
  },
  "release verify": {
    summary: "check signature and checksums of a release, file by file",
    operands: "PLACE [VERSION]",
    count: [1, 2],
    details:
      "PLACE is a release folder or its address, or a folder of releases; VERSION is one of these, else the one that their signed file `latest` names. Trusted is the key of --public-key, else the one this program was made with. Exit code 4: it is not what was signed.",
    examples: [
      "runner release verify /media/usb/release",
      "runner release verify https://releases.example.com 0.2.0 --json",
      "runner release verify ./release --public-key release.pub",
    ],
  },
  version: {
    summary: "print the version",
    operands: "",
    count: NONE,
    examples: ["runner version", "runner version --json"],
  },
} as const satisfies Record<string, CommandInfo>;

export type CommandName = keyof typeof COMMANDS;
export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

/** Nuon's words for modes of `run`. */
export const MODE_ALIASES = {
  install: "install",
  build: "org",
  org: "org",
  mng: "mng",
  management: "mng",
} as const;

/** Commands of later versions: answered plainly, never listed. */
export const LATER_COMMANDS = ["serve", "mcp", "machines", "classes"] as const;
