/**
 * Security headers of pages (gateway-recorder-appliance.md 1.8). No HSTS: under a root of the box's own it would lock guests out of a box that was set up anew (product.md 6.4).
 */

/** `host`: as in the Host header, so that `wss:` of the same origin is allowed for browsers whose 'self' does not cover it. */
export const contentSecurityPolicy = (host: string, secure: boolean, frameAncestors: readonly string[]): string =>
  [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    // Preact writes style attributes through the CSSOM, which needs no permission; a style attribute in markup would.
    "style-src-attr 'none'",
    "img-src 'self' data: blob:",
    "media-src 'self' blob: mediastream:",
    "font-src 'self'",
    `connect-src 'self' ${secure ? "wss" : "ws"}://${host}`,
    "worker-src 'self' blob:",
    "manifest-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    `frame-ancestors ${frameAncestors.join(" ")}`,
  ].join("; ");

export const securityHeaders = (
  host: string,
  secure: boolean,
  frameAncestors: readonly string[],
): Record<string, string> => ({
  "Content-Security-Policy": contentSecurityPolicy(host, secure, frameAncestors),
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Permissions-Policy":
    "camera=(self), microphone=(self), display-capture=(self), screen-wake-lock=(self), fullscreen=(self), picture-in-picture=(self), geolocation=(), payment=(), usb=()",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
});
