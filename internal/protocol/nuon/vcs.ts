import { z } from "zod";
import { anyObject, partFields, str } from "./base.ts";

/** Where sources lie and what templates refer to: parts shared by action, component and sandbox configs. */

export const connectedGithubVcsConfig = z.looseObject({
  ...partFields,
  branch: str,
  component_config_id: str,
  component_config_type: str,
  directory: str,
  repo: str,
  repo_name: str,
  repo_owner: str,
  vcs_connection: anyObject.nullish(),
  vcs_connection_id: str,
});

export const publicGitVcsConfig = z.looseObject({
  ...partFields,
  branch: str,
  component_config_id: str,
  component_config_type: str,
  directory: str,
  repo: str,
});

export const vcsConnectionCommit = z.looseObject({
  ...partFields,
  author_email: str,
  author_name: str,
  message: str,
  sha: str,
  vcs_connection_id: str,
});

export const configRef = z.looseObject({
  Input: str,
  Name: str,
  Type: str,
  Value: str,
});
