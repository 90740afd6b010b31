import { join } from "node:path";
import type { Values } from "../internal/config/settings.ts";
import type { ExchangeOptions } from "../internal/coordinator/identity/exchange.ts";
import { startCoordinator } from "../internal/coordinator/start.ts";
import { forgetStart } from "../internal/kit/base/start-pages.ts";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import type { Times } from "../internal/protocol/times.ts";
import { readCa } from "./lib/ca-file.ts";
import type { Command } from "./lib/context.ts";
import { stateBase } from "./lib/folders.ts";
import { onStop } from "./lib/signals.ts";
import { signingKeyOf } from "./lib/signing-key.ts";
import { refusePlainHttp, retentionOf } from "./lib/start-coordinator.ts";
import { TELEMETRY_END_MS, telemetryFor } from "./lib/telemetry.ts";
import { readTlsPair } from "./lib/tls-files.ts";

export const coordinator: Command = async (context) => {
  const { values, log, version } = context;
  const { listen, tlsCert, tlsKey } = values;
  const tls = readTlsPair(tlsCert, tlsKey);
  refusePlainHttp(listen.host, tls !== null, values.insecure);
  const dataDir = values.dataDir ?? join(stateBase({ env: context.env, uid: process.getuid?.() ?? 0 }), "coordinator");
  const adminKeyFile = values.adminKeyFile ?? join(dataDir, "admin.key");
  const signingKey = values.signingKeyFile === null ? null : signingKeyOf(values.signingKeyFile);
  const stopped = Promise.withResolvers<void>();
  const stop = onStop([() => stopped.resolve(), () => process.exit(EXIT.done)]);
  const telemetry = await telemetryFor(context, "runner-coordinator");
  const server = await startCoordinator(
    {
      version,
      host: listen.host,
      port: listen.port,
      dataDir,
      adminKeyFile,
      publicUrl: values.publicUrl,
      tls: tls && { cert: tls.cert, key: tls.key },
      times: timesOf(values),
      retention: retentionOf(values),
      approvalMs: values.approvalExpiry,
      keepStates: values.keepStates,
      exchange: exchangeOf(values),
      exclusive: true,
      ...(signingKey === null ? {} : { signingKey }),
    },
    { log, telemetry },
  );
  log.info("coordinator is up", { url: server.url, data: dataDir, admin_key_file: adminKeyFile });
  forgetStart();
  await stopped.promise;
  stop();
  await server.stop();
  await telemetry?.end(TELEMETRY_END_MS);
  return EXIT.done;
};

function exchangeOf({ caFile, stsEndpoint, identityTokenLife }: Values): ExchangeOptions {
  if (stsEndpoint !== null && !stsEndpoint.startsWith("https://")) {
    throw new RunnerError("usage", "--sts-endpoint is no https address", {
      remedy: "Who answers there says who a runner is: name one with a certificate, and its authority with --ca-file.",
    });
  }
  return {
    ca: readCa(caFile),
    stsEndpoint: stsEndpoint && new URL(stsEndpoint).origin,
    tokenLifeMs: identityTokenLife === 0 ? null : identityTokenLife,
  };
}

function timesOf(values: Values): Times {
  const { lease, renew, claimHold, suspect, offline } = values;
  if (renew * 2 > lease) {
    throw new RunnerError("usage", "--renew is more than half of --lease", {
      remedy: "Renew at a third of the lease.",
    });
  }
  if (suspect <= claimHold || offline <= suspect) {
    throw new RunnerError("usage", "--claim-hold, --suspect and --offline must grow in this order", {
      remedy: "An idle runner is heard once per hold; with the defaults it is 25s, 35s, 60s.",
    });
  }
  return { lease_ms: lease, renew_ms: renew, claim_hold_ms: claimHold, suspect_ms: suspect, offline_ms: offline };
}
