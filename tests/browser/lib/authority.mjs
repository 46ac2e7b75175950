/** A certificate authority for one run, and browsers' profiles that trust it. */

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];

/** Makes the authority and a certificate of it for localhost and both loopback addresses. */
export async function authority() {
  const folder = await mkdtemp(join(tmpdir(), "watari-authority-"));
  const [ca, caKey, chain, key] = ["ca.pem", "ca.key", "chain.pem", "key.pem"].map((name) => join(folder, name));
  await run("openssl", ["req", "-x509", ...KEY, "-subj", "/CN=Watari test authority", "-keyout", caKey, "-out", ca]);
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1";
  const issued = ["-CA", ca, "-CAkey", caKey, "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"];
  await run("openssl", ["req", "-x509", ...KEY, "-subj", "/CN=localhost", ...issued, "-keyout", key, "-out", chain]);
  return {
    chain,
    key,
    trustedIn: (/** @type {string} */ database) => trust(database, ca),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/**
 * Has an NSS database trust an authority; makes it if need be.
 * @param {string} database a folder
 * @param {string} certificate the authority's, in PEM
 */
export async function trust(database, certificate) {
  await mkdir(database, { recursive: true });
  const password = join(database, "no-password");
  await writeFile(password, "\n");
  await run("certutil", ["-N", "-d", `sql:${database}`, "-f", password]);
  await run("certutil", ["-A", "-d", `sql:${database}`, "-n", "watari", "-t", "C,,", "-i", certificate, "-f", password]);
}

/** @typedef {{ trustedIn(database: string): Promise<void> }} Trusted what browsers' profiles are told to believe */
/** @typedef {Awaited<ReturnType<typeof authority>>} Authority */
