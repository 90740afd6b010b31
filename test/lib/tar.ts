/** One entry of a hand-made tar archive; anything goes, because hostile ones are what it is for. */
export interface TarItem {
  readonly name: string;
  readonly content?: string | Uint8Array;
  /** `0` file (default), `1` hard link, `2` link, `3` and `4` devices, `5` folder, `6` pipe, `x` pax header, `L` long name. */
  readonly type?: string;
  readonly target?: string;
  readonly mode?: number;
  /** What the header says, when it is not the length of the content. */
  readonly size?: number;
}

const BLOCK = 512;

export function tar(items: readonly TarItem[], { end = true } = {}): Uint8Array<ArrayBuffer> {
  const parts = items.flatMap((item) => {
    const content = Buffer.from(item.content ?? "");
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    return [header(item, item.size ?? content.length), content, padding];
  });
  return Buffer.concat([...parts, ...(end ? [Buffer.alloc(2 * BLOCK)] : [])]);
}

/** An extended header for the entry that follows it. */
export function pax(records: Readonly<Record<string, string>>): TarItem {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    const length = Buffer.byteLength(rest);
    const digits = String(length + String(length).length).length;
    return `${length + digits}${rest}`;
  });
  return { name: "pax", type: "x", content: lines.join("") };
}

function header({ name, type = "0", target = "", mode = 0o644 }: TarItem, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), at, length - 1);
  block.write(name, 0, 100);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.fill(32, 148, 156);
  block.write(type, 156, 1);
  block.write(target, 157, 100);
  block.write("ustar\0", 257, 6);
  block.write("00", 263, 2);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}
