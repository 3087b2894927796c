/**
 * Shapes that many options share: patterns, and defaults that follow from other options. Pure.
 */
import { type Known, type Option, text } from "./option.ts";

export const DOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
export const HOST_OR_ADDRESS = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:.]{2,45}$/;
export const IP_ADDRESS = /^[0-9A-Fa-f:.]{2,45}$/;
export const HTTP_URL = /^https?:\/\/[^\s/?#]+$/;
export const USER = /^[A-Za-z0-9._-]{1,64}$/;
export const ROOM_JID = /^[^\s@/'"<>&]{1,256}@[a-z0-9.-]{1,253}$/;
export const PATH = /^.{0,4000}$/;

/** Allows the empty text besides. */
export const optional = (pattern: RegExp): RegExp => new RegExp(`^$|${pattern.source}`);

/** The value of a text option above. */
export const known = (options: Known, key: string): string => {
  const value = options[key];
  return typeof value === "string" ? value : "";
};

export const numberKnown = (options: Known, key: string): number => {
  const value = options[key];
  return typeof value === "number" ? value : 0;
};

export const below = (label: string) => (options: Known) => `${label}.${known(options, "domains.domain")}`;

export const domain = (standard: string | ((options: Known) => string), reason: string): Option<string> =>
  text({ default: standard, pattern: DOMAIN, expects: "a domain name in lower case", reason });

export const address = (standard: string | ((options: Known) => string), reason: string): Option<string> =>
  text({ default: standard, pattern: HOST_OR_ADDRESS, expects: "an IP address or host name", reason });
