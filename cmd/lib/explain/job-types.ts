import type { JobType } from "../../../internal/protocol/enums.ts";

/** What each job type does, in one line. */
export const TYPE_SUMMARY: Readonly<Record<JobType, string>> = {
  "actions-workflow": "steps, one after another: programs and scripts, from folders or repositories",
  script: "one script in shell, node, python, powershell, bun or typescript",
  container: "one container by podman or docker",
  "terraform-deploy": "plan, apply or destroy a Terraform module; the coordinator keeps its state",
  "helm-chart-deploy": "install, upgrade or remove a Helm chart",
  "kubernetes-manifest-deploy": "apply or remove Kubernetes manifests",
  "job-deploy": "run a Kubernetes job to its end",
  "noop-deploy": "a deploy that does nothing: tries the way of a deploy",
  "sandbox-terraform": "plan, apply or destroy the Terraform module of a sandbox",
  "sandbox-terraform-plan": "plan the Terraform module of a sandbox",
  "sandbox-sync-secrets": "copy secrets into the cluster of a sandbox",
  "docker-build": "build an image from a Dockerfile and push it",
  "container-image-build": "copy an image into the registry of an install",
  "helm-chart-build": "pack a Helm chart and push it",
  "terraform-module-build": "pack a Terraform module and push it",
  "kubernetes-manifest-build": "pack Kubernetes manifests and push them",
  "noop-build": "a build that does nothing",
  "oci-sync": "copy an artifact from one registry to another",
  "noop-sync": "a sync that does nothing",
  "runner-helm": "install a runner by its Helm chart",
  "runner-terraform": "install a runner by Terraform",
  "runner-local": "install a runner on this machine",
  "health-check": "say that the runner works, and on what machine",
  "shut-down": "end the runner",
  "update-version": "update the runner to another version",
  noop: "nothing: tries the way from queue to report",
  "mng-shut-down": "end the runner's management process",
  "mng-vm-shut-down": "shut the machine down",
  "mng-runner-update-version": "update the runner that this process manages",
  "mng-runner-restart": "restart the runner that this process manages",
};

/** A job file of each type that has one, as a person would begin it. Every one of them parses. */
export const TYPE_EXAMPLE: Readonly<Partial<Record<JobType, string>>> = {
  "actions-workflow": `type: actions-workflow
name: hello
timeout: 10m
spec:
  env: { WHO: world, TOKEN: { env: DEPLOY_TOKEN } }
  steps:
    - name: greet
      source: { path: ./scripts }
      command: ./greet.sh --loud "two words"
    - name: out
      run: |
        echo "answer=42" >> "$RUNNER_OUTPUT"
`,
  script: `type: script
name: report
spec:
  language: python
  code: |
    import os
    open(os.environ["RUNNER_OUTPUT"], "a").write("answer=42\\n")
  args: [--all]
`,
  container: `type: container
name: report
timeout: 30m
resources: { cpu: 1, memory: 512MiB }
spec:
  image: docker.io/library/alpine:3.20
  command: [sh, -c, 'wc -l * && echo "answer=42" >> "$RUNNER_OUTPUT"']
  source: { path: ./data }
  env: { TOKEN: { env: REPORT_TOKEN } }
`,
  "terraform-deploy": `type: terraform-deploy
operation: apply
approval: required
name: network
timeout: 30m
requires: { labels: { site: eu-1 } }
spec:
  source: { path: ./module }
  version: 1.11.4
  workspace: network
  vars: { cidr: 10.0.0.0/16 }
  verify: true
`,
  "helm-chart-deploy": `type: helm-chart-deploy
operation: apply
approval: required
name: web
spec:
  source: { path: ./chart }
  release: web
  namespace: shop
  version: 3.19.0
  values: { replicas: 2 }
  set: { db.password: { env: DB_PASSWORD } }
`,
  "kubernetes-manifest-deploy": `type: kubernetes-manifest-deploy
operation: apply
approval: required
name: settings
spec:
  namespace: shop
  set: settings
  prune: true
  manifest: |
    apiVersion: v1
    kind: ConfigMap
    metadata: { name: settings }
    data: { colour: blue }
`,
  "job-deploy": `type: job-deploy
name: migrate
timeout: 10m
resources: { cpu: 0.5, memory: 256MiB }
spec:
  namespace: shop
  image: docker.io/library/alpine:3.20
  command: [sh, -c, 'echo "migrating $DB_HOST"']
  env: { DB_HOST: db.shop, DB_PASSWORD: { env: DB_PASSWORD } }
`,
  "health-check": "type: health-check\n",
  noop: "type: noop\n",
  "noop-deploy": "type: noop-deploy\n",
  "shut-down": "type: shut-down\nspec: { shutdown_type: graceful }\n",
};
