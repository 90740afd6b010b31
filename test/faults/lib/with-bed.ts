import { type Control, startControl } from "./control.ts";
import { type Bed, makeBed } from "./processes.ts";

export interface Beds {
  readonly bed: Bed;
  readonly control: Control;
}

/** A test with a coordinator of its own, so that tests that mostly wait can wait together (describe.concurrent). */
export const withBed =
  (work: (beds: Beds) => Promise<void>, options: Parameters<typeof startControl>[1] = {}) =>
  async (): Promise<void> => {
    const bed = makeBed();
    try {
      await work({ bed, control: await startControl(bed, options) });
    } finally {
      await bed.end();
    }
  };
