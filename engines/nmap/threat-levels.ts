import type { ThreatLevel } from "@periscan/contract/risk.ts";
import type { Protocol } from "./read-nmap-xml.ts";

export interface PortAssessment {
  threatLevel: ThreatLevel;
  /** What the service is, and why it matters that it is open to the scanner. */
  description: string;
  solution: string;
  references: string[];
}

interface Row {
  level: ThreatLevel;
  /** Nmap's service names; they win over the port, because a service may listen anywhere. */
  services: string[];
  /** Ports that speak for the service where it did not say what it is, as `tcp/5432`. */
  ports: string[];
  why: string;
  solution: string;
  references: string[];
}

const restrict = "Let only the hosts that need it reach the port: bind it to loopback or an internal network, or filter it at the firewall.";
const vpn = "Take it off open networks: let administrators reach it through a VPN or a bastion host, with several factors of login.";

const exposedAdmin = "https://www.cisa.gov/news-events/directives/binding-operational-directive-23-02";
const cleartext = "https://cwe.mitre.org/data/definitions/319.html";
const missingLogin = "https://cwe.mitre.org/data/definitions/306.html";
const amplification = "https://www.cisa.gov/news-events/alerts/2014/01/17/udp-based-amplification-attacks";
const industrial = "https://www.cisa.gov/topics/industrial-control-systems";

/**
 * What an open port means, by service. The levels are ours: CRITICAL where whoever reaches the port usually takes the host without a login,
 * HIGH where it is a frequent way in or gives away data, MEDIUM where it widens the attack surface and rarely needs to be open, LOW where it
 * is usual but worth knowing, NONE where it is meant for everybody. Each row says why.
 */
