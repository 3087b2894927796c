/**
 * Shell: requests of the core to other systems (token keys, reservations, event hooks): bounded in time and size, never following redirects.
 */
import type { HttpAnswer, HttpRequest } from "./host.ts";

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 65_536;

/** Status 0: no answer, too slow, or too long. */
export async function fetchBounded(request: HttpRequest): Promise<HttpAnswer> {
  const none: HttpAnswer = { status: 0, body: "" };
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(request.body !== undefined ? { body: request.body } : {}),
    });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > MAX_BYTES) return none;
      chunks.push(chunk);
    }
    return { status: response.status, body: Buffer.concat(chunks).toString("utf8") };
  } catch {
    return none; // whoever asked decides what no answer means
  }
}
