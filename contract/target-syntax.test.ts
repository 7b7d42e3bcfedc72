import { expect, test } from "vitest";
import { parseAddress, parseTarget } from "./target-syntax.ts";

const textsOf = (input: string) => {
  const parsed = parseTarget(input);
  return parsed.ok ? parsed.targets.map(({ text }) => text) : parsed.reason;
};

test.each([
  ["192.0.2.1", "192.0.2.1"],
  [" 192.0.2.1 ", "192.0.2.1"],
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["WWW.Example.COM.", "www.example.com"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["localhost", "localhost"],
  ["_dmarc.example.com", "_dmarc.example.com"],
  ["example.com:8443", "example.com:8443"],
  ["[2001:db8::1]:443", "[2001:db8::1]:443"],
  ["HTTPS://Example.com:443/App?q=1#top", "https://example.com/App?q=1"],
  ["http://user:secret@example.com/", "http://example.com/"],
  ["http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x"],
])("%j is %s", (input, text) => {
  expect(textsOf(input)).toEqual([text]);
});

test("a block is each of its addresses", () => {
  expect(textsOf("192.0.2.5/30")).toEqual(["192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7"]);
  expect(textsOf("192.0.2.0/22")).toHaveLength(1024);
  expect(textsOf("2001:db8::/127")).toEqual(["2001:db8::", "2001:db8::1"]);
});

test.each([
  "",
  "-oN /tmp/x",
  "-iL",
  "--script=x",
  "a;b",
  "$(id)",
  "`id`",
  "a b",
  "a\nb",
  "a\u0000b",
  "a|b",
  "a&b",
  "a'b",
  'a"b',
  "../etc/passwd",
  "-example.com",
  "example-.com",
  "exa..mple",
  "ftp://example.com",
  "javascript:alert(1)",
  "file:///etc/passwd",
  "http://",
  "http://a b/",
  "http://exa%6dple.com/",
  "http://example.com\\@evil.example/",
  "http://example.com:0/",
  "example.com:99999",
  "0x7f.1",
  "2130706433",
  "127.1",
  "0177.0.0.1",
  "1.2.3.4.5",
  "1.2.3.256",
  "fe80::1%eth0",
  "192.0.2.0/21",
  "192.0.2.0/33",
  "192.0.2.0/-1",
  "192.0.2.0/24/8",
  "192.0.2.1-20",
  "192.0.2.*",
  "2001:db8::/64",
  "x".repeat(3000),
])("%j is refused", (input) => {
  expect(parseTarget(input)).toMatchObject({ ok: false, reason: expect.stringMatching(/\.$/) });
});

test("no target that is accepted can be read as an option, whatever its kind", () => {
  const characters = ["-", "a", ".", "1", ":", "/", "[", "]", "@", "%", " ", "$", "http://"];
  for (let round = 0; round < 20_000; round++) {
    const input = Array.from({ length: 1 + Math.floor(Math.random() * 6) }, () => characters[Math.floor(Math.random() * characters.length)]).join("");
    const parsed = parseTarget(input);
    if (!parsed.ok) continue;
    for (const { text, host } of parsed.targets) expect([text[0], host[0]], input).not.toContain("-");
  }
});

test("what was read is read again as the same", () => {
  for (const input of ["192.0.2.1", "bücher.example", "HTTPS://Example.com/a b".replace(" ", "%20"), "[2001:db8::1]:443"]) {
    const [text = ""] = textsOf(input);
    expect(textsOf(text)).toEqual([text]);
  }
});

test("an address is four decimal parts or IPv6 without a zone", () => {
  expect([parseAddress("010.0.0.1"), parseAddress("1.2.3"), parseAddress("::1%lo"), parseAddress("::ffff:1.2.3.4")]).toEqual([
    undefined,
    undefined,
    undefined,
    "::ffff:102:304",
  ]);
});
