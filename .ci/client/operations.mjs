// Writes a list of every operation of the document, which type-checks only if each has been generated and no other.
import { readFileSync, writeFileSync } from "node:fs";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const names = Object.values(document.paths).flatMap((path) => Object.values(path).map((operation) => operation.operationId));
const list = names.map((name) => `  ${name}: true,`).join("\n");
const text = `import type { operations } from "./api.js";\n\nexport const all: { [name in keyof operations]: true } = {\n${list}\n};\n`;
writeFileSync("operations.ts", text);
