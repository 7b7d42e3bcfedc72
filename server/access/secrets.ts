import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Encrypts and decrypts small texts with the installation's key. `context` binds a text to where it belongs: elsewhere it does not decrypt. */
export interface Secrets {
  encrypt(text: string, context: string): Buffer;
  /** Throws where the text was changed, or belongs to another key or context. */
  decrypt(bytes: Buffer, context: string): string;
}

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * AES-256-GCM (NIST SP 800-38D) with the key of `PERISCAN_SECRET_KEY` (64 hexadecimal digits), else of DATA/secret-key, which is made where
 * it is missing. Servers that share a database share the key.
 */
export function openSecrets(dataFolder: string): Secrets {
  const key = readKey(dataFolder);
  return {
    encrypt: (text, context) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
      return Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
    },
    decrypt: (bytes, context) => {
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes)).setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(-tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString("utf8");
    },
  };
}

function readKey(dataFolder: string): Buffer {
  const given = process.env.PERISCAN_SECRET_KEY;
  if (given === undefined) return readKeyFile(dataFolder);
  if (!/^[0-9a-f]{64}$/i.test(given)) throw new Error("PERISCAN_SECRET_KEY must be 64 hexadecimal digits, such as `openssl rand -hex 32` prints.");
  return Buffer.from(given, "hex");
}

/** Two servers that start at once on one folder get one key: it appears whole, under a name that only one of them can take. */
function readKeyFile(dataFolder: string): Buffer {
  const file = join(dataFolder, "secret-key");
  const fresh = `${file}.${process.pid}`;
  mkdirSync(dataFolder, { recursive: true });
  try {
    writeFileSync(fresh, randomBytes(keyBytes), { mode: 0o600 });
    linkSync(fresh, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
  const key = readFileSync(file);
  if (key.byteLength !== keyBytes)
    throw new Error(`${file} is not a key of ${keyBytes} bytes: restore it from a backup; without it the logins of targets cannot be read.`);
  return key;
}