const rows: Row[] = [
  {
    level: "CRITICAL",
    services: ["docker"],
    ports: ["tcp/2375"],
    why: "The Docker API without TLS gives root on its host to whoever reaches it.",
    solution: "Turn the TCP listener off, or require mutual TLS and let only administration hosts reach it.",
    references: ["https://docs.docker.com/engine/security/protect-access/", missingLogin],
  },
  {
    level: "CRITICAL",
    services: ["etcd", "etcd-client"],
    ports: ["tcp/2379", "tcp/2380"],
    why: "etcd holds a Kubernetes cluster's state and secrets; writing to it means owning the cluster.",
    solution: "Require client certificates, and let only the API servers reach it.",
    references: ["https://etcd.io/docs/latest/op-guide/security/", missingLogin],
  },
  {
    level: "CRITICAL",
    services: ["rsh", "rlogin", "login", "shell", "exec", "rexec"],
    ports: ["tcp/512", "tcp/513", "tcp/514"],
    why: "The r-services trust the caller's address and send everything in clear text; they were replaced by SSH decades ago.",
    solution: "Remove the service and use SSH.",
    references: [cleartext, "https://nvd.nist.gov/vuln/detail/CVE-1999-0651"],
  },
  {
    level: "HIGH",
    services: ["kubelet", "kubernetes"],
    ports: ["tcp/10250", "tcp/10255"],
    why: "The kubelet runs commands in every container of its node; a read-only one gives away the configuration of all of them.",
    solution: "Turn anonymous access and the read-only port off, and let only the control plane reach it.",
    references: ["https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/"],
  },
  {
    level: "HIGH",
    services: ["telnet"],
    ports: ["tcp/23"],
    why: "Telnet sends logins and sessions in clear text and is a favourite of malware that guesses passwords.",
    solution: "Replace it by SSH and turn it off.",
    references: [cleartext, exposedAdmin],
  },
  {
    level: "HIGH",
    services: ["ms-wbt-server"],
    ports: ["tcp/3389", "udp/3389"],
    why: "Remote Desktop is one of the most frequent first steps of ransomware, by guessed passwords and by flaws before the login.",
    solution: vpn,
    references: ["https://www.cisa.gov/stopransomware/ransomware-guide", exposedAdmin],
  },
  {
    level: "HIGH",
    services: ["vnc", "vnc-http", "vnc-1", "vnc-2"],
    ports: ["tcp/5800", "tcp/5900", "tcp/5901", "tcp/5902"],
    why: "VNC gives the screen and keyboard of the host, often behind a short password that is not encrypted well, or none.",
    solution: vpn,
    references: ["https://datatracker.ietf.org/doc/html/rfc6143#section-9", exposedAdmin],
  },
  {
    level: "HIGH",
    services: ["X11", "x11"],
    ports: ["tcp/6000", "tcp/6001", "tcp/6002"],
    why: "Who reaches an X server may read every key that is pressed and every window that is shown.",
    solution: "Start it with -nolisten tcp and forward single programs over SSH.",
    references: [missingLogin],
  },
  {
    level: "HIGH",
    services: ["wsman", "winrm"],
    ports: ["tcp/5985", "tcp/5986", "tcp/47001"],
    why: "Windows Remote Management runs commands for whoever has, or guesses, an administrator's login.",
    solution: vpn,
    references: ["https://learn.microsoft.com/en-us/windows/win32/winrm/authentication-for-remote-connections", exposedAdmin],
  },
  {
    level: "HIGH",
    services: ["microsoft-ds", "netbios-ssn"],
    ports: ["tcp/139", "tcp/445"],
    why: "Windows file sharing (SMB) spread worms such as WannaCry and gives away shares and names; it is not made for open networks.",
    solution: "Block the ports at the network's border, turn SMB 1 off, and require signing inside.",
    references: ["https://www.cisa.gov/news-events/alerts/2017/01/16/smb-security-best-practices"],
  },
  {
    level: "HIGH",
    services: ["redis"],
    ports: ["tcp/6379"],
    why: "Redis is made for trusted networks; without a password whoever reaches it reads its data and can often write files and run code.",
    solution: `${restrict} Set a password or ACLs, and turn dangerous commands off.`,
    references: ["https://redis.io/docs/latest/operate/oss_and_stack/management/security/"],
  },
  {
    level: "HIGH",
    services: ["mongodb", "mongod"],
    ports: ["tcp/27017", "tcp/27018", "tcp/27019"],
    why: "Databases of MongoDB that were open to the internet were emptied for ransom by the ten thousand.",
    solution: `${restrict} Turn access control on.`,
    references: ["https://www.mongodb.com/docs/manual/administration/security-checklist/"],
  },
  {
    level: "HIGH",
    services: ["elasticsearch", "wap-wsp"],
    ports: ["tcp/9200", "tcp/9300"],
    why: "A search cluster holds whatever was logged or indexed; without a login whoever reaches it reads and deletes it.",
    solution: `${restrict} Turn its security features on.`,
    references: ["https://www.elastic.co/docs/deploy-manage/security", missingLogin],
  },
  {
    level: "HIGH",
    services: ["memcached", "memcache"],
    ports: ["tcp/11211", "udp/11211"],
    why: "memcached has no login: its cache can be read and poisoned, and over UDP it multiplied attacks by 50,000.",
    solution: `${restrict} Turn its UDP port off.`,
    references: [amplification, "https://github.com/memcached/memcached/wiki/ConfiguringServer"],
  },
  {
    level: "HIGH",
    services: ["postgresql", "mysql", "mariadb", "ms-sql-s", "ms-sql-m", "oracle-tns", "oracle", "ibm-db2", "firebirdsql", "sybase"],
    ports: ["tcp/1433", "udp/1434", "tcp/1521", "tcp/3050", "tcp/3306", "tcp/5432", "tcp/50000"],
    why: "A database that can be reached directly is open to guessed passwords and to every flaw before its login; only its applications need it.",
    solution: restrict,
    references: ["https://cheatsheetseries.owasp.org/cheatsheets/Database_Security_Cheat_Sheet.html"],
  },
  {
    level: "HIGH",
    services: ["cassandra", "cassandra-native", "couchdb", "neo4j", "influxdb", "rethinkdb", "riak", "clickhouse"],
    ports: ["tcp/5984", "tcp/7474", "tcp/7687", "tcp/8086", "tcp/9042", "tcp/9160"],
    why: "The database can be reached directly, and several of its kind come without a login.",
    solution: `${restrict} Turn authentication on.`,
    references: ["https://cheatsheetseries.owasp.org/cheatsheets/Database_Security_Cheat_Sheet.html", missingLogin],
  },
  {
    level: "HIGH",
    services: ["zookeeper", "consul", "nomad", "vault", "hadoop-namenode", "hdfs"],
    ports: ["tcp/2181", "tcp/4646", "tcp/8500", "tcp/50070"],
    why: "It coordinates other systems: who writes to it can reconfigure them, and several of its kind run commands.",
    solution: `${restrict} Turn its access control on.`,
    references: ["https://developer.hashicorp.com/consul/docs/security", missingLogin],
  },
  {
    level: "HIGH",
    services: ["java-rmi", "rmiregistry", "jdwp", "jmx", "ajp13", "ajp12"],
    ports: ["tcp/1099", "tcp/5005", "tcp/8009"],
    why: "Java's remote interfaces (RMI, JMX, JDWP, AJP) load objects or run code for their caller and are often left without a login.",
    solution: restrict,
    references: ["https://nvd.nist.gov/vuln/detail/CVE-2020-1938", "https://cwe.mitre.org/data/definitions/502.html"],
  },
  {
    level: "HIGH",
    services: ["asf-rmcp", "ipmi"],
    ports: ["udp/623", "tcp/623"],
    why: "IPMI controls the hardware below the operating system and gives its password hashes to whoever asks.",
    solution: "Put management controllers into a network of their own.",
    references: ["https://www.cisa.gov/news-events/alerts/2013/07/26/risks-using-intelligent-platform-management-interface-ipmi"],
  },
  {
    level: "HIGH",
    services: ["modbus", "mbap", "iso-tsap", "s7-comm", "dnp", "dnp3", "bacnet", "EtherNetIP-2", "opcua", "fox", "enip"],
    ports: ["tcp/102", "tcp/502", "tcp/1911", "tcp/20000", "tcp/44818", "udp/44818", "udp/47808", "tcp/4840"],
    why: "Industrial control protocols have no login: who reaches the port can read and change a process in the physical world.",
    solution: "Keep control networks apart, and reach them through a guarded gateway only.",
    references: [industrial],
  },
  {
    level: "HIGH",
    services: ["nfs", "nfs_acl", "mountd", "iscsi"],
    ports: ["tcp/2049", "udp/2049", "tcp/3260"],
    why: "Network storage usually trusts the caller's address: its files may be read or changed without a login.",
    solution: `${restrict} Use Kerberos (sec=krb5p) or CHAP.`,
    references: ["https://datatracker.ietf.org/doc/html/rfc7530#section-19", missingLogin],
  },
  {
    level: "HIGH",
    services: ["tftp"],
    ports: ["udp/69"],
    why: "TFTP hands out files without a login, often the configurations of network devices with their passwords.",
    solution: restrict,
    references: ["https://datatracker.ietf.org/doc/html/rfc1350", missingLogin],
  },
  {
    level: "HIGH",
    services: ["snmp"],
    ports: ["udp/161", "tcp/161"],
    why: "SNMP 1 and 2 have clear-text community names that are often defaults; they give away, and may change, a device's configuration.",
    solution: "Use SNMP 3 with encryption, and let only the monitoring hosts reach it.",
    references: ["https://www.cisa.gov/news-events/alerts/2017/06/05/reducing-risk-snmp-abuse"],
  },
  {
    level: "MEDIUM",
    services: ["ftp", "ftp-data"],
    ports: ["tcp/20", "tcp/21"],
    why: "FTP sends logins and files in clear text.",
    solution: "Replace it by SFTP or HTTPS, or require TLS (FTPS).",
    references: [cleartext, "https://datatracker.ietf.org/doc/html/rfc4217"],
  },
  {
    level: "MEDIUM",
    services: ["rsync"],
    ports: ["tcp/873"],
    why: "An rsync service lists its modules to whoever asks, and often gives or takes files without a login.",
    solution: `${restrict} Run it over SSH.`,
    references: [missingLogin],
  },
  {
    level: "MEDIUM",
    services: ["msrpc", "rpcbind", "epmap"],
    ports: ["tcp/111", "udp/111", "tcp/135"],
    why: "The port mapper tells which RPC services a host has, and is the first step to most of them.",
    solution: restrict,
    references: [amplification],
  },
  {
    level: "MEDIUM",
    services: ["netbios-ns", "netbios-dgm", "mdns", "zeroconf", "llmnr", "wsdapi", "ws-discovery", "upnp", "ssdp"],
    ports: ["udp/137", "udp/138", "udp/1900", "tcp/1900", "udp/3702", "udp/5353", "udp/5355"],
    why: "Discovery protocols are for one local network: they give away names and services, and some multiply attacks on others.",
    solution: "Turn it off, or keep it inside the local network.",
    references: [amplification],
  },
  {
    level: "MEDIUM",
    services: ["chargen", "qotd", "echo", "discard", "daytime"],
    ports: ["tcp/7", "udp/7", "tcp/13", "udp/13", "udp/17", "tcp/19", "udp/19"],
    why: "The small test services of early Unix have no use today and multiply attacks on others.",
    solution: "Turn it off.",
    references: [amplification],
  },
  {
    level: "MEDIUM",
    services: ["ldap"],
    ports: ["tcp/389", "udp/389", "tcp/3268"],
    why: "The directory answers without encryption: logins can be read on the way, and names and groups may be listed.",
    solution: "Require TLS and signing, turn anonymous binds off, and keep it inside.",
    references: [cleartext, "https://datatracker.ietf.org/doc/html/rfc4513#section-6"],
  },
  {
    level: "MEDIUM",
    services: ["mqtt", "amqp", "stomp", "activemq", "kafka", "nats", "jms"],
    ports: ["tcp/1883", "tcp/4222", "tcp/5672", "tcp/9092", "tcp/61613", "tcp/61616"],
    why: "A message broker carries what applications tell each other; without login or TLS it can be read and fed.",
    solution: `${restrict} Require a login and TLS.`,
    references: [missingLogin, cleartext],
  },
  {
    level: "MEDIUM",
    services: ["http-proxy", "squid-http", "socks5", "socks4", "socks"],
    ports: ["tcp/1080", "tcp/3128"],
    why: "A proxy that serves strangers hides their attacks and may lead them into the network behind it.",
    solution: "Require a login, and serve only the networks that need it.",
    references: ["https://cwe.mitre.org/data/definitions/441.html"],
  },
  {
    level: "MEDIUM",
    services: ["afp", "printer", "ipp", "jetdirect", "hp-pjl", "pjl"],
    ports: ["tcp/515", "tcp/548", "tcp/631", "tcp/9100"],
    why: "Printers and file services of an office network are rarely patched and give away documents and names.",
    solution: "Keep it inside the office network.",
    references: ["https://www.cisa.gov/news-events/news/securing-network-infrastructure-devices"],
  },
  {
    level: "MEDIUM",
    services: ["sip", "rtsp", "h323q931"],
    ports: ["tcp/554", "tcp/1720", "tcp/5060", "udp/5060"],
    why: "Telephony and cameras are scanned all the time, for free calls and for open streams.",
    solution: "Let only the provider and known devices reach it, and require strong passwords.",
    references: [exposedAdmin],
  },
  {
    level: "LOW",
    services: ["ssh"],
    ports: ["tcp/22"],
    why: "SSH is sound, but each one that is open to all is tried with guessed passwords all day.",
    solution: "Allow keys only, no root login, and let only the networks of administrators reach it.",
    references: ["https://datatracker.ietf.org/doc/html/rfc4251#section-9", exposedAdmin],
  },
  {
    level: "LOW",
    services: ["smtp", "pop3", "imap", "nntp"],
    ports: ["tcp/25", "tcp/110", "tcp/119", "tcp/143", "tcp/587"],
    why: "Mail services are usual, but without TLS their logins and messages can be read on the way.",
    solution: "Require STARTTLS or the TLS port, and turn clear-text logins off.",
    references: ["https://datatracker.ietf.org/doc/html/rfc8314"],
  },
  {
    level: "LOW",
    services: ["domain"],
    ports: ["tcp/53", "udp/53"],
    why: "A name server that answers strangers for any name multiplies attacks; one that serves its own zone is meant to be open.",
    solution: "Turn recursion off for strangers, and limit the rate of answers.",
    references: ["https://datatracker.ietf.org/doc/html/rfc5358"],
  },
  {
    level: "LOW",
    services: ["ntp"],
    ports: ["udp/123"],
    why: "An old or talkative time server multiplies attacks on others.",
    solution: "Turn mode 6 and 7 queries off for strangers.",
    references: [amplification],
  },
  {
    level: "LOW",
    services: ["kerberos-sec", "kpasswd5", "kerberos"],
    ports: ["tcp/88", "udp/88", "tcp/464"],
    why: "Kerberos shows that a domain controller is here, and its logins can be guessed from outside.",
    solution: restrict,
    references: ["https://datatracker.ietf.org/doc/html/rfc4120#section-10"],
  },
  {
    level: "LOW",
    services: ["http"],
    ports: ["tcp/80", "tcp/3000", "tcp/5000", "tcp/8000", "tcp/8080", "tcp/8888", "tcp/9090"],
    why: "Web pages without TLS can be read and changed on the way; on ports other than 80 it is often an administration page.",
    solution: "Send visitors to HTTPS, and protect administration pages.",
    references: [cleartext],
  },
  {
    level: "NONE",
    services: ["https", "imaps", "pop3s", "smtps", "ldaps", "domain-s"],
    ports: ["tcp/443", "tcp/465", "tcp/636", "tcp/853", "tcp/993", "tcp/995", "udp/443"],
    why: "The service is encrypted and usually meant to be open; what its TLS and its content are worth is for the other scan types to say.",
    solution: "Nothing to do, if it is meant to be open.",
    references: ["https://cheatsheetseries.owasp.org/cheatsheets/Transport_Layer_Security_Cheat_Sheet.html"],
  },
  {
    level: "NONE",
    services: ["isakmp", "openvpn", "wireguard", "ipsec-nat-t"],
    ports: ["udp/500", "udp/1194", "tcp/1194", "udp/4500", "udp/51820"],
    why: "A VPN's entrance is meant to be open; keep its software up to date, because flaws in it are used quickly.",
    solution: "Nothing to do, if it is meant to be open.",
    references: ["https://www.cisa.gov/news-events/news/enterprise-vpn-security"],
  },
];

