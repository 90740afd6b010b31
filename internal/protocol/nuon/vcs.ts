import { z } from "zod";
import { partFields, str, word } from "./base.ts";
import { REF_TYPES } from "./words.ts";

/** Where sources lie and what templates refer to: parts shared by action, component and sandbox configs. */

export const vcsConnectionCommit = z.looseObject({
  ...partFields,
  author_email: str,
  author_name: str,
  message: str,
  sha: str,
  vcs_connection_id: str,
});

export const vcsConnection = z.looseObject({
  ...partFields,
  github_account_id: str,
  github_account_name: str,
  github_install_id: str,
  vcs_connection_commit: z.array(vcsConnectionCommit).nullish(),
});

export const connectedGithubVcsConfig = z.looseObject({
  ...partFields,
  branch: str,
  component_config_id: str,
  component_config_type: str,
  directory: str,
  repo: str,
  repo_name: str,
  repo_owner: str,
  vcs_connection: vcsConnection.nullish(),
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

export const configRef = z.looseObject({
  Input: str,
  Name: str,
  Type: word(REF_TYPES),
  Value: str,
});
