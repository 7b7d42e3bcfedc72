import { expect, test } from "vitest";
import { parseAddress, parseTarget } from "./target-syntax.ts";

const textsOf = (input: string) => {
  const parsed = parseTarget(input);
  return parsed.ok ? parsed.targets.map(({ text }) => text) : parsed.reason;
};

test.each([
  // Each line is one target: every spelling of it has the first as its text.
  ["192.0.2.1", " 192.0.2.1 ", "\t192.0.2.1\n", "192.0.2.1/32", "::ffff:192.0.2.1", "::FFFF:C000:201", "[::ffff:192.0.2.1]", "0:0:0:0:0:ffff:c000:0201"],
  ["2001:db8::1", "2001:DB8:0:0::1", "2001:0db8:0000:0000:0000:0000:0000:0001", "[2001:db8::1]", "2001:db8::0.0.0.1", "2001:db8::1/128"],
  ["2001:db8::c000:201", "2001:db8::192.0.2.1"],
  ["::c000:201", "::192.0.2.1"],
  ["2001:db8::1:0:0:1", "2001:db8:0:0:1::1", "2001:DB8:0:0:1:0:0:1"],
  ["::1", "0:0:0:0:0:0:0:1", "[::1]", "::0001"],
  ["www.example.com", "WWW.Example.COM.", "www.example.com", "ＷＷＷ．example。com", "www.example.com｡"],
  ["xn--bcher-kva.example", "bücher.example", "BÜCHER.example.", "bu\u0308cher.example", "XN--BCHER-KVA.Example", "ｂücher.example", "bücher。example"],
  ["xn--strae-oqa.example", "straße.example", "STRAẞE.example"],
  ["xn--0-dha.xn--bcher-kva.example", "ü0.xn--bcher-kva.example", "xn--0-dha.bücher.example"],
  ["k.example", "\u212a.example"],
  // What UTS 46 (not transitional) takes and IDNA 2008 does not: symbols, also with the mark that makes them colourful.
  ["xn--i-7iq.example", "i❤.example", "I❤\ufe0f.EXAMPLE."],
  ["xn--ls8h.example", "💩.example"],
  ["xn--h77hc.example", "🇩🇪.example"],
  ["xn--2-tbo.example", "√2.example"],
  // Punctuation and joiners that names have in their script.
  ["xn--tck6aps8gph.example", "コム・ネット.example"],
  ["xn--ll-0ea.example", "l·l.example", "L·L.example"],
  ["xn--hebh4d.example", "נ״ל.example"],
  ["xn--mgba3gch31f060k.example", "نامه\u200cای.example"],
  ["localhost", "LOCALHOST."],
  ["_dmarc.example.com", "_DMARC.example.com"],
  ["example.com:8443", "EXAMPLE.com.:8443", "example.com:08443"],
  ["[2001:db8::1]:443", "[2001:DB8:0::1]:443"],
  ["192.0.2.1:443", "[::ffff:192.0.2.1]:443"],
  [
    "https://example.com/",
    "https://example.com",
    "HTTPS://Example.COM.:443/",
    "https://example.com/?",
    "https://example.com#top",
    "https://example.com/./",
    "https://example.com/a/..",
  ],
  ["https://example.com/App?q=1", "HTTPS://Example.com:443/App?q=1#top", "https://example.com/x/../App?q=1", "https://example.com/%41pp?q=%31"],
  ["https://example.com/~a/%2Fb%C3%A4", "https://example.com/%7ea/%2fbä", "https://example.com/%7Ea/%2f%62%c3%a4"],
  ["https://example.com/%252e", "https://example.com/%25%32e"],
  ["https://example.com/b", "https://example.com/%2e%2E/b", "https://example.com/a/%2e./b"],
  ["http://example.com:443/", "http://example.com:00443"],
  ["http://[2001:db8::1]:8080/x", "http://[2001:DB8:0::1]:8080/x"],
  ["http://192.0.2.1/", "http://192.0.2.1:80", "http://[::ffff:192.0.2.1]/", "http://[::ffff:c000:201]"],
  ["http://xn--i-7iq.example:8080/x", "http://i❤.example:8080/x", "HTTP://I❤\ufe0f.example:8080/x"],
  ["http://xn--mgba3gch31f060k.example/", "http://نامه\u200cای.example"],
  ["xn--i-7iq.example:443", "i❤.example:443"],
  ["http://xn--bcher-kva.example/", "http://bücher.example", "http://BÜCHER.example:80/", "http://xn--bcher-kva.example./"],
])("%s is one target in every spelling", (text, ...spellings) => {
  for (const spelling of [text, ...spellings]) expect(textsOf(spelling), spelling).toEqual([text]);
});