const unknown: Omit<Row, "services" | "ports"> = {
  level: "LOW",
  why: "Every open port is a way to talk to the host; one that nobody expects deserves a look.",
  solution: "Find out which program listens there. Turn it off where it is not needed; else let only the hosts that need it reach it.",
  references: ["https://www.cisecurity.org/controls/secure-configuration-of-enterprise-assets-and-software"],
};

const byService = new Map(rows.flatMap((row) => row.services.map((service): [string, Row] => [service, row])));
const byPort = new Map(rows.flatMap((row) => row.ports.map((port): [string, Row] => [port, row])));

/** By the service where it said what it is, else by the port, else as an unknown service. Inside TLS, plain HTTP and mail are their encrypted kin. */
export function assessPort(port: { protocol: Protocol; number: number; service?: string; tunnel?: string }): PortAssessment {
  const row = findRow(port);
  return { threatLevel: row.level, description: row.why, solution: row.solution, references: row.references };
}

const encryptedKin = new Set(["http", "imap", "pop3", "smtp", "ldap", "domain"]);

function findRow({ protocol, number, service, tunnel }: Parameters<typeof assessPort>[0]): typeof unknown {
  if (service === undefined) return byPort.get(`${protocol}/${number}`) ?? unknown;
  if (tunnel === "ssl" && encryptedKin.has(service)) return byService.get("https") ?? unknown;
  return byService.get(service) ?? unknown;
}
