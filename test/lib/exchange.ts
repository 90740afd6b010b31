import { createAuditLog } from "../../internal/coordinator/audit.ts";
import { createExchange, type Exchange } from "../../internal/coordinator/identity/exchange.ts";
import type { Store } from "../../internal/coordinator/store/store.ts";
import { silentLog } from "../../internal/kit/base/system-log.ts";

/** The exchange of identities of an app that a test puts together itself. */
export const exchangeOf = (store: Store): Exchange =>
  createExchange({
    store,
    audit: createAuditLog(store),
    log: silentLog,
    origin: "https://runner.example.com",
    clock: store.clock,
    options: { ca: null, stsEndpoint: null, tokenLifeMs: null },
  });
