import { join } from "node:path";
import { type ServiceRow, serviceDescription } from "./description.ts";

/** What is wanted: which service, where its program lies, and what it may do beyond the default. */
export interface ServiceWish {
  readonly service: "runner" | "mng";
  /** null: the mode of service.yml. */
  readonly mode: ServiceRow["mode"] | null;
  /** Name of one of several runners of this machine; null: the only one. */
  readonly instance: string | null;
  /** The program is PREFIX/bin/runner. */
  readonly prefix: string;
}

/** Where the parts of one service lie. */
export interface ServicePlace {
  readonly row: ServiceRow;
  readonly mode: ServiceRow["mode"];
  /** `runner.service`, `runner@eu-1.service`. */
  readonly unit: string;
  /** File of the unit: an instance's is the template's. */
  readonly unitFile: string;
  readonly program: string;
  readonly envFile: string;
  readonly tokenFile: string;
  readonly stateDir: string;
  /** Below /var/lib, as systemd wants it. */
  readonly stateName: string;
}

/** In a template's files `instance` is `%i`. */
export function placeOf(wish: ServiceWish): ServicePlace {
  const { services, config, state } = serviceDescription();
  const row = services[wish.service];
  const mode = wish.mode ?? row.mode;
  const name = wish.instance ?? mode;
  const at = wish.instance === null ? "" : "@";
  return {
    row,
    mode,
    unit: wish.instance === null ? `${row.unit}.service` : `${row.unit}@${wish.instance}.service`,
    unitFile: `${row.unit}${at}.service`,
    program: join(wish.prefix, "bin", "runner"),
    envFile: join(config, `${wish.instance ?? row.unit}.env`),
    tokenFile: join(config, wish.instance === null ? "token" : `${wish.instance}.token`),
    stateDir: join(state, name),
    stateName: join(state.replace(/^\/var\/lib\//, ""), name),
  };
}
