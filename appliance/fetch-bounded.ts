/**
 * Shell: requests of a core to other systems (token keys, reservations, event hooks): bounded in time and size, never following redirects.
 */
export interface BoundedRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface BoundedAnswer {
  /** 0: no answer (refused, unreachable, too slow, too long). */
  readonly status: number;
  /** At most 64 KiB. */
  readonly body: string;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 65_536;

/** Status 0: no answer, too slow, or too long. */
export async function fetchBounded(request: BoundedRequest): Promise<BoundedAnswer> {
  const none: BoundedAnswer = { status: 0, body: "" };
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
