/**
 * Recorded HTTP (protocol/transcripts, copied into fixtures): requests with their answers, for tests that ask the same of ours.
 */
import { readFileSync } from "node:fs";

export interface RecordedExchange {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Of the request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly request: string;
  readonly status: number;
  /** Content type of the answer without parameters; empty: none. */
  readonly type: string;
  readonly body: string;
}

const REQUEST = /^>>> (\S+) http:\/\/[^/]+(\S*) ?(.*)$/;
const ANSWER = /^<<< (\d+) (\{.*\}) \(/;

export const recordedExchanges = (fixture: URL): RecordedExchange[] =>
  readFileSync(fixture, "utf8")
    .split(/\n(?=>>> )/)
    .filter((part) => part.startsWith(">>> "))
    .map((part) => {
      const lines = part.trim().split("\n");
      const [, method = "", path = "", headers = ""] = REQUEST.exec(lines[0] ?? "") ?? [];
      const at = lines.findIndex((line) => line.startsWith("<<< "));
      const [, status = "", said = "{}"] = ANSWER.exec(lines[at] ?? "") ?? [];
      const type = (JSON.parse(said) as Record<string, string>)["content-type"] ?? "";
      return {
        method,
        path,
        headers: headers === "" ? {} : (JSON.parse(headers) as Record<string, string>),
        request: lines.slice(1, at).join("\n"),
        status: Number(status),
        type: type.split(";")[0] ?? "",
        body: lines.slice(at + 1).join("\n"),
      };
    });
