import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A private key and a certificate that signs itself, in PEM, good for a day. */
export function makeTestCertificate(name: string): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "periscan-certificate-"));
  try {
    const files = { key: join(folder, "key.pem"), cert: join(folder, "cert.pem") };
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", files.key];
    execFileSync("openssl", ["req", "-x509", ...key, "-out", files.cert, "-days", "1", "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`], {
      stdio: "ignore",
    });
    return { key: readFileSync(files.key, "utf8"), cert: readFileSync(files.cert, "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
