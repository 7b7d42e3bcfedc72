import { cwePage, describeRules, header, mdn, type RuleRow, type RuleText, sheet, wstg } from "./rule-text.ts";

const scripting = wstg("07-Input_Validation_Testing/01-Testing_for_Reflected_Cross_Site_Scripting");
const scriptingSheet = sheet("Cross_Site_Scripting_Prevention");
const scriptingHarm =
  "With a prepared link an attacker runs a script in a visitor's browser, in the name of this site: it acts as the visitor, and reads what the visitor sees.";
const sql = wstg("07-Input_Validation_Testing/05-Testing_for_SQL_Injection");
const sqlHarm = "Who can write into a statement can read, and often change, all that the database holds, and sometimes run commands on its host.";
const sqlSolution = "Pass values as parameters (prepared statements), never as a part of the text; give the site's database user few rights.";
const oldFiles = wstg("02-Configuration_and_Deployment_Management_Testing/04-Review_Old_Backup_and_Unreferenced_Files_for_Sensitive_Information");
const methods = wstg("02-Configuration_and_Deployment_Management_Testing/06-Test_HTTP_Methods");

/**
 * The levels are ours. HIGH where the scan has proven that a visitor's or the server's side runs or gives away what a request says; MEDIUM where users are led astray or the inside is shown;
 * LOW where it only helps an attack along.
 */
