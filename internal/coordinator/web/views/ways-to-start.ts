import type { Identity } from "./runner-token.tsx";

/** One way to run a runner: what it needs and what to paste. */
export interface Way {
  readonly title: string;
  readonly note: string;
  readonly command: string;
}

/**
 * Commands for a POSIX shell. Names take letters, digits, dots, dashes and underscores only, ids and tokens no more, so
 * that nothing here needs quoting but the address. Without a token, each asks for it.
 */
export function waysToStart(origin: string, { id, token, name }: Identity): readonly Way[] {
  const tokenFile = `${name}.token`;
  const url = `'${origin}'`;
  const keep =
    token === null
      ? `# ${tokenFile} holds the token: one line, readable for you alone`
      : `(umask 077; echo '${token}' > ${tokenFile})`;
  const ask = token === null ? "export RUNNER_API_TOKEN='…'" : `export RUNNER_API_TOKEN='${token}'`;
  return [
    {
      title: "Machine",
      note: "On the machine where it shall work, with the runner program on its PATH.",
      command: lines(keep, `runner run --api-url ${url} --runner-id ${id} --token-file ${tokenFile}`),
    },
    {
      title: "Container",
      note: "The runner program of this machine in a plain Debian image; jobs find the tools of that image, and Terraform is fetched.",
      command: lines(
        keep,
        `docker run -d --init --name runner-${name} --restart unless-stopped --network host \\`,
        `  -v "$(command -v runner)":/usr/local/bin/runner:ro \\`,
        `  -v "$PWD/${tokenFile}":/run/runner.token:ro -v runner-${name}:/var/lib/runner \\`,
        `  debian:12-slim runner run --api-url ${url} --runner-id ${id} --token-file /run/runner.token`,
      ),
    },
    {
      title: "Helm",
      note: "With Nuon's chart from a checkout of its source. IMAGE and TAG name an image that has the runner at /bin/runner; it takes builds and syncs. The chart keeps the token in a ConfigMap in clear.",
      command: lines(
        ask,
        `helm upgrade --install runner-${chartName(name)} ./bins/runner/bundle/helm --namespace ${id} --create-namespace \\`,
        `  --set image.repository="$IMAGE" --set image.tag="$TAG" \\`,
        `  --set env.RUNNER_API_URL=${url} --set env.RUNNER_ID=${id} \\`,
        `  --set env.RUNNER_API_TOKEN="$RUNNER_API_TOKEN"`,
      ),
    },
    {
      title: "Go runner",
      note: "Nuon's own runner, IMAGE from its registry. It pulls sources over HTTPS only: give the coordinator --tls-cert and --tls-key.",
      command: lines(
        ask,
        `docker run -d --name runner-${name} --network host \\`,
        `  -e RUNNER_API_URL=${url} -e RUNNER_ID=${id} -e RUNNER_API_TOKEN \\`,
        `  -e GIT_REF=latest -e HOST_IP=127.0.0.1 "$IMAGE" install`,
      ),
    },
  ];
}

const lines = (...all: readonly string[]): string => all.join("\n");

/** Releases of Helm are lower case and know no underscore. */
const chartName = (name: string): string => name.toLowerCase().replaceAll("_", "-").slice(0, 45);
