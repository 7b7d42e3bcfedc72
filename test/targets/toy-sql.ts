/** A toy database of three products, which is as easily talked into another question as a real one is. */
export class SqlError extends Error {}

interface Product {
  id: number;
  name: string;
}

const products: Product[] = [
  { id: 1, name: "shoes" },
  { id: 2, name: "socks" },
  { id: 3, name: "hats" },
];

/** The products that a WHERE clause picks. Throws an SqlError in MySQL's words where the clause is broken. */
export function findProducts(where: string): Product[] {
  const tokens = readTokens(where);
  return products.filter((product) => evaluate([...tokens], product));
}

type Token = { kind: "string" | "number" | "word" | "sign"; text: string };

function readTokens(where: string): Token[] {
  const tokens: Token[] = [];
  let rest = where;
  while (rest.trim() !== "") {
    rest = rest.trimStart();
    const [text = "", string, number, word] = /^(?:'((?:[^'\\]|'')*)'|(\d+)|([A-Za-z_]+)|[=()%])/.exec(rest) ?? [];
    if (text === "") throw new SqlError(`You have an error in your SQL syntax; check the manual for the right syntax to use near '${rest.slice(0, 40)}'`);
    rest = rest.slice(text.length);
    if (string !== undefined) tokens.push({ kind: "string", text: string });
    else if (number !== undefined) tokens.push({ kind: "number", text: number });
    else tokens.push({ kind: word === undefined ? "sign" : "word", text: text.toUpperCase() });
  }
  return tokens;
}

/** Terms of comparisons, bound by AND before OR. */
function evaluate(tokens: Token[], product: Product): boolean {
  const value = readAny(tokens, product);
  if (tokens.length > 0) fail(tokens);
  return value;
}

function readAny(tokens: Token[], product: Product): boolean {
  let value = readAll(tokens, product);
  while (tokens[0]?.text === "OR" && tokens.shift()) value = readAll(tokens, product) || value;
  return value;
}

function readAll(tokens: Token[], product: Product): boolean {
  let value = readTerm(tokens, product);
  while (tokens[0]?.text === "AND" && tokens.shift()) value = readTerm(tokens, product) && value;
  return value;
}

function readTerm(tokens: Token[], product: Product): boolean {
  if (tokens[0]?.text === "(") {
    tokens.shift();
    const value = readAny(tokens, product);
    if (tokens.shift()?.text !== ")") fail(tokens);
    return value;
  }
  const left = readValue(tokens, product);
  const operator = tokens.shift();
  if (operator?.text !== "=" && operator?.text !== "LIKE") fail(tokens);
  return left === readValue(tokens, product);
}

function readValue(tokens: Token[], product: Product): string {
  const token = tokens.shift();
  if (token?.kind === "word" && (token.text === "ID" || token.text === "NAME")) return `${token.text === "ID" ? product.id : product.name}`;
  if (token?.kind !== "string" && token?.kind !== "number") return fail(tokens);
  return token.text;
}

function fail(tokens: Token[]): never {
  const near = tokens.map(({ text }) => text).join(" ");
  throw new SqlError(`You have an error in your SQL syntax; check the manual for the right syntax to use near '${near.slice(0, 40)}'`);
}