test("what names another place, or may, is another target", () => {
  const different = [
    "https://example.com/a",
    "https://example.com/a/",
    "https://example.com//a",
    "https://example.com/A",
    "https://example.com/a?b",
    "https://example.com/a%2Fb",
    "https://example.com/a/b",
    "http://example.com/a",
    "https://example.com:8443/a",
    "https://www.example.com/a",
    "example.com",
    "example.com:443",
    "2001:db8::1",
    "64:ff9b::192.0.2.1",
    "::192.0.2.1",
    "192.0.2.1",
  ];
  const texts = different.map((input) => String(textsOf(input)));
  expect([texts[0], new Set(texts).size]).toEqual(["https://example.com/a", different.length]);
});

test("a login in a URL is refused, and not repeated", () => {
  for (const url of ["http://user:secret@example.com/", "https://secret@example.com", "http://:secret@example.com/", "http://@example.com/"]) {
    const parsed = parseTarget(url);
    expect(parsed, url).toMatchObject({ ok: false, reason: expect.stringContaining("PUT /v1/targets/:id/auth") });
    expect(JSON.stringify(parsed)).not.toContain("secret@");
  }
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
  "[fe80::1%25eth0]",
  "http://[fe80::1%25eth0]/",
  "http://0x7f.1/",
  "http://0177.0.0.1/",
  "http://2130706433/",
  "http://127.1/",
  "http://127.0.0.1./",
  "http://１２７.0.0.1/",
  "http://127。0。0。1/",
  "１２７.0.0.1",
  "127。0。0。1",
  "①27.0.0.1",
  "0x7f.0x0.0x0.0x1",
  "0x7f000001:80",
  "example.0x7f",
  "192.0.2.1.",
  "[192.0.2.1]",
  "[192.0.2.1]:80",
  "http://[192.0.2.1]/",
  "[example.com]",
  "::ffff:192.0.2.0/120",
  "::ffff:0300.0.2.1",
  "exa\u00admple.com",
  "exa\u200dmple.com",
  "example.com\u2024evil",
  "exa\u200cmple.com",
  "http://exa\u200dmple.com/",
  "http://example.com/\u200c",
  "example.com\u2025evil",
  "⒈com",
  "㏂.example",
  "a℀b.example",
  "＄.example",
  "a％41.example",
  "⑴.example",
  "a\ue000.example",
  "a\u00a0b.example",
  ".",
  "example.com..",
  ".example.com",
  `${"a".repeat(64)}.example`,
  `${"a.".repeat(127)}example`,
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
  for (const input of ["192.0.2.1", "bücher.example", "HTTPS://Example.com/a%20b%7e?%c3", "[2001:db8::1]:443"]) {
    const [text = ""] = textsOf(input);
    expect(textsOf(text)).toEqual([text]);
  }
});

test("an address is four decimal parts or IPv6 without a zone", () => {
  expect([parseAddress("010.0.0.1"), parseAddress("1.2.3"), parseAddress("::1%lo"), parseAddress("::ffff:1.2.3.4")]).toEqual([
    undefined,
    undefined,
    undefined,
    "1.2.3.4",
  ]);
});
