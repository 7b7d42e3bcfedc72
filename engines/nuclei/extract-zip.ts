import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { inflateRawSync } from "node:zlib";

const endOfDirectory = 0x06054b50;
const directoryEntry = 0x02014b50;

/**
 * Unpacks a zip whose checksum was compared before, below `folder`; names begin with `prefix`, which is dropped. APPNOTE.TXT 6.3.10, parts 4.3.7, 4.3.12
 * and 4.3.16; without encryption and zip64, which archives of Go modules do not use. Throws where the archive is not that.
 */
export function extractZip(archive: Buffer, { prefix, folder }: { prefix: string; folder: string }): void {
  const end = archive.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  if (end < 0 || archive.readUInt32LE(end) !== endOfDirectory) throw new Error("The archive has no directory.");
  const root = resolve(folder);
  let offset = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    if (archive.readUInt32LE(offset) !== directoryEntry) throw new Error("The archive's directory is not whole.");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) => archive.readUInt16LE(offset + at)) as [number, number, number];
    const name = archive.toString("utf8", offset + 46, offset + 46 + nameLength);
    const file = resolve(join(root, name.slice(prefix.length)));
    if (!name.startsWith(prefix) || !file.startsWith(root + sep)) throw new Error(`The archive has a file outside its folder: ${name}.`);
    if (!name.endsWith("/")) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, readEntry(archive, offset));
    }
    offset += 46 + nameLength + extraLength + commentLength;
  }
}

function readEntry(archive: Buffer, offset: number): Buffer {
  const method = archive.readUInt16LE(offset + 10);
  const size = archive.readUInt32LE(offset + 20);
  const local = archive.readUInt32LE(offset + 42);
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const packed = archive.subarray(start, start + size);
  if (method === 0) return packed;
  if (method === 8) return inflateRawSync(packed);
  throw new Error(`The archive has a compression that is not known here (${method}).`);
}
