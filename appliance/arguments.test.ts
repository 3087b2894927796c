import { describe, expect, test } from "bun:test";
import { helpOf, overview, parseArguments } from "./arguments.ts";
import { subcommands } from "./commands.ts";
import { isKey } from "./config/options.ts";

const parse = (line: string) => parseArguments(line === "" ? [] : line.split(" "), subcommands);

describe("a command line", () => {
  const good: readonly (readonly [string, unknown])[] = [
    ["", { command: "help" }],
    ["--help", { command: "help" }],
    ["--version", { command: "version" }],
    ["start --lan --https-port 8443", { overrides: { "listen.lan": true, "gateway.https_port": 8443 } }],
    [
      "start --https-port=0 --listen 10.0.0.1",
      { overrides: { "gateway.https_port": 0, "listen.address": "10.0.0.1" } },
    ],
    [
      "start --set gateway.hosts=a.example,b.example --set bridge.sctp=false",
      { overrides: { "gateway.hosts": ["a.example", "b.example"], "bridge.sctp": false } },
    ],
    ["start --set gateway.bridges=jvb2=http://h:9090", { overrides: { "gateway.bridges": { jvb2: "http://h:9090" } } }],
    ["start --help", { command: "start", help: true }],
    ["backup out.tar.gz", { words: ["out.tar.gz"] }],
    ["start --https-port abc", { overrides: { "gateway.https_port": "abc" } }],
  ];
  for (const [line, expected] of good)
    test(line === "" ? "(empty)" : line, () => {
      const result = parse(line);
      expect(result.ok).toBe(true);
      if (result.ok) expect(result.arguments).toMatchObject(expected as object);
    });

  const bad: readonly (readonly [string, readonly string[]])[] = [
    ["fly", ['there is no command "fly"']],
    ["start --nope --also", ["--nope: start has no such option", "--also: start has no such option"]],
    ["start --https-port", ["--https-port needs a value: PORT"]],
    ["start --lan=yes", ["--lan takes no value"]],
    ["start --set nothing", ["--set nothing: it must be KEY=VALUE"]],
    ["start somewhere", ["somewhere: not understood"]],
    ["backup", ["FILE is missing"]],
  ];
  for (const [line, expected] of bad)
    test(`${line} is refused`, () => {
      const result = parse(line);
      expect(result.ok).toBe(false);
      if (!result.ok)
        expect(result.faults.map((fault, index) => fault.slice(0, expected[index]?.length))).toEqual([...expected]);
    });
});

test("every option that stands for a key names one that exists", () => {
  for (const subcommand of subcommands)
    for (const flag of subcommand.flags)
      if (flag.key !== undefined) expect([flag.key, isKey(flag.key)]).toEqual([flag.key, true]);
});

test("each help text names every option of its command", () => {
  expect(overview(subcommands)).toContain("start");
  for (const subcommand of subcommands)
    for (const flag of subcommand.flags) expect(helpOf(subcommand)).toContain(`--${flag.name}`);
});
