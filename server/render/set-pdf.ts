import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type NodeAddFontBlobs, NodeCompiler, type PdfStandard } from "@myriaddreamin/typst-ts-node-compiler";

// A process of its own: sets the report that comes on standard input and writes the PDF to standard output. A large one takes seconds and a
// gigabyte, and what goes wrong in native code must not take the server with it.

const fonts = [
  "@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf",
  "@expo-google-fonts/inter/600SemiBold/Inter_600SemiBold.ttf",
  "@expo-google-fonts/inter/700Bold/Inter_700Bold.ttf",
  "@expo-google-fonts/jetbrains-mono/400Regular/JetBrainsMono_400Regular.ttf",
  "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
  "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf",
  "dejavu-fonts-ttf/ttf/DejaVuSansMono.ttf",
].map((name) => readFileSync(fileURLToPath(import.meta.resolve(name))));

const folder = dirname(fileURLToPath(import.meta.url));
const compiler = NodeCompiler.create({ workspace: folder, fontArgs: [{ fontBlobs: fonts } as NodeAddFontBlobs] });
compiler.mapShadow(join(folder, "report.json"), Buffer.from(await text(process.stdin)));
const compiled = compiler.compile({ mainFilePath: join(folder, "report.typ") });
if (!compiled.result) throw new Error(`Typst refused the report: ${JSON.stringify(compiled.takeDiagnostics()?.shortDiagnostics)}`);
process.stdout.write(toPdf(compiled.result));

/** Accessible (PDF/UA-1) where every character has a glyph; a character that no font of ours has would fail the standard, not the report. */
function toPdf(document: NonNullable<typeof compiled.result>): Buffer {
  try {
    return compiler.pdf(document, { pdfStandard: "ua-1" as PdfStandard, pdfTags: true });
  } catch (error) {
    console.error(`not PDF/UA-1: ${(error as Error).message.slice(0, 1000)}`);
    return compiler.pdf(document);
  }
}
