import { crc32, deflateRawSync } from "node:zlib";

/** A zip archive of one file, deflated. */
export function zip(name: string, content: string | Uint8Array, mode = 0o755): Uint8Array<ArrayBuffer> {
  const data = Buffer.from(content);
  const packed = deflateRawSync(data, { level: 1 });
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(8, 4);
  common.writeUInt32LE(crc32(data), 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(data.length, 18);
  common.writeUInt16LE(name.length, 22);
  const signature = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const local = Buffer.concat([signature(0x04034b50), common, Buffer.from(name), packed]);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE(((0o100000 | mode) << 16) >>> 0, 6);
  const central = Buffer.concat([signature(0x02014b50), Buffer.from([20, 3]), common, rest, Buffer.from(name)]);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return new Uint8Array(Buffer.concat([local, central, end]));
}
