/**
 * Why something cannot start, as one clear line for people. Pure.
 */

const text = (error: unknown, key: string): string => {
  if (typeof error !== "object" || error === null) return "";
  const value: unknown = Reflect.get(error, key);
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
};

/** `error`: whatever was thrown while starting. */
export const startLine = (error: unknown): string => {
  const code = text(error, "code");
  const message = error instanceof Error ? error.message : String(error);
  const port = text(error, "port") || (/port[ =:]*(\d+)/i.exec(message)?.[1] ?? "");
  const where = port === "" || port === "0" ? "a port" : `port ${port}`;
  if (code === "EADDRINUSE" || /address already in use|is port \d+ in use/i.test(message))
    return `${where} is taken by another program: stop it, or choose another one (--https-port, --http-port, --xmpp-port, --media-port …, \`parley start --help\`)`;
  if (code === "EACCES" && /listen|bind|port/i.test(message))
    return `no permission to open ${where}: ports below 1024 need root or CAP_NET_BIND_SERVICE`;
  if (code === "EADDRNOTAVAIL") return `this machine has no such address to listen on (${message})`;
  const first = message.split("\n", 1)[0] ?? "";
  return first === "" ? "unknown fault" : first;
};