const rows: RuleRow[] = [
  [
    920001,
    "HIGH",
    79,
    "Cross-site scripting: a value becomes part of the page's markup",
    `A value of the request came back in the page as markup: an element of ours, with a script on it, was among the page's own. ${scriptingHarm}`,
    "Encode values for HTML where they are written into a page; template engines do so unless told otherwise. A Content Security Policy is the second wall.",
    [scripting, scriptingSheet],
  ],
  [
    920002,
    "HIGH",
    79,
    "Cross-site scripting: a value leaves its attribute",
    `A value of the request came back within an attribute and could end it, or could be an address that is a script. ${scriptingHarm}`,
    "Put quotes around every attribute, encode quotes in values, and let addresses begin with http or https alone.",
    [scripting, scriptingSheet],
  ],
  [
    920003,
    "HIGH",
    79,
    "Cross-site scripting: a value becomes part of a script",
    `A value of the request came back within a script of the page, as code. ${scriptingHarm}`,
    "Keep values out of scripts: put them into a data attribute, or write them as JSON in which < is encoded.",
    [scripting, scriptingSheet],
  ],
  [
    920004,
    "HIGH",
    89,
    "SQL injection: a quote breaks a statement of the database",
    `A quote in a value made the database complain of a broken statement, and a word without a quote did not: the value becomes part of the statement. ${sqlHarm}`,
    sqlSolution,
    [sql, sheet("SQL_Injection_Prevention")],
  ],
  [
    920005,
    "HIGH",
    89,
    "SQL injection: a condition changes what the database finds",
    `A condition behind a value changed the page: with a true one it was as before, with a false one it was not, and both again with other numbers. So the database computes what the value says. ${sqlHarm}`,
    sqlSolution,
    [sql, sheet("SQL_Injection_Prevention")],
  ],
  [
    920006,
    "HIGH",
    22,
    "Path traversal: a value names any file of the server",
    "A value of the request led out of the folder that it was meant for: the answer held a file of the server's system. An attacker reads settings, logins and source code that way.",
    "Choose files by a name from a list; where a name must come from outside, build the whole path and check that it is within the folder.",
    [wstg("05-Authorization_Testing/01-Testing_Directory_Traversal_File_Include"), sheet("Input_Validation")],
  ],
  [
    920007,
    "MEDIUM",
    601,
    "Open redirect: a value decides which site visitors land on",
    "A value of the request sends visitors to any site. A link that begins with this site's name can so lead to a forged login page, or hand tokens of a login over to it.",
    "Redirect to paths of the site alone, or to addresses of a fixed list; take backslashes and // for what browsers take them for.",
    [sheet("Unvalidated_Redirects_and_Forwards"), wstg("11-Client-side_Testing/04-Testing_for_Client-side_URL_Redirect")],
  ],
  [
    920008,
    "MEDIUM",
    113,
    "Header injection: a line break in a value begins a header",
    "A line break in a value of the request began a header of the answer. An attacker can set cookies for a visitor, redirect, or put a page of his own into caches.",
    "Refuse line breaks in values that go into headers; current servers and frameworks do, so update them.",
    [wstg("07-Input_Validation_Testing/15-Testing_for_HTTP_Splitting_Smuggling"), "https://datatracker.ietf.org/doc/html/rfc9110#section-5.5"],
  ],
  [
    920009,
    "HIGH",
    1336,
    "Template injection: the server computes what a value says",
    "The page held the product of two numbers that a value of the request only named in the notation of a template: the server runs the value as one. Most template languages lead from there to commands on the server.",
    "Never build templates out of values; pass values to a fixed template as data.",
    [wstg("07-Input_Validation_Testing/18-Testing_for_Server-side_Template_Injection"), cwePage(94)],
  ],
  [
    920010,
    "HIGH",
    78,
    "Command injection: the server's shell runs what a value says",
    "The page held a sum that only a shell could have computed from a value of the request. An attacker runs commands on the server with the site's rights.",
    "Do not call a shell: use functions of the language, or start programs with a list of arguments and check each value.",
    [wstg("07-Input_Validation_Testing/12-Testing_for_Command_Injection"), sheet("OS_Command_Injection_Defense")],
  ],
  [
    920011,
    "HIGH",
    611,
    "XML entities: the server's XML reader resolves what the sender defines",
    "The server read XML with a document type of ours and put together what its entities define. Such a reader can usually be made to read files of the server, to call other hosts, and to use up all memory. Where the evidence shows a file, it did read one.",
    "Turn document types (DTD) and external entities off in the XML reader.",
    [sheet("XML_External_Entity_Prevention"), wstg("07-Input_Validation_Testing/07-Testing_for_XML_Injection")],
  ],
  [
    920012,
    "HIGH",
    918,
    "Server-side request forgery: the server fetches any address",
    "The server called an address that a value of the request named. An attacker can so reach, through the server, hosts that are not open to him: databases, administration pages, and the metadata of a cloud with its logins.",
    "Fetch from a fixed list of hosts; else resolve the name, refuse addresses that are not public, connect to that very address and follow no redirect. Keep the server from reaching what it need not.",
    [sheet("Server_Side_Request_Forgery_Prevention"), wstg("07-Input_Validation_Testing/19-Testing_for_Server-Side_Request_Forgery")],
  ],
  [
    920013,
    "HIGH",
    538,
    "File with secrets or source code is published",
    "A file that holds logins, keys or data, or the way to all of the source code, can be fetched by anybody. The field names it.",
    "Take it off the server, serve a folder that holds nothing but what is public, block names that begin with a dot, and change every secret that was in it.",
    [oldFiles, sheet("Secrets_Management")],
  ],
  [
    920014,
    "MEDIUM",
    497,
    "Page about the server's inside is published",
    "A page or file that tells about the inside of the server, such as its settings, its environment or its visitors, can be fetched by anybody. The field names it.",
    "Remove it, or let only administrators reach it.",
    [oldFiles, cwePage(200)],
  ],
  [
    920015,
    "MEDIUM",
    530,
    "Old copy of a program of the site is published",
    "Beside a program of the site lies a copy that the server does not run but hands out: its source code can be read by anybody. The request shows its name.",
    "Remove the copy, keep editors and deployment from leaving such files, and change logins that stand in it.",
    [oldFiles],
  ],
  [
    920016,
    "LOW",
    693,
    "TRACE sends requests back with their headers",
    "The server answers TRACE with the request as it came, with headers that a proxy on the way added and that scripts may not read. Nothing on a site needs it.",
    "Turn it off (TraceEnable Off in Apache).",
    [methods, "https://datatracker.ietf.org/doc/html/rfc9110#section-9.3.8"],
  ],
  [
    920017,
    "LOW",
    650,
    "Server offers to change its files (WebDAV)",
    "The server says that it takes WebDAV requests, with which files are listed, written and moved. Whether they need a login was not tried, for nothing is written.",
    "Turn WebDAV off where it is not used; else have it ask for a login.",
    [methods, "https://datatracker.ietf.org/doc/html/rfc4918#section-20"],
  ],
  [
    920018,
    "MEDIUM",
    942,
    "CORS lets any site that asks act with the user's login",
    "The server repeats whichever origin asks, and lets it use the visitor's cookies. Every site that a logged-in user visits can then read what this one shows to that user.",
    "Compare the origin with a fixed list as a whole, not by its beginning or end, and allow credentials for those alone.",
    [mdn("HTTP/Guides/CORS"), header("Access-Control-Allow-Origin"), wstg("11-Client-side_Testing/07-Testing_Cross_Origin_Resource_Sharing")],
  ],
  [
    920019,
    "MEDIUM",
    644,
    "Links of the page follow the Host header of the request",
    "The site builds its links with a host name that the sender of the request chose. Where mails such as those for a new password, or pages in a cache, are built the same way, an attacker leads others to his own host.",
    "Build links with a name from the configuration, and refuse requests for other names; take X-Forwarded-Host from the own proxy alone.",
    [wstg("07-Input_Validation_Testing/17-Testing_for_Host_Header_Injection"), header("Host")],
  ],
  [
    920020,
    "HIGH",
    943,
    "LDAP or XPath injection: a sign breaks a query",
    "A sign of a query language in a value made the library behind the site complain of a broken query: the value becomes part of the query. An attacker may get past a login or read other entries.",
    "Encode values for LDAP filters with the library's own function; pass values to XPath as variables.",
    [
      wstg("07-Input_Validation_Testing/06-Testing_for_LDAP_Injection"),
      wstg("07-Input_Validation_Testing/09-Testing_for_XPath_Injection"),
      sheet("LDAP_Injection_Prevention"),
    ],
  ],
];

export const activeRules: Record<string, RuleText> = describeRules("active", rows);
