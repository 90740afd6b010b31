import { z } from "zod";
import { account } from "./accounts.ts";
import { int, laterList, partFields, str } from "./base.ts";
import { componentConfigConnection } from "./components.ts";
import { installDeploy } from "./installs.ts";
import { runnerJob } from "./jobs.ts";
import { compositeStatus, logStream } from "./status.ts";
import { vcsConnectionCommit } from "./vcs.ts";

/** One wave of a release. */
export const componentReleaseStep = z.looseObject({
  ...partFields,
  component_release_id: str,
  delay: str,
  install_deploys: laterList((): z.core.SomeType => installDeploy),
  requested_install_ids: z.array(z.string()).nullish(),
  status: str,
  status_description: str,
});

/** A build on its way to installs. */
export const componentRelease = z.looseObject({
  ...partFields,
  build_id: str,
  release_steps: z.array(componentReleaseStep).nullish(),
  status: str,
  status_description: str,
  total_release_steps: int,
});

/** A build of a component: its job, its log, what it was made of. */
export const componentBuild = z.looseObject({
  ...partFields,
  checksum: str,
  component_config_connection: componentConfigConnection.nullish(),
  component_config_connection_id: str,
  component_config_version: int,
  component_id: str,
  component_name: str,
  created_by: account.nullish(),
  git_ref: str,
  install_deploys: laterList((): z.core.SomeType => installDeploy),
  log_stream: logStream.nullish(),
  releases: z.array(componentRelease).nullish(),
  runner_job: runnerJob.nullish(),
  status: str,
  status_description: str,
  status_v2: compositeStatus.nullish(),
  vcs_connection_commit: vcsConnectionCommit.nullish(),
});
