/** How the runner runs as a service: service.yml, and what is generated from it. */
export { containerArgs, drainSeconds, removeArgs } from "./container.ts";
export { serviceDescription } from "./description.ts";
export {
  dropInDir,
  imageUnitFile,
  type ServiceFile,
  SYSTEMD_DIR,
  serviceBundle,
  serviceFiles,
  sysusersFile,
} from "./files.ts";
export { IMAGE_UNIT } from "./image-unit.ts";
export { placeOf, type ServicePlace, type ServiceWish } from "./place.ts";
export { GENERATED } from "./systemd.ts";
