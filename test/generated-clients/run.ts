import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { claimSome, finishTask, getScan, startScan, startTestServer, tcpOutcome } from "../../server/testing/start-test-server.ts";

// Generates clients of openapi.json in Python, Go and Java, and calls scans, risks with filters, exports and reports of a real server with each.
//   node test/generated-clients/run.ts [python|go|java…]
// Needs what it is asked for: python3 with venv, Go 1.26, Java 17 with Maven. Fetches from PyPI, Go modules and Maven Central, some 200 MB the first time.

const run = promisify(execFile);
const own = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const description = own("../../openapi.json");
const folder = mkdtempSync(join(tmpdir(), "periscan-clients-"));

/** Each makes its client in a folder of its own and answers the command that runs the program. */
const languages: Record<string, (folder: string) => Promise<string[]>> = {
  async python(folder) {
    await run("python3", ["-m", "venv", folder]);
    const bin = (name: string) => join(folder, "bin", name);
    await run(bin("pip"), ["install", "--quiet", "openapi-python-client==0.29.1"]);
    await run(bin("openapi-python-client"), ["generate", "--path", description, "--config", own("python.yml"), "--output-path", join(folder, "client")]);
    await run(bin("pip"), ["install", "--quiet", join(folder, "client")]);
    return [bin("python3"), own("client.py")];
  },
  async go(folder) {
    const inside = { cwd: folder };
    await run("go", ["mod", "init", "example.org/clients"], inside);
    mkdirSync(join(folder, "periscan"));
    const generator = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2";
    await run("go", ["run", generator, "-generate", "types,client", "-package", "periscan", "-o", "periscan/client.go", description], inside);
    cpSync(own("main.go"), join(folder, "main.go"));
    await run("go", ["get", "github.com/oapi-codegen/runtime@v1.9.0"], inside);
    await run("go", ["mod", "tidy"], inside);
    await run("go", ["build", "-o", "program", "."], inside);
    return [join(folder, "program")];
  },
  async java(folder) {
    const maven = (...args: string[]) => run("mvn", ["--batch-mode", "--quiet", ...args], { cwd: folder });
    const copy = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";
    await maven(copy, "-Dartifact=org.openapitools:openapi-generator-cli:7.25.0:jar", `-DoutputDirectory=${folder}`);
    const generate = [
      "generate",
      "-i",
      description,
      "-g",
      "java",
      "--library",
      "native",
      "--additional-properties",
      "containerDefaultToNull=true",
      "-o",
      join(folder, "client"),
    ];
    await run("java", ["-jar", "openapi-generator-cli-7.25.0.jar", ...generate], { cwd: folder, maxBuffer: 64 * 1024 ** 2 });
    const libraries = join(folder, "libraries");
    await maven("-f", "client/pom.xml", "-DskipTests", "package", "dependency:copy-dependencies", `-DoutputDirectory=${libraries}`, "-DincludeScope=runtime");
    const classPath = [join(libraries, "*"), join(folder, "client", "target", "openapi-java-client-1.jar")].join(":");
    await run("javac", ["-cp", classPath, "-d", folder, own("Main.java")]);
    return ["java", "-cp", `${folder}:${classPath}`, "Main"];
  },
};

const asked = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(languages);
await using server = await startTestServer();
const { id } = await startScan(server, { type: "NMAP", targets: ["198.51.100.8"] });
while ((await getScan(server, id)).state !== "SUCCEEDED")
  await finishTask(server, await claimSome(server), () => tcpOutcome({ ports: "1-1000", open: [22, 80] }));
const { data } = (await server.api<{ data: { status: string }[] }>("GET", "/v1/risks")).body;
// The type of the new scan, the open risks, the first block of the evidence of one, the lines of the export with its heading, and the first bytes of the report.
const expected = JSON.stringify(["NMAP", data.length, "facts", data.length + 1, "%PDF-"]);

try {
  for (const language of asked) {
    const make = languages[language];
    if (!make) throw new Error(`There is no ${language} here; there are ${Object.keys(languages).join(", ")}.`);
    const place = join(folder, language);
    mkdirSync(place);
    const [command = "", ...args] = await make(place);
    const environment = { ...process.env, PERISCAN_SERVER: server.url, PERISCAN_API_KEY: server.apiKey };
    const { stdout } = await run(command, args, { env: environment });
    const answer = JSON.stringify(JSON.parse(stdout));
    const isRight = answer === expected;
    console.log(`${isRight ? "✓" : "✗"} ${language}  ${answer}${isRight ? "" : `, not ${expected}`}`);
    if (!isRight) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
