import { expect, test } from "vitest";
import { isPublicAddress, refuseAddress, refuseName } from "./target-policy.ts";

test.each([
  ["169.254.169.254", "link-local"],
  ["169.254.0.1", "link-local"],
  ["fe80::1", "link-local"],
  ["224.0.0.1", "multicast"],
  ["ff02::1", "multicast"],
  ["0.0.0.0", "unspecified"],
  ["0.1.2.3", "unspecified"],
  ["::", "unspecified"],
  ["255.255.255.255", "broadcast"],
  ["100.100.100.200", "Alibaba"],
  ["168.63.129.16", "Azure"],
  ["192.0.0.192", "Oracle"],
  ["fd00:ec2::254", "Amazon"],
  ["fd00:ec2::23", "Amazon"],
  ["fd00:42::42", "Scaleway"],
  ["fd00:c1::a9fe:a9fe", "Oracle"],
  ["fd00:a9fe:a9fe::1", "Linode"],
  ["fd20:ce::254", "Google"],
  ["::ffff:0:169.254.169.254", "link-local"],
  ["::ffff:0:100.100.100.200", "Alibaba"],
  ["::ffff:0:0.0.0.0", "unspecified"],
  ["64:ff9b::100.100.100.200", "Alibaba"],
  ["64:ff9b:1::a9fe:a9fe", "local NAT64"],
  ["64:ff9b:1:a9fe:a9:fe00::", "local NAT64"],
  ["2002:6464:64c8::1", "Alibaba"],
  ["2001:0:4136:e378:8000:63bf:5601:5601", "Teredo"],
  ["fe80::1%eth0", "link-local"],
  ["::ffff:169.254.169.254", "link-local"],
  ["64:ff9b::a9fe:a9fe", "link-local"],
  ["2002:a9fe:a9fe::1", "link-local"],
  ["::a9fe:a9fe", "link-local"],
])("%s is never scanned: %s", (address, why) => {
  expect(refuseAddress(address, { allowLoopback: true })).toContain(why);
});

test.each(["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1"])(
  "%s is scanned only where loopback may be",
  (address) => {
    expect(refuseAddress(address, { allowLoopback: true })).toBeUndefined();
    expect(refuseAddress(address, { allowLoopback: false })).toContain("loopback");
  },
);

test.each(["10.0.0.1", "172.16.0.1", "192.168.1.1", "198.18.0.1", "8.8.8.8", "fd12::1", "2001:db8::1"])("%s may be scanned", (address) => {
  expect(refuseAddress(address, { allowLoopback: false })).toBeUndefined();
});

test("names of metadata services are refused before they are resolved", () => {
  expect(refuseName("metadata.google.internal")).toContain("metadata service");
  expect(refuseName("www.example.com")).toBeUndefined();
});

test.each(["::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8", "2001:0:4136:e378:8000:63bf:5601:5601", "fd00:ec2::23"])(
  "%s is no address of the public internet",
  (address) => {
    expect(isPublicAddress(address)).toBe(false);
  },
);
